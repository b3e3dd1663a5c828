from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.indicators.catalogue import COLUMNS
from include.indicators.compute import compute
from include.signals.history import BARS, HISTORY_COLUMNS, History, HistoryError, LookAheadError, UnknownColumnError
from tests.indicators.markets import market
from tests.signals.histories import of_panel, of_values, simulated

values = st.one_of(st.just(float("nan")), st.integers(1, 9).map(float))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A few symbols, some without a row, with two columns."""
    counts = draw(st.lists(st.integers(0, 12), min_size=1, max_size=5))
    total = sum(counts)
    columns = {name: np.array(draw(st.lists(values, min_size=total, max_size=total))) for name in ("rsi_14", "mfi_14")}
    return History(
        np.array([f"{number:06d}" for number in range(len(counts))], object),
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.concatenate([np.datetime64("2024-01-01") + np.arange(count) for count in counts]),
        columns,
    )


def rows_before(history: History, row: int, sessions: int) -> list[int]:
    """The rows of the last ``sessions`` before ``row`` of its symbol, the latest last."""
    first = int(history.offsets[history.symbol_index(np.array([row]))[0]])
    return list(range(max(row - sessions, first), row))


@given(histories(), st.integers(1, 14))
def test_before_highest_and_lowest_stay_within_the_symbol_and_its_past(history: History, sessions: int) -> None:
    for name in ("rsi_14", "mfi_14"):
        column = history[name]
        for row in range(len(history)):
            window = column[rows_before(history, row, sessions)]
            complete = len(window) == sessions
            earlier = window[0] if complete else np.nan
            np.testing.assert_equal(history.before(name, sessions)[row], earlier)
            np.testing.assert_equal(history.before(column.copy(), sessions)[row], earlier)
            np.testing.assert_equal(history.highest(name, sessions)[row], window.max() if complete else np.nan)
            np.testing.assert_equal(history.lowest(name, sessions)[row], window.min() if complete else np.nan)


@given(histories())
def test_crossings_and_states_need_a_known_session_before(history: History) -> None:
    values, level = history["rsi_14"], history["mfi_14"]
    for row in range(len(history)):
        prior = rows_before(history, row, 1)
        above, below = values[row] > level[row], values[row] < level[row]
        was_not_above = bool(prior) and bool((values[prior] <= level[prior]).all())
        was_not_below = bool(prior) and bool((values[prior] >= level[prior]).all())
        assert history.above("rsi_14", "mfi_14")[row] == above
        assert history.crosses_above("rsi_14", "mfi_14")[row] == (above and was_not_above)
        assert history.crosses_below("rsi_14", "mfi_14")[row] == (below and was_not_below)
        was_above = bool(prior) and bool((values[prior] > level[prior]).all())
        state = history.above("rsi_14", "mfi_14")
        assert history.began(state)[row] == (above and bool(prior) and not was_above)


@given(histories(), st.integers(1, 30))
def test_blocks_hold_what_the_whole_holds(history: History, rows: int) -> None:
    found = list(history.blocks(rows))
    assert [name for _, block in found for name in block.symbols] == list(history.symbols)
    for first, block in found:
        places = slice(first, first + len(block))
        np.testing.assert_array_equal(block["rsi_14"], history["rsi_14"][places])
        np.testing.assert_array_equal(block.before("rsi_14", 2), history.before("rsi_14", 2)[places])
        np.testing.assert_array_equal(block.sessions, history.sessions[places])


def test_what_differs_by_rounding_is_equal() -> None:
    history = of_values(close=[1e6, 1e6, 1e6], sma_20=[1e6 + 1e-4, 1e6 - 1e-4, 1e6 - 1], rsi_14=[30 - 1e-9, 30, 29.9])
    assert history.above("close", "sma_20").tolist() == [False, False, True]
    assert history.crosses_above("close", "sma_20").tolist() == [False, False, True]
    assert history.below("rsi_14", 30).tolist() == [False, False, True]


@pytest.mark.parametrize("sessions", [-1, 0, 0.5, True, "1"])
def test_an_offset_that_is_not_in_the_past_is_refused(sessions: int) -> None:
    history = of_values(close=[1, 2, 3])
    for ask in (history.before, history.highest, history.lowest):
        with pytest.raises(LookAheadError, match="of 'close' are not in the past: expected a whole number from 1 on"):
            ask("close", sessions)


def test_an_unknown_column_is_refused_with_those_that_are_close() -> None:
    history = of_values(close=[1, 2, 3])
    with pytest.raises(UnknownColumnError, match="there is no column 'sma_30'; did you mean sma_"):
        history["sma_30"]
    with pytest.raises(UnknownColumnError, match="there are: open, high, low, close, volume, sma_5"):
        history["wisdom"]


def test_a_history_of_a_panel_is_of_its_traded_sessions() -> None:
    panel = market(5, (300, 1, 80), halts=True, still=0.3)
    history = of_panel(panel)
    results = compute(panel)
    traded = panel.traded
    np.testing.assert_array_equal(history.sessions, panel.sessions[traded])
    for name in ("high", "low", "close", "volume"):
        np.testing.assert_array_equal(history[name], getattr(panel, name)[traded])
    for column in COLUMNS:
        expected = results.column(column.name).to_numpy(zero_copy_only=False)
        np.testing.assert_array_equal(history[column.name], expected[traded], err_msg=column.name)
    rows = np.arange(len(history))
    of_rows = np.repeat(np.arange(3), np.diff(panel.offsets))[traded]
    np.testing.assert_array_equal(history.symbol_index(rows), of_rows)


def test_a_history_of_a_panel_that_trades_every_session_copies_nothing() -> None:
    panel = market(5, (300,))
    results = compute(panel)
    history = History.of(panel, panel.low, results)
    assert np.shares_memory(history["close"], panel.close)
    assert np.shares_memory(history["sma_5"], results.of_traded_sessions("sma_5"))


def test_a_history_of_other_rows_than_the_panel_is_refused() -> None:
    panel = market(5, (30, 30))
    results = compute(panel)
    with pytest.raises(HistoryError, match="the panel has 60 rows, there are 59 opens"):
        History.of(panel, panel.low[1:], results)


def test_a_table_gives_the_history_it_was_made_of() -> None:
    history = simulated()
    names = [*history.symbols[history.symbol_index(np.arange(len(history)))]]
    table = pa.table(
        {"symbol": names, "session": pa.array(history.sessions)}
        | {name: pa.array(history[name], from_pandas=True) for name in HISTORY_COLUMNS}
    )
    found = History.from_arrow(table)
    np.testing.assert_array_equal(found.offsets, history.offsets)
    np.testing.assert_array_equal(found.sessions, history.sessions)
    for name in HISTORY_COLUMNS:
        np.testing.assert_array_equal(found[name], history[name])


def test_a_table_out_of_order_is_refused() -> None:
    sessions = pa.array(np.array(["2024-01-02", "2024-01-01", "2024-01-03"], "datetime64[D]"))
    columns = {name: [1.0, 2.0, 3.0] for name in BARS}
    for symbols in (["A", "A", "A"], ["A", "B", "A"]):
        with pytest.raises(HistoryError, match="not in order of symbol and session"):
            History.from_arrow(pa.table({"symbol": symbols, "session": sessions, **columns}))
    with pytest.raises(HistoryError, match="there are no rows"):
        History.from_arrow(pa.table({"symbol": pa.array([], pa.string()), "session": sessions[:0]}))
