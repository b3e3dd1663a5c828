"""Every row of two simulated markets obeys the exchange's rules."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
import pandas as pd
import pytest

from include.market.calendar import sessions_between
from include.market.limits import (
    FIRST_DAY_RULE_FROM,
    first_day_limits,
    first_day_opening_range,
    limit_price_arrays,
)
from include.market.symbols import Market, is_preferred, is_valid_symbol
from include.market.ticks import round_up_to_tick, tick_sizes
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.truth import ActionKind

PRICES = ("open", "high", "low", "close")


def test_keys(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    assert not bars.duplicated(["symbol", "session"]).any()
    assert sorted(bars["session"].unique()) == sessions_between(any_market.sessions[0], any_market.sessions[-1])
    assert all(is_valid_symbol(symbol) for symbol in bars["symbol"].unique())
    assert not bars.isna().any().any()


def test_halts_carry_the_close(bars: pd.DataFrame) -> None:
    halted = bars[bars["halted"]]
    assert len(halted) > 1_000
    figures = ["open", "high", "low", "volume", "value_krw", "change", "fluctuation_code"]
    assert (halted[figures] == 0).all().all()
    assert (halted["close"] == halted["base_price"]).all()


def test_without_volume_only_a_konex_quote_changes_the_close(bars: pd.DataFrame) -> None:
    quoted = bars[~bars["halted"] & (bars["volume"] == 0)]
    assert len(quoted) > 10
    assert (quoted["market"] == "KONEX").all()
    assert (quoted["change"] != 0).all()
    assert (quoted[["open", "high", "low", "value_krw"]] == 0).all().all()


def test_traded_prices_are_ordered(bars: pd.DataFrame) -> None:
    traded = bars[bars["volume"] > 0]
    assert (traded["low"] > 0).all()
    assert (traded["low"] <= traded[["open", "close"]].min(axis=1)).all()
    assert (traded["high"] >= traded[["open", "close"]].max(axis=1)).all()


def test_prices_lie_on_the_grid_and_within_the_limits(bars: pd.DataFrame, special_days: pd.DataFrame) -> None:
    rows = bars[~bars["halted"]].merge(special_days, how="left", on=["symbol", "session"])
    for (market, session), group in rows.groupby(["market", "session"]):
        for column in (*PRICES, "base_price"):
            values = group[column].to_numpy()
            assert (values % tick_sizes(values, Market(market), session) == 0).all(), (
                market,
                session,
                column,
            )
        ordinary = group[group["special"].isna()]
        lower, upper = limit_price_arrays(ordinary["base_price"].to_numpy(), Market(market), session)
        for column in PRICES:
            values = ordinary[column].to_numpy()
            assert ((values == 0) | ((values >= lower) & (values <= upper))).all(), (market, session, column)
        close = ordinary["close"].to_numpy()
        code = ordinary["fluctuation_code"].to_numpy()
        assert ((code == 4) == (close == upper)).all()
        assert ((code == 5) == ((close == lower) & (close < ordinary["base_price"]))).all()


def test_codes_tell_the_sign_of_the_change(bars: pd.DataFrame) -> None:
    signs = bars["fluctuation_code"].map({0: 0, 1: 1, 2: -1, 3: 0, 4: 1, 5: -1})
    assert (signs == np.sign(bars["change"])).all()
    assert ((bars["fluctuation_code"] == 0) == bars["halted"]).all()
    assert set(bars["fluctuation_code"]) == {0, 1, 2, 3, 4, 5}


def test_identities(bars: pd.DataFrame) -> None:
    assert (bars["change"] == bars["close"] - bars["base_price"]).all()
    assert (bars["market_cap_krw"] == bars["close"] * bars["listed_shares"]).all()
    assert (bars["listed_shares"] > 0).all()


def test_value_is_volume_at_prices_of_the_day_but_for_block_trades(bars: pd.DataFrame) -> None:
    traded = bars[bars["volume"] > 0]
    average = traded["value_krw"] / traded["volume"]
    outside = (average < traded["low"] - 1) | (average > traded["high"])
    assert 0 < outside.mean() < 0.002
    assert (average[outside] < traded["high"][outside] * 1.07).all()


def test_a_base_moves_only_by_an_action_or_onto_the_grid(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    actions = {(action.symbol, action.ex_date): action for action in any_market.actions}
    moved = bars[(bars["previous_close"] > 0) & (bars["base_price"] != bars["previous_close"])]
    seen = set()
    for row in moved.itertuples():
        key = (row.symbol, row.session)
        if key in actions:
            assert (row.previous_close, row.base_price) == (
                actions[key].previous_close,
                actions[key].base_price,
            )
            seen.add(key)
        else:
            expected = round_up_to_tick(row.previous_close, Market(row.market), row.session)
            assert row.base_price == expected
    assert seen == set(actions)


def test_base_of_an_action(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    """Shares multiplied by r are worth 1 / r each; a rights issue brings money in and takes less off."""
    markets = bars.set_index(["symbol", "session"])["market"]
    for action in any_market.actions:
        assert action.base_ratio == Fraction(action.base_price, action.previous_close)
        market = Market(markets[action.symbol, action.ex_date])
        mechanical = round_up_to_tick(ceil(action.previous_close / action.share_ratio), market, action.ex_date)
        if action.kind is ActionKind.RIGHTS_ISSUE:
            assert mechanical < action.base_price < action.previous_close
        else:
            assert action.base_price == mechanical
        assert (action.kind is ActionKind.REVERSE_SPLIT) == (action.base_price > action.previous_close)


def test_share_counts_move_only_by_an_action_on_its_session(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    last = any_market.sessions[-1]
    ratios = {
        (action.symbol, action.shares_effective_session): action.share_ratio
        for action in any_market.actions
        if action.shares_effective_session <= last
    }
    moved = bars[(bars["previous_shares"] > 0) & (bars["listed_shares"] != bars["previous_shares"])]
    assert set(zip(moved["symbol"], moved["session"], strict=True)) == set(ratios)
    for row in moved.itertuples():
        assert row.listed_shares == int(row.previous_shares * ratios[row.symbol, row.session])


def test_returns_chain_to_the_price_ratio(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    """Last close / first base = product of (close / base) x product of the resets, exactly."""
    acted = {action.symbol for action in any_market.actions}
    for symbol, rows in list(bars[bars["symbol"].isin(acted)].groupby("symbol"))[:10]:
        product = Fraction(1)
        for row in rows.itertuples():
            product *= Fraction(row.close, row.base_price)
            if row.previous_close:
                product *= Fraction(row.base_price, row.previous_close)
        resets = [action for action in any_market.actions if action.symbol == symbol]
        assert product == Fraction(int(rows["close"].iloc[-1]), int(rows["base_price"].iloc[0]))
        assert resets


def test_first_days(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    rows = bars.set_index(["symbol", "session"])
    listed = [instrument for instrument in any_market.instruments if instrument.offer_price is not None]
    assert len(listed) > 10
    for instrument in listed:
        offer, session = instrument.offer_price, instrument.listed
        assert offer is not None
        row = rows.loc[instrument.symbol, session]
        market = Market(row["market"])
        if session >= FIRST_DAY_RULE_FROM and market is not Market.KONEX:
            allowed = first_day_limits(offer, market, session)
            assert row["base_price"] == offer
            assert allowed.lower <= row["low"] <= row["high"] <= allowed.upper
        else:
            allowed = first_day_opening_range(offer, market, session)
            assert row["base_price"] == row["open"]
            assert allowed.lower <= row["open"] <= allowed.upper


def test_instruments_tell_the_rows(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    sessions = any_market.sessions
    rows = dict(iter(bars.groupby("symbol")))
    instruments = any_market.instruments
    assert [instrument.symbol for instrument in instruments] == sorted(rows)
    for instrument in instruments:
        group = rows[instrument.symbol]
        end = sessions.index(instrument.delisted) if instrument.delisted else len(sessions)
        assert group["session"].tolist() == sessions[sessions.index(instrument.listed) : end]
        for column, history in (
            ("name", instrument.names),
            ("market", tuple((day, market.value) for day, market in instrument.markets)),
        ):
            changed = group[group[column] != group[column].shift()]
            assert tuple(zip(changed["session"], changed[column], strict=True)) == history


def test_preferred_shares_follow_their_common_share(any_market: SimulatedMarket) -> None:
    instruments = {instrument.symbol: instrument for instrument in any_market.instruments}
    preferred = [symbol for symbol in instruments if is_preferred(symbol)]
    assert len(preferred) >= 20
    actions: dict[str, list[tuple[date, Fraction]]] = {}
    for action in any_market.actions:
        actions.setdefault(action.symbol, []).append((action.ex_date, action.share_ratio))
    for symbol in preferred:
        common = symbol[:5] + "0"
        assert actions.get(symbol) == actions.get(common)
        assert (instruments[symbol].listed, instruments[symbol].delisted) == (
            instruments[common].listed,
            instruments[common].delisted,
        )
        assert [name for _, name in instruments[symbol].names] == [name + "우" for _, name in instruments[common].names]


def test_konex_and_global_start_on_their_dates(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    first = bars.groupby("market")["session"].min()
    last = any_market.sessions[-1]
    assert first["KONEX"] >= max(date(2013, 7, 1), any_market.sessions[0])
    assert ("KOSDAQ GLOBAL" in first) == (last >= date(2022, 11, 21))
    assert first.get("KOSDAQ GLOBAL", date(2022, 11, 21)) == date(2022, 11, 21)


def test_everything_promised_happens(market: SimulatedMarket) -> None:
    actions, instruments = market.actions, market.instruments
    assert {action.kind for action in actions} == set(ActionKind)
    later = sum(action.shares_effective_session > action.ex_date for action in actions)
    assert 0.4 < later / len(actions) < 0.95
    assert any(instrument.delisted for instrument in instruments)
    assert any(len(instrument.names) > 1 for instrument in instruments)
    assert any(instrument.symbol[4].isalpha() for instrument in instruments)
    moves = {(before, after) for instrument in instruments for (_, before), (_, after) in pairwise(instrument.markets)}
    assert {(Market.KONEX, Market.KOSDAQ), (Market.KOSDAQ, Market.KOSPI)} <= moves


def test_a_base_may_be_reset_during_a_halt(market: SimulatedMarket) -> None:
    halted_resets = 0
    for action in market.actions:
        if action.kind is ActionKind.REVERSE_SPLIT:
            table = market.session_table(action.ex_date).to_pylist()
            (row,) = [row for row in table if row["symbol"] == action.symbol]
            halted_resets += row["halted"]
            if row["halted"]:
                assert row["close"] == action.base_price
    assert halted_resets > 0


@pytest.mark.parametrize("column", ["name", "symbol"])
def test_no_two_shares_of_a_session_look_the_same(bars: pd.DataFrame, column: str) -> None:
    assert not bars.duplicated([column, "session"]).any()
