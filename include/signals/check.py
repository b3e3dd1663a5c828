"""What only rows can show of a strategy: that it does not look ahead, nor further back than it says."""

from __future__ import annotations

import numpy as np

from include.signals.evaluate import evaluate
from include.signals.history import History, LookAheadError, Rows
from include.signals.strategy import Strategy, StrategyError

# Rows checked, more where one symbol has more.
_ROWS_AT_ONCE = 10_000
# Sessions before a signal, beside the memory, and after it, with which the checks of it tell something.
_SESSIONS_AROUND = 20
# Sessions a history is cut off at to see whether signals before them change.
_CUTS = 6
# So many signals, sessions right after one, and sessions anywhere, are seen to rest on ``memory`` sessions.
_REMEMBERED = 40


def check_on_signals(strategy: Strategy, history: History) -> bool:
    """Check ``strategy`` on some rows of ``history`` with signals of it; whether they could show what is wrong.

    They could where a signal has sessions around it: 20 more before than its memory, and 20 after. Without any signals
    nothing is checked.

    Raises:
        LookAheadError, StrategyError: as :func:`check_no_look_ahead` and :func:`check_memory`.
    """
    before, after = history.rows_before(), history.rows_after()
    some: History | None = None
    for first, block in history.blocks(_ROWS_AT_ONCE):
        of_block = slice(first, first + len(block))
        remembered = before[of_block] >= strategy.memory
        [hits] = evaluate(block, [strategy], remembered)
        if not len(hits.rows):
            continue
        telling = (before[of_block] >= strategy.memory + _SESSIONS_AROUND) & (after[of_block] >= _SESSIONS_AROUND)
        if telling[hits.rows].any():
            _check(strategy, block)
            return True
        some = some or block
    if some is not None:
        _check(strategy, some)
    return False


def _check(strategy: Strategy, history: History) -> None:
    check_no_look_ahead(strategy, history)
    check_memory(strategy, history)


def check_no_look_ahead(strategy: Strategy, history: History) -> None:
    """See that signals of ``history`` are the same, and as strong, when it ends earlier.

    The history is cut off at a few sessions, at some of which there are signals. Rows with fewer than ``memory``
    before them are not looked at.

    Raises:
        LookAheadError: they are not; the message names the strategy and the session.
    """
    if not len(history):
        return
    remembered = history.rows_before() >= strategy.memory
    [whole] = evaluate(history, [strategy], remembered)
    for session in _cuts(history, whole.rows):
        known = history.sessions <= session
        [cut] = evaluate(history.only(known), [strategy], remembered[known])
        then = known[whole.rows]
        same = np.array_equal(np.flatnonzero(known)[cut.rows], whole.rows[then])
        if not same or not np.array_equal(cut.strengths, whole.strengths[then]):
            raise LookAheadError(
                f"strategy {strategy.name!r} looks ahead: its signals up to {session} are others when the sessions "
                "after it are not there. Look back with history.before, highest and lowest"
            )


def check_memory(strategy: Strategy, history: History) -> None:
    """See that signals of ``history`` are the same, and as strong, with only ``memory`` sessions before each.

    Some signals are looked at, the sessions right after them, on which a state that began goes on, and some others.

    Raises:
        StrategyError: they have not; the message names the strategy and the session.
    """
    remembered = history.rows_before() >= strategy.memory
    [whole] = evaluate(history, [strategy], remembered)
    enough = np.flatnonzero(remembered)
    after = np.intersect1d(whole.rows + 1, enough)
    rows = np.unique(np.concatenate([_some(each) for each in (whole.rows, after, enough)]))
    if not len(rows):
        return
    length = strategy.memory + 1
    cut = history.endings(rows, length)
    last = np.arange(len(cut)) % length == strategy.memory
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.flatnonzero(strategy.condition(cut) & last)
        strengths = strategy.strengths_if_any(cut, found)
    then = np.full(len(rows), np.nan)
    then[found // length] = strengths
    holds = np.isin(np.arange(len(rows)), found // length)
    expected = np.full(len(rows), np.nan)
    expected[np.isin(rows, whole.rows)] = whole.strengths[np.isin(whole.rows, rows)]
    same = np.where(np.isnan(expected), ~holds, then == expected)
    if not same.all():
        row = rows[~same][:1]
        symbol = history.symbols[history.symbol_index(row)[0]]
        raise StrategyError(
            f"strategy {strategy.name!r} looks further back than its memory of {strategy.memory} sessions: what it "
            f"says of {symbol} on {history.sessions[row[0]]} is something else when the ones before these are not "
            "there. Looks back of looks back add up, and history.began looks one session back"
        )


def _some(rows: Rows) -> Rows:
    """At most ``_REMEMBERED`` of ``rows``, spread over them."""
    if not len(rows):
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, _REMEMBERED).astype(np.intp))]


def _cuts(history: History, signals: Rows) -> list[np.datetime64]:
    """Sessions spread over the history, and over its signals."""
    spread = np.sort(history.sessions)
    places = np.linspace(0, 1, _CUTS + 2)[1:-1]
    cuts = {spread[int(place * (len(spread) - 1))] for place in places}
    if len(signals):
        cuts |= {history.sessions[signals[int(place * (len(signals) - 1))]] for place in places}
    return sorted(cuts)
