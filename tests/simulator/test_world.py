"""The world is one truth: rows obey their dataset's rules, and datasets agree with one another."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.datasets.registry import UnknownDatasetError, dataset_named, datasets
from include.market.calendar import NotASessionError, next_session, trading_hours
from include.market.global_symbols import GLOBAL_SYMBOLS
from include.market.investors import CLASSES, INSTITUTIONS
from include.quality.row_rules import mark_violations
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.names import SPAC
from include.simulator.exchange.truth import ActionKind
from include.simulator.world import World

SEED, SYMBOLS, FIRST, LAST = 5, 120, date(2024, 11, 1), date(2025, 6, 30)
DATASETS = sorted(datasets().keys() - {"intraday_snapshot"})
GOLDEN_HASH = "1a3de83cb5b9d62de9ffe64aa33b2d895da694402427a19ef5ac98c417d53a9f"


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(SEED, SYMBOLS, FIRST, LAST))


@pytest.fixture(scope="module")
def picked(world: World) -> list[date]:
    """The first and the last session, and every ninth between."""
    return [*world.sessions[::9], world.sessions[-1]]


def rows(world: World, dataset: str, session: date) -> list[dict[str, object]]:
    return world.table(dataset, session).to_pylist()


def content_hash(tables: list[pa.Table]) -> str:
    digest = hashlib.sha256()
    for table in tables:
        for row in table.to_pylist():
            digest.update(repr(tuple(row.values())).encode())
    return digest.hexdigest()


def test_a_world_is_the_same_on_every_machine() -> None:
    """If a change of the simulator is meant to change its numbers, state the new hash here."""
    world = World(SimulatedMarket(3, 40, FIRST, date(2024, 12, 30)))
    tables = [world.table(name, session) for session in world.sessions for name in DATASETS]
    opened = trading_hours(world.sessions[3]).open
    symbols = world.table("daily_bar", world.sessions[3])["symbol"].to_pylist()
    tables += [world.quotes(world.sessions[3], opened + timedelta(minutes=37 * step), symbols) for step in range(9)]
    tables += [world.adjusted_bars(symbol, FIRST, world.sessions[-1]) for symbol in symbols[:5]]
    assert content_hash(tables) == GOLDEN_HASH


def test_no_order_of_questions_and_no_later_end_changes_an_answer(world: World) -> None:
    shorter = World(SimulatedMarket(SEED, SYMBOLS, FIRST, world.sessions[80]))
    for session in (world.sessions[80], world.sessions[0], world.sessions[70]):
        for name in reversed(DATASETS):
            assert shorter.table(name, session).equals(world.table(name, session)), (name, session)


@pytest.mark.parametrize("name", DATASETS)
def test_rows_have_the_datasets_form_and_break_no_rule(world: World, picked: list[date], name: str) -> None:
    dataset = dataset_named(name)
    tables = [world.table(name, session) for session in picked]
    assert all(table.schema == dataset.parsed_schema for table in tables)
    together = pa.concat_tables(tables)
    assert set(together["session"].to_pylist()) <= set(picked)
    if not dataset.sparse:
        assert all(table.num_rows for table in tables)
    marked = mark_violations(together, dataset)
    broken = marked.filter(pc.is_valid(marked["violated_rule"]))
    assert broken.num_rows == 0, broken.slice(0, 3).to_pylist()
    for column in dataset.columns:
        if column.values is not None:
            assert set(together[column.name].to_pylist()) <= set(column.values), column.name


def test_days_without_a_session(world: World) -> None:
    holiday = date(2025, 1, 1)
    assert world.table("delisting", holiday).num_rows == 0
    assert "KRW=X" in world.table("global_bar", holiday)["symbol"].to_pylist()
    assert world.table("global_bar", date(2025, 1, 4)).num_rows == 0
    with pytest.raises(NotASessionError, match="2025-01-01"):
        world.table("daily_bar", holiday)
    with pytest.raises(UnknownDatasetError, match="intraday_snapshot"):
        world.table("intraday_snapshot", FIRST)


def test_the_master_lists_what_has_a_bar(world: World, picked: list[date]) -> None:
    for session in picked:
        bars = rows(world, "daily_bar", session) + rows(world, "etp_daily_bar", session)
        master = {row["symbol"]: row for row in rows(world, "instrument", session)}
        assert len(master) == len(bars)
        assert (
            len({row["isin"] for row in master.values()}) == len({row["name"] for row in master.values()}) == len(bars)
        )
        for bar in bars:
            entry = master[bar["symbol"]]
            for column in ("name", "market", "section", "listed_shares"):
                assert entry[column] == bar[column]
            if "kind" in bar:
                assert entry["kind"] == str(bar["kind"]).lower()


def test_kinds_of_issues(world: World) -> None:
    large = World(SimulatedMarket(SEED, 600, FIRST, FIRST))
    kinds = set(large.table("instrument", FIRST)["kind"].to_pylist())
    assert kinds == {"common", "preferred", "reit", "spac", "etf", "etn"}
    for row in rows(large, "instrument", FIRST):
        assert row["kind"] != "preferred" or str(row["symbol"])[5] in "5K"
        assert (row["kind"] == "spac") == (SPAC in str(row["name"]))


def test_a_par_value_follows_splits_and_nothing_else(world: World) -> None:
    splits = {ActionKind.SPLIT, ActionKind.REVERSE_SPLIT}
    actions = [action for action in world.market.actions if action.ex_date > FIRST]
    assert {action.kind in splits for action in actions} == {True, False}
    first, last = (
        {row["symbol"]: row["par_value"] for row in rows(world, "instrument", session)}
        for session in (world.sessions[0], world.sessions[-1])
    )
    for symbol in first.keys() & last.keys():
        expected = first[symbol]
        for action in actions:
            if action.symbol == symbol and action.kind in splits and expected is not None:
                expected = expected * action.share_ratio.denominator / action.share_ratio.numerator
        assert last[symbol] == expected
    split = next(action for action in actions if action.kind in splits and first.get(action.symbol))
    position = world.sessions.index(split.ex_date)
    before, after = (
        next(row["par_value"] for row in rows(world, "instrument", session) if row["symbol"] == split.symbol)
        for session in world.sessions[position - 1 : position + 1]
    )
    assert before * split.share_ratio.denominator == after * split.share_ratio.numerator


def test_a_changed_code_is_a_delisting_with_a_successor() -> None:
    changing = World(SimulatedMarket(54, 200, FIRST, date(2024, 12, 3)))
    (change,) = (action for action in changing.market.actions if action.kind is ActionKind.CODE_CHANGE)
    (row,) = (row for row in rows(changing, "delisting", change.ex_date) if row["successor_symbol"] is not None)
    assert row["successor_symbol"] == change.symbol
    listed = {row["symbol"]: row for row in rows(changing, "instrument", change.ex_date)}
    assert listed[change.symbol]["listed_on"] == change.ex_date
    assert listed[change.symbol]["name"] == row["name"]
    assert row["symbol"] not in listed


def test_an_issue_is_listed_when_it_first_trades_and_delisted_when_it_does_not(world: World) -> None:
    """The exchange's list of delistings has no ETNs."""
    before = {row["symbol"]: row for row in rows(world, "instrument", world.sessions[0])}
    for session in world.sessions[1:]:
        now = {row["symbol"]: row for row in rows(world, "instrument", session)}
        assert all(now[symbol]["listed_on"] == session for symbol in now.keys() - before.keys())
        gone = {row["symbol"]: row for row in rows(world, "delisting", session)}
        assert gone.keys() == {symbol for symbol in before.keys() - now.keys() if before[symbol]["kind"] != "etn"}
        assert all(row["listed_on"] == before[symbol]["listed_on"] for symbol, row in gone.items())
        before = now


