"""Every row of two simulated markets obeys the exchange's rules."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.market.calendar import sessions_between
from include.market.limits import (
    FIRST_DAY_RULE_FROM,
    first_day_limits,
    first_day_opening_range,
    limit_price_arrays,
)
from include.market.symbols import Market, is_preferred, is_valid_symbol
from include.market.ticks import round_up_to_tick, tick_size, tick_sizes
from include.simulator.exchange.events import AUCTIONS
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.names import SPAC
from include.simulator.exchange.truth import ActionKind, CorporateAction

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


def rows_of(market: SimulatedMarket, action: CorporateAction) -> list[dict[str, Any]]:
    """The rows of the share on the ex-date and, in order, of the sessions before it without trade."""
    position = market.sessions.index(action.ex_date)
    rows = []
    while position >= 0:
        table = market.session_table(market.sessions[position])
        found = table.filter(pc.equal(table["symbol"], action.symbol)).to_pylist()
        if not found or (rows and not found[0]["halted"]):
            break
        rows += found
        position -= 1
    return rows


def is_marked(action: CorporateAction) -> bool:
    """Whether the published base shows it."""
    return action.base_price != action.previous_close


def test_a_base_moves_only_by_an_action_or_onto_the_grid(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    actions = {(action.symbol, action.ex_date): action for action in any_market.actions}
    assert len(actions) == len(any_market.actions)
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
    assert seen == {key for key, action in actions.items() if is_marked(action)}


def test_base_of_an_action(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    """Shares multiplied by r are worth 1 / r each; a rights issue brings money in and takes less off.

    An auction settles near the appraised price, which is the close before but for a capital reduction.
    """
    rows = bars.set_index(["symbol", "session"])
    for action in any_market.actions:
        assert action.base_ratio == Fraction(action.base_price, action.previous_close)
        row = rows.loc[action.symbol, action.ex_date]
        market = Market(row["market"])
        mechanical = round_up_to_tick(ceil(action.previous_close / action.share_ratio), market, action.ex_date)
        if action.kind in AUCTIONS:
            reduces = action.kind is ActionKind.CAPITAL_REDUCTION
            appraised = action.previous_close / action.share_ratio if reduces else Fraction(action.previous_close)
            lowest, highest = AUCTIONS[action.kind]
            tick = tick_size(action.base_price, market, action.ex_date)
            assert appraised * lowest / 100 <= action.base_price <= appraised * highest / 100 + tick
            assert action.base_price != round_up_to_tick(action.previous_close, market, action.ex_date)
            assert row["open"] == action.base_price
            assert not row["halted"]
        elif not is_marked(action):
            assert action.kind in {ActionKind.REVERSE_SPLIT, ActionKind.CODE_CHANGE}
        elif action.kind is ActionKind.RIGHTS_ISSUE:
            assert mechanical < action.base_price < action.previous_close
        else:
            assert action.base_price == mechanical
            assert (action.kind is ActionKind.REVERSE_SPLIT) == (action.base_price > action.previous_close)


@pytest.mark.parametrize(
    ("kind", "fewest", "most", "smallest", "largest"),
    [
        (ActionKind.SPLIT, 3, 6, 2, 50),
        (ActionKind.REVERSE_SPLIT, 2, 6, Fraction(1, 20), Fraction(1, 2)),
        (ActionKind.BONUS_ISSUE, 0, 0, Fraction(6, 5), 3),
        (ActionKind.RIGHTS_ISSUE, 0, 0, Fraction(11, 10), Fraction(3, 2)),
        (ActionKind.STOCK_DIVIDEND, 0, 0, Fraction(102, 100), Fraction(110, 100)),
        (ActionKind.CAPITAL_REDUCTION, 12, 20, Fraction(1, 10), Fraction(1, 2)),
        (ActionKind.MERGER, 1, 20, Fraction(105, 100), 10),
        (ActionKind.SPIN_OFF, 20, 20, Fraction(30, 100), Fraction(80, 100)),
        (ActionKind.RELISTING, 60, 299, 1, 1),
    ],
)
def test_halts_and_ratios_of_each_kind(
    market: SimulatedMarket, kind: ActionKind, fewest: int, most: int, smallest: Fraction, largest: Fraction
) -> None:
    actions = [action for action in market.actions if action.kind is kind]
    assert len(actions) >= 2
    for action in actions:
        assert smallest <= action.share_ratio <= largest
    for action in actions[:3]:
        rows = rows_of(market, action)
        # The simulation may have begun within the halt.
        assert fewest <= len(rows) - 1 <= most or rows[-1]["session"] == market.sessions[0]


def test_stock_dividends_go_ex_before_the_years_last_session(any_market: SimulatedMarket) -> None:
    sessions = sessions_between(any_market.sessions[0], any_market.sessions[-1] + timedelta(days=200))
    for action in any_market.actions:
        if action.kind is ActionKind.STOCK_DIVIDEND:
            position = sessions.index(action.ex_date)
            years = [session.year for session in sessions[position : position + 3]]
            assert years == [action.ex_date.year, action.ex_date.year, action.ex_date.year + 1]
            assert 70 <= sessions.index(action.shares_effective_session) - position <= 80


def test_a_consolidation_may_leave_the_base_alone(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    """Its truth says so by a base ratio of 1; shares and price tell of it on the session itself."""
    rows = bars.set_index(["symbol", "session"])
    unmarked = [
        action for action in any_market.actions if action.kind is not ActionKind.CODE_CHANGE and not is_marked(action)
    ]
    for action in unmarked:
        assert action.base_ratio == 1
        assert action.shares_effective_session == action.ex_date
        row = rows.loc[action.symbol, action.ex_date]
        assert row["base_price"] == row["previous_close"]
        assert row["listed_shares"] == int(row["previous_shares"] * action.share_ratio)
        assert row["close"] > 1.5 * row["base_price"]
        assert row["fluctuation_code"] == 1
    assert len(unmarked) < 0.02 * len(any_market.actions)


def test_a_division_lists_its_part_the_session_the_old_company_resumes(market: SimulatedMarket) -> None:
    instruments = market.instruments
    successors = {instrument.successor for instrument in instruments}
    divided = [action for action in market.actions if action.kind is ActionKind.SPIN_OFF]
    assert divided
    for action in divided:
        (old,) = (instrument for instrument in instruments if instrument.symbol == action.symbol)
        parts = [
            instrument
            for instrument in instruments
            if instrument.listed == action.ex_date
            and instrument.offer_price is None
            and instrument.symbol not in successors
        ]
        names = [name for day, name in old.names if day < action.ex_date]
        assert (action.ex_date, names[-1] + "홀딩스") in old.names
        (part,) = (instrument for instrument in parts if instrument.names[0][1] == names[-1])
        rows = {row["symbol"]: row for row in market.session_table(action.ex_date).to_pylist()}
        assert rows[part.symbol]["base_price"] == rows[part.symbol]["open"]
        assert 0.5 <= rows[part.symbol]["base_price"] / action.previous_close <= 2
        shares = Fraction(rows[part.symbol]["listed_shares"], rows[old.symbol]["listed_shares"])
        assert float(shares) == pytest.approx(float((1 - action.share_ratio) / action.share_ratio), rel=1e-5)


def test_a_code_change_hands_on_everything_but_the_code(market: SimulatedMarket) -> None:
    changes = {action.symbol: action for action in market.actions if action.kind is ActionKind.CODE_CHANGE}
    replaced = {instrument.successor: instrument for instrument in market.instruments if instrument.successor}
    assert changes.keys() == replaced.keys()
    assert changes
    for symbol, action in changes.items():
        position = market.sessions.index(action.ex_date)
        old, new = (
            {row["symbol"]: row for row in market.session_table(session).to_pylist()}
            for session in market.sessions[position - 1 : position + 1]
        )
        before, after = old[replaced[symbol].symbol], new[symbol]
        assert replaced[symbol].delisted == action.ex_date
        assert symbol not in old
        assert (after["base_price"], action.base_price) == (before["close"], before["close"])
        for column in ("name", "market", "listed_shares"):
            assert after[column] == before[column]


def test_spacs_stay_by_their_offer_price_until_they_merge(market: SimulatedMarket, bars_table: pa.Table) -> None:
    spacs = bars_table.filter(pc.match_substring(bars_table["name"], SPAC)).to_pandas()
    assert len(spacs["symbol"].unique()) > 10
    assert set(spacs["market"]) == {"KOSDAQ"}
    assert spacs["close"].between(1_800, 2_800).all()
    mergers = {action.symbol: action for action in market.actions if action.kind is ActionKind.MERGER}
    merged = [
        instrument for instrument in market.instruments if len(instrument.names) > 1 and SPAC in instrument.names[0][1]
    ]
    assert len(merged) > 3
    for instrument in merged:
        (renamed, name), *_ = instrument.names[1:]
        assert SPAC not in name
        assert mergers[instrument.symbol].ex_date == renamed
        assert mergers[instrument.symbol].share_ratio >= 2


def test_midpoint_closes_are_half_a_tick_above_the_grid_and_the_next_base_is_rounded_up() -> None:
    market = SimulatedMarket(3, 600, date(2025, 12, 1), date(2026, 3, 31))
    frame = pa.concat_tables(market.iter_blocks()).to_pandas().sort_values(["symbol", "session"])
    frame["next_base"] = frame.groupby("symbol")["base_price"].shift(-1, fill_value=0)
    frame["next_halted"] = frame.groupby("symbol")["halted"].shift(-1, fill_value=False)
    off = []
    for (name, session), group in frame.groupby(["market", "session"]):
        close = group["close"].to_numpy()
        ticks = tick_sizes(close, Market(name), session)
        off.append(group.assign(tick=ticks)[close % ticks > 0])
    found = pd.concat(off)
    traded = found[~found["halted"]]
    assert len(traded) > 10
    assert (traded["session"] >= date(2026, 1, 1)).all()
    assert (traded["close"] % traded["tick"] == traded["tick"] // 2).all()
    assert (traded["close"] < traded["high"]).all()
    assert traded["name"].str.contains(SPAC).mean() > 0.8
    acted = {(action.symbol, action.ex_date) for action in market.actions}
    following = traded[(traded["next_base"] > 0) & ~traded["next_halted"]]
    for row in following.itertuples():
        next_session = market.sessions[market.sessions.index(row.session) + 1]
        if (row.symbol, next_session) not in acted:
            assert row.next_base == row.close - row.close % row.tick + row.tick


def test_share_counts_move_only_by_an_action_on_its_session(any_market: SimulatedMarket, bars: pd.DataFrame) -> None:
    last = any_market.sessions[-1]
    ratios = {
        (action.symbol, action.shares_effective_session): action.share_ratio
        for action in any_market.actions
        if action.shares_effective_session <= last and action.share_ratio != 1
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
