"""Exchange-traded products and their portfolios."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from math import ceil

import pytest

from include.simulator.datasets.baskets import CREATION_UNIT
from include.simulator.datasets.etps import ProductActionKind
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.names import product_symbol
from include.simulator.world import World

FIRST, LAST = date(2024, 11, 1), date(2025, 4, 30)
Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(7, 240, FIRST, LAST))


def funds(world: World, session: date) -> Mapping[str, dict[str, object]]:
    return {row["symbol"]: row for row in world.table("etp_daily_bar", session).to_pylist()}


def holdings(world: World, session: date) -> Mapping[str, Rows]:
    by_fund: defaultdict[str, Rows] = defaultdict(list)
    for row in world.table("etf_holding", session).to_pylist():
        by_fund[row["fund"]].append(row)
    return by_fund


def test_how_many_there_are(world: World) -> None:
    kinds = [row["kind"] for row in funds(world, FIRST).values()]
    assert (kinds.count("ETF"), kinds.count("ETN")) == (40, 12)
    small = World(SimulatedMarket(7, 12, FIRST, FIRST))
    kinds = [row["kind"] for row in funds(small, FIRST).values()]
    assert (kinds.count("ETF"), kinds.count("ETN")) == (8, 3)


def test_codes_are_no_shares_codes(world: World) -> None:
    codes = [product_symbol(number) for number in range(20_000)]
    assert len(set(codes)) == len(codes)
    shares = {instrument.symbol for instrument in world.market.instruments}
    assert shares.isdisjoint(codes)
    assert any(code[4].isalpha() for code in funds(world, FIRST))


def test_prices_stay_by_the_net_asset_value_on_the_grid(world: World) -> None:
    for session in world.sessions[::7]:
        for row in funds(world, session).values():
            if not row["halted"]:
                assert abs(Decimal(row["close"]) / row["nav"] - 1) < Decimal("0.006")
            assert all(row[name] % 5 == 0 for name in ("open", "high", "low", "close", "base_price"))
            assert row["halted"] == (row["volume"] == 0)
            if row["kind"] == "ETF":
                assert row["net_assets_krw"] == int(row["nav"] * row["listed_shares"])
            assert row["underlying_close"] > 0


def test_bases_are_the_closes_before_less_distributions(world: World) -> None:
    """Paid by funds of stocks on the session before a month's last, out of the net asset value."""
    actions = {(action.symbol, action.ex_date): action for action in world.etp_actions}
    assert {action.ex_date for action in world.etp_actions} == {date(2025, 1, 24), date(2025, 4, 29)}
    assert {action.kind for action in world.etp_actions} == {ProductActionKind.DISTRIBUTION}
    seen = set()
    for before, session in pairwise(world.sessions):
        earlier = funds(world, before)
        for symbol, row in funds(world, session).items():
            paid = actions.get((symbol, session))
            if paid is not None:
                seen.add((symbol, session))
                assert row["kind"] == "ETF"
                assert (paid.previous_close, paid.base_price) == (earlier[symbol]["close"], row["base_price"])
                assert paid.amount_krw == paid.previous_close - paid.base_price > 0
                assert paid.unit_ratio == 1
            elif symbol in earlier:
                assert row["base_price"] == earlier[symbol]["close"]
    assert seen == actions.keys()
    symbol, session = min(actions)
    assert world.adjusted_bars(symbol, FIRST, session)["close"][0].as_py() == funds(world, FIRST)[symbol]["close"]


def test_products_too_dear_or_too_cheap_are_split() -> None:
    """The base and the units change by the ratio; price sites adjust what came before."""
    world = World(SimulatedMarket(15, 24, date(2010, 1, 4), date(2010, 8, 31)))
    splits = [action for action in world.etp_actions if action.kind is not ProductActionKind.DISTRIBUTION]
    assert {action.kind for action in splits} == {ProductActionKind.SPLIT, ProductActionKind.REVERSE_SPLIT}
    for action in splits:
        position = world.sessions.index(action.ex_date)
        before, after = (
            funds(world, session)[action.symbol] for session in world.sessions[position - 1 : position + 1]
        )
        assert (action.previous_close, action.base_price) == (before["close"], after["base_price"])
        assert action.base_price == ceil(action.previous_close / action.unit_ratio / 5) * 5
        assert after["listed_shares"] == before["listed_shares"] * action.unit_ratio
        adjusted = world.adjusted_bars(action.symbol, world.sessions[position - 1], action.ex_date)
        assert adjusted["close"].to_pylist() == [action.base_price, after["close"]]