def test_classes_sum_to_the_total_and_the_total_is_the_volume(world: World, picked: list[date]) -> None:
    institutions = {investor.value for investor in INSTITUTIONS}
    classes = {investor.value for investor in CLASSES}
    for session in picked:
        bars = {row["symbol"]: row for row in rows(world, "daily_bar", session) if row["volume"]}
        flows = world.table("investor_flow", session).to_pandas()
        assert set(flows["symbol"]) == set(bars)
        sides = ["sell_shares", "buy_shares", "sell_krw", "buy_krw"]
        of_classes = flows[flows["investor"].isin(classes)].groupby("symbol")[sides].sum()
        of_institutions = flows[flows["investor"].isin(institutions)].groupby("symbol")[sides].sum()
        total = flows[flows["investor"] == "total"].set_index("symbol")[sides]
        subtotal = flows[flows["investor"] == "institution"].set_index("symbol")[sides]
        assert of_classes.equals(total)
        assert of_institutions.equals(subtotal)
        for symbol, sell_shares, buy_shares, sell_krw, buy_krw in total.itertuples():
            assert sell_shares == buy_shares == bars[symbol]["volume"]
            assert sell_krw == buy_krw == bars[symbol]["value_krw"]
        assert (flows[["sell_shares", "buy_shares"]].max(axis=1) > 0).all()


