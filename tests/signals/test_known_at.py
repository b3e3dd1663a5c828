"""A signal is known with its session's own rows, in whatever order these came in, or when a correction brought it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from include.adjustments.refresh import refresh_adjustments
from include.datasets.registry import dataset_named
from include.indicators.table import refresh_indicators
from include.signals.catalogue import strategy_named
from include.signals.strategy import Scale, Strategy
from include.signals.table import SignalReport, refresh_signals
from tests.adjustments.loading import evening_of, fetch, load_bars, load_rows
from tests.indicators import published

SESSIONS = published.SESSIONS[-210:]
SYMBOL = published.SYMBOLS[-1]


def _state(name: str, column: str, level: float) -> Strategy:
    """Every session on which a column is above a level."""
    return Strategy(
        name=name,
        version=1,
        title=name,
        family="trials",
        side="buy",
        memory=0,
        condition=lambda history: history.above(column, level),
        words=f"`{column}` is above {level:g}",
        strength=(Scale(column, 0, 100, f"`{column}`"),),
        reason=f"{{{column}:.1f}}",
        source="A test",
    )


OF_BARS = (strategy_named("desk_sell"), strategy_named("macd_cross_up"), _state("of_bars", "rsi_14", 50))
STRATEGIES = (*OF_BARS, _state("of_flows", "foreign_net_krw_5", 0), _state("of_holdings", "foreign_pct_change_20", 0))
OF_INVESTORS = ("of_flows", "of_holdings")
OWN_ROWS = """
    SELECT
        signal.session, signal.known_at,
        greatest(
            bar.known_at,
            (SELECT max(known_at) FROM market.investor_flow AS own
             WHERE own.symbol = signal.symbol AND own.session = signal.session AND signal.strategy = 'of_flows'),
            (SELECT max(known_at) FROM market.foreign_holding AS own
             WHERE own.symbol = signal.symbol AND own.session = signal.session AND signal.strategy = 'of_holdings'))
    FROM mart.signal AS signal JOIN mart.daily_bar AS bar USING (symbol, session)
    WHERE signal.strategy = ANY (%s) AND (%s::text IS NULL OR symbol = %s)
    ORDER BY symbol, session, strategy
"""


def signals(dsn: str, strategies: Sequence[str], symbol: str | None = None) -> list[tuple[date, datetime, datetime]]:
    """The session of each signal that stands, when it was known, and when its session's own rows were."""
    return fetch(dsn, OWN_ROWS, list(strategies), symbol, symbol)  # type: ignore[return-value]


def refresh(dsn: str, strategies: Sequence[Strategy] = STRATEGIES) -> SignalReport:
    refresh_adjustments(dsn)
    refresh_indicators(dsn)
    return refresh_signals(dsn, strategies=strategies)


def bars_of(sessions: Sequence[date]) -> pa.Table:
    return published.of_sessions(published.bars(), sessions)


@pytest.mark.parametrize("order", [("new", "old"), ("old", "new", "middle")])
def test_sessions_looked_at_for_the_first_time_are_known_with_their_bars(
    warehouse: str, without_suites: None, order: Sequence[str]
) -> None:
    """2019 and 2020 loaded, then 2018; or 2018, 2020 and then 2019."""
    parts = {"old": SESSIONS[:70], "middle": SESSIONS[70:140], "new": SESSIONS[140:]}
    names = [strategy.name for strategy in OF_BARS]
    looked_at: set[date] = set()
    for part in order:
        load_bars(warehouse, bars_of(parts[part]))
        refresh(warehouse, OF_BARS)
        own = [(known, expected) for day, known, expected in signals(warehouse, names) if day in parts[part]]
        assert len(own) > 100
        assert all(known == expected for known, expected in own)
        looked_at |= set(parts[part])
    # Older history brought signals to sessions that had been looked at without it: nobody knew them then.
    brought = [day for day, known, expected in signals(warehouse, names) if known != expected]
    assert brought
    assert set(brought) <= looked_at - set(parts[order[-1]])


def test_flows_and_holdings_may_come_after_a_look_at_the_bars_and_be_corrected(
    warehouse: str, without_suites: None
) -> None:
    """As on every evening. A correction is known when it came, what it changes later on when that was found."""
    sessions = SESSIONS[-60:]
    bars = bars_of(sessions)
    load_bars(warehouse, bars)
    refresh(warehouse)
    assert signals(warehouse, OF_INVESTORS) == []
    for dataset, rows in (("investor_flow", published.flow_rows), ("foreign_holding", published.holding_rows)):
        load_rows(warehouse, dataset_named(dataset), "naver", rows(bars))
        refresh(warehouse)
    for strategy in OF_INVESTORS:
        assert len(signals(warehouse, [strategy])) > 100
    assert all(known == expected for _, known, expected in signals(warehouse, OF_INVESTORS))

    traded = {row["session"] for row in bars.to_pylist() if row["symbol"] == SYMBOL and not row["halted"]}
    before = {strategy: {day for day, _, _ in signals(warehouse, [strategy], SYMBOL)} for strategy in OF_INVESTORS}
    silent = {strategy: min(traded.difference(sessions[:30], before[strategy])) for strategy in OF_INVESTORS}
    corrected_at = evening_of(SESSIONS[-1]) + timedelta(days=10)
    flows = published.of_sessions(published.flow_rows(bars), [silent["of_flows"]])
    holdings = published.of_sessions(published.holding_rows(bars), [silent["of_holdings"]])
    for dataset, rows, changes in (
        ("investor_flow", flows, {"net_krw": 10**12, "net_shares": 10**6}),
        ("foreign_holding", holdings, {"foreign_pct": Decimal("100.00"), "foreign_shares": 1_000_000}),
    ):
        corrected = pa.Table.from_pylist([row | changes for row in rows.to_pylist() if _is_ours(row)], rows.schema)
        load_rows(warehouse, dataset_named(dataset), "naver", corrected, corrected_at)
    [[now]] = fetch(warehouse, "SELECT now()")
    refresh(warehouse)
    for strategy in OF_INVESTORS:
        found = {day: known for day, known, _ in signals(warehouse, [strategy], SYMBOL) if day not in before[strategy]}
        assert found.pop(silent[strategy]) == corrected_at
        assert all(day > silent[strategy] and known > now for day, known in found.items())


def _is_ours(row: dict[str, object]) -> bool:
    return row["symbol"] == SYMBOL and row.get("investor", "foreign") == "foreign"