def test_multiples_follow_the_index(world: World) -> None:
    for before, session in pairwise(world.sessions[:40]):
        earlier, now = funds(world, before), funds(world, session)
        for symbol in earlier.keys() & now.keys():
            name = now[symbol]["name"]
            multiple = -1 if name.endswith("인버스") else 2 if name.endswith(" 레버리지") else None
            if multiple is not None:
                of_index = now[symbol]["underlying_close"] / earlier[symbol]["underlying_close"] - 1
                of_fund = now[symbol]["nav"] / earlier[symbol]["nav"] - 1
                assert float(of_fund) == pytest.approx(multiple * float(of_index), abs=2e-4)


def test_products_come_and_go(world: World) -> None:
    first, last = funds(world, FIRST), funds(world, world.sessions[-1])
    assert len(first) == len(last)
    assert first.keys() - last.keys()
    assert last.keys() - first.keys()


def test_a_portfolio_adds_up_to_the_creation_unit(world: World) -> None:
    for session in world.sessions[::11]:
        bars = {row["symbol"]: row for row in world.table("daily_bar", session).to_pylist()}
        products = funds(world, session)
        portfolios = holdings(world, session)
        assert portfolios.keys() == {symbol for symbol, row in products.items() if row["kind"] == "ETF"}
        for fund, portfolio in portfolios.items():
            assert [row["position"] for row in portfolio] == list(range(1, len(portfolio) + 1))
            assert all(row["complete"] for row in portfolio)
            (cash,) = (row for row in portfolio if row["kind"] == "cash")
            assert (cash["component"], cash["name"], cash["shares"]) == ("KRD010010001", "원화예금", None)
            weights = sum(row["weight_pct"] for row in portfolio if row["weight_pct"] is not None)
            assert abs(weights - 100) <= Decimal("0.5")
            value = sum(row["value_krw"] for row in portfolio if row["weight_pct"] is not None)
            # The value of a unit is truncated to hundredths of a won.
            assert 0 <= value - products[fund]["nav"] * CREATION_UNIT < CREATION_UNIT / 100
            for row in portfolio:
                if row["kind"] == "stock":
                    assert row["value_krw"] == row["shares"] * bars[row["component"]]["close"]
                    assert row["name"] == bars[row["component"]]["name"]
            stocks = [row["component"] for row in portfolio if row["kind"] == "stock"]
            assert len(set(stocks)) == len(stocks) <= 40


def test_every_sort_of_position_occurs(world: World) -> None:
    rows = world.table("etf_holding", FIRST).to_pylist()
    assert any(row["shares"] is not None and row["shares"] < 0 and row["weight_pct"] is None for row in rows)
    assert any(row["component"] == "" and row["weight_pct"] is not None for row in rows)
    assert {row["kind"] for row in rows} == {"stock", "cash", "other"}


def test_portfolios_change_slowly(world: World) -> None:
    kept = added = removed = reweighted = 0
    for before, session in pairwise(world.sessions):
        earlier, now = holdings(world, before), holdings(world, session)
        for fund in earlier.keys() & now.keys():
            then, today = (
                {row["component"]: row["shares"] for row in portfolio if row["kind"] == "stock"}
                for portfolio in (earlier[fund], now[fund])
            )
            added += len(today.keys() - then.keys())
            removed += len(then.keys() - today.keys())
            changed = sum(then[component] != today[component] for component in then.keys() & today.keys())
            reweighted += changed
            kept += len(then.keys() & today.keys()) - changed
    assert min(added, removed, reweighted) > 50
    assert added + removed + reweighted < 0.05 * kept