def test_markets_sum_their_stocks(world: World, picked: list[date]) -> None:
    for session in picked:
        markets = world.table("market_investor_flow", session).to_pandas().set_index(["market", "investor"])
        market_of = world.table("daily_bar", session).to_pandas().set_index("symbol")["market"]
        flows = world.table("investor_flow", session).to_pandas()
        flows["market"] = flows["symbol"].map(market_of).replace("KOSDAQ GLOBAL", "KOSDAQ")
        sides = ["sell_shares", "buy_shares", "net_shares", "sell_krw", "buy_krw", "net_krw"]
        sums = flows.groupby(["market", "investor"])[sides].sum()
        assert set(markets.index.get_level_values("market")) == {"KOSPI", "KOSDAQ", "KONEX", "ETF"}
        for key, row in markets.drop(index="ETF", level="market").iterrows():
            expected = sums.loc[key].tolist() if key in sums.index else [0] * 6
            assert row[sides].tolist() == expected
        funds = world.table("etp_daily_bar", session).to_pandas()
        etfs = funds[funds["kind"] == "ETF"]
        assert markets.loc[("ETF", "total"), "buy_shares"] == etfs["volume"].sum()
        assert markets.loc[("ETF", "total"), "sell_krw"] == etfs["value_krw"].sum()


def test_ratios_are_of_the_close(world: World, picked: list[date]) -> None:
    for session in picked:
        bars = {row["symbol"]: row for row in rows(world, "daily_bar", session)}
        fundamentals = rows(world, "fundamental", session)
        assert {row["symbol"] for row in fundamentals} == {
            symbol for symbol, bar in bars.items() if str(symbol).endswith("0") and bar["market"] != "KONEX"
        }
        for row in fundamentals:
            close = row["close"]
            assert close == bars[row["symbol"]]["close"]
            for ratio, figure in (("per", "eps_krw"), ("pbr", "bps_krw")):
                assert (row[ratio] is None) == (row[figure] is None)
                if row[ratio] is not None:
                    assert abs(float(row[ratio]) - close / row[figure]) <= 0.005 + 1e-9
            assert abs(float(row["dividend_yield_pct"]) - 100 * row["dps_krw"] / close) <= 0.005 + 1e-9
        assert any(row["eps_krw"] is None for row in fundamentals)
        assert any(row["dps_krw"] > 0 for row in fundamentals)


def test_foreign_holdings(world: World) -> None:
    changed = total = 0
    for before, session in pairwise(world.sessions[:20]):
        bars = {row["symbol"]: row for row in rows(world, "daily_bar", session)}
        earlier = {row["symbol"]: row["foreign_shares"] for row in rows(world, "foreign_holding", before)}
        for row in rows(world, "foreign_holding", session):
            assert row["listed_shares"] == bars[row["symbol"]]["listed_shares"]
            assert row["foreign_shares"] <= row["limit_shares"] <= row["listed_shares"]
            assert abs(float(row["foreign_pct"]) - 100 * row["foreign_shares"] / row["listed_shares"]) <= 0.005 + 1e-9
            assert abs(float(row["limit_used_pct"]) - 100 * row["foreign_shares"] / row["limit_shares"]) <= 0.005 + 1e-9
            total += 1
            changed += row["foreign_shares"] != earlier.get(row["symbol"])
    assert changed > 0.95 * total


def test_dividends_have_their_dates_and_are_of_listed_commons(world: World) -> None:
    paid = [row for session in world.sessions for row in rows(world, "dividend", session)]
    assert {row["session"] for row in paid} >= {date(2024, 12, 27), date(2025, 3, 28)}
    for row in paid:
        assert row["record_on"] == next_session(row["session"])
        assert timedelta(30) <= row["paid_on"] - row["session"] <= timedelta(60)
        assert row["symbol"] in world.table("daily_bar", row["session"])["symbol"].to_pylist()
        assert not row["split_adjusted"]


def test_indices_chain_and_sum_their_members(world: World) -> None:
    closes: dict[object, object] = {}
    for session in world.sessions[:30]:
        bars = world.table("daily_bar", session).to_pandas()
        indices = {(row["family"], row["index_name"]): row for row in rows(world, "index_bar", session)}
        assert len(indices) == 25
        for name, prefix in (("코스피", "KOSPI"), ("코스닥", "KOSDAQ")):
            members = bars[bars["market"].str.startswith(prefix)]
            row = indices[prefix, name]
            for column in ("volume", "value_krw", "market_cap_krw"):
                assert row[column] == members[column].sum()
            base = (members["base_price"] * members["listed_shares"]).sum()
            moved = members["market_cap_krw"].sum() / base - 1
            assert float(row["change"]) == pytest.approx(moved * float(row["close"] - row["change"]), abs=0.02)
        for key, row in indices.items():
            assert key not in closes or row["close"] - row["change"] == closes[key]
            closes[key] = row["close"]


def test_global_bars(world: World) -> None:
    for session in world.sessions[:60]:
        bars = {row["symbol"]: row for row in rows(world, "global_bar", session)}
        indices = {row["index_name"]: row for row in rows(world, "index_bar", session)}
        for symbol, name in (("^KS11", "코스피"), ("^KQ11", "코스닥")):
            for column in ("open", "high", "low", "close", "volume"):
                assert bars[symbol][column] == indices[name][column]
        for row in bars.values():
            for column in ("open", "high", "low", "close"):
                assert type(row[column])(repr(float(row[column]))) == row[column]
            assert row["low"] <= min(row["open"], row["close"]) <= max(row["open"], row["close"]) <= row["high"]
        assert bars.keys() <= {symbol.symbol for symbol in GLOBAL_SYMBOLS}
        assert "KRW=X" in bars


def test_rows_and_history_are_parts_of_the_tables(world: World) -> None:
    first, last = world.sessions[10], world.sessions[19]
    symbol = world.table("investor_flow", first)["symbol"][7].as_py()
    tables = [world.table("investor_flow", session) for session in world.sessions[10:20]]
    together = pa.concat_tables(tables)
    expected = together.filter(pc.equal(together["symbol"], symbol)).combine_chunks()
    assert world.history("investor_flow", symbol, first, last).equals(expected)
    assert world.rows("investor_flow", "999999", first).num_rows == 0


def test_adjusted_bars_are_continuous_over_actions(world: World) -> None:
    """Adjusted, no session opens from a base that is not the close before, but for rounding."""
    acted = {action.symbol for action in world.market.actions}
    assert acted
    first, last = world.sessions[0], world.sessions[-1]
    for symbol in acted:
        raw = world.history("daily_bar", symbol, first, last).to_pylist()
        adjusted = world.adjusted_bars(symbol, first, last).to_pylist()
        actions = [action for action in world.market.actions if action.symbol == symbol]
        assert [row["session"] for row in adjusted] == [row["session"] for row in raw]
        assert adjusted[-1]["close"] == raw[-1]["close"]
        (start,) = {row["session"] for row in raw[:1]}
        factor = 1.0
        for action in actions:
            factor *= float(action.base_ratio) if action.ex_date > start else 1.0
        assert adjusted[0]["close"] == pytest.approx(raw[0]["close"] * factor, abs=0.5001)
        assert adjusted[0]["volume"] == pytest.approx(raw[0]["volume"] / factor, abs=0.5001)
        # As of a session before any of them, nothing is adjusted.
        early = world.adjusted_bars(symbol, first, start).to_pylist()
        assert early[0]["close"] == raw[0]["close"]


def test_a_fund_is_not_adjusted(world: World) -> None:
    last = world.sessions[5]
    fund = world.table("etp_daily_bar", last)["symbol"][0].as_py()
    adjusted = world.adjusted_bars(fund, world.sessions[0], last)
    raw = world.history("etp_daily_bar", fund, world.sessions[0], last)
    assert adjusted.equals(raw.select(adjusted.column_names))


class TestQuotes:
    SESSION = date(2025, 3, 5)

    def all_quotes(self, world: World, at: datetime) -> list[dict[str, object]]:
        return world.quotes(self.SESSION, at, self.bars(world)).to_pylist()

    def bars(self, world: World) -> dict[str, dict[str, object]]:
        both = rows(world, "daily_bar", self.SESSION) + rows(world, "etp_daily_bar", self.SESSION)
        return {str(row["symbol"]): row for row in both}

    def test_before_the_open_nothing_has_traded(self, world: World) -> None:
        bars = self.bars(world)
        quotes = self.all_quotes(world, trading_hours(self.SESSION).open - timedelta(seconds=1))
        assert len(quotes) == len(bars)
        for quote in quotes:
            assert quote["price"] == bars[quote["symbol"]]["base_price"]
            assert [quote[name] for name in ("open", "high", "low", "volume", "value_krw", "change")] == [0] * 6

    def test_at_the_close_they_are_the_daily_bars(self, world: World) -> None:
        bars = self.bars(world)
        for quote in self.all_quotes(world, trading_hours(self.SESSION).close.astimezone(UTC)):
            bar = bars[quote["symbol"]]
            names = ("open", "high", "low", "volume", "value_krw", "change")
            assert [quote[name] for name in names] == [bar[name] for name in names]
            assert quote["price"] == bar["close"]

    def test_between_they_run_within_the_bar_and_never_back(self, world: World) -> None:
        bars = self.bars(world)
        dataset = dataset_named("intraday_snapshot")
        hours = trading_hours(self.SESSION)
        before: dict[object, dict[str, object]] = {}
        for minutes in range(0, 391, 15):
            table = world.quotes(self.SESSION, hours.open + timedelta(minutes=minutes), list(bars))
            marked = mark_violations(table, dataset)
            assert table.schema == dataset.parsed_schema
            assert marked["violated_rule"].null_count == len(bars)
            for quote in table.to_pylist():
                bar = bars[quote["symbol"]]
                if bar["high"]:
                    assert bar["low"] <= quote["low"] <= quote["price"] <= quote["high"] <= bar["high"]
                    assert quote["open"] == bar["open"]
                    assert quote["volume"] > 0
                if quote["symbol"] in before:
                    last = before[quote["symbol"]]
                    for rising in ("volume", "value_krw", "high"):
                        assert quote[rising] >= last[rising]
                    assert quote["low"] <= last["low"]
                before[quote["symbol"]] = quote

    def test_unlisted_symbols_have_no_quote_and_a_naive_moment_none(self, world: World) -> None:
        at = trading_hours(self.SESSION).open
        assert world.quotes(self.SESSION, at, ["ZZZZZZ"]).num_rows == 0
        with pytest.raises(ValueError, match="time zone"):
            world.quotes(self.SESSION, at.replace(tzinfo=None), ["ZZZZZZ"])
