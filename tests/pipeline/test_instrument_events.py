"""What happened to the issues is found in their daily rows: exactly what the simulated exchange did to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pytest

from include.pipeline.report import BatchReport
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years

Load = Callable[..., list[BatchReport]]
Event = tuple[str, date, str, str | None, str | None]


@pytest.fixture(scope="module")
def eventful() -> SimulatedMarket:
    """Enough issues and sessions for everything to happen at least once."""
    return SimulatedMarket(seed=9, symbols=100, first=date(2023, 1, 25), last=date(2024, 12, 30))


@pytest.fixture(scope="module")
def files(eventful: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    write_marcap_years(eventful, folder, FileFormat.PARQUET, Vintage.V2024)
    return folder


def _events(dsn: str, *kinds: str) -> set[Event]:
    with psycopg.connect(dsn) as connection:
        return set(
            connection.execute(
                "SELECT symbol, session, kind, earlier, later FROM mart.instrument_event WHERE kind = ANY (%s)",
                [list(kinds)],
            ).fetchall()
        )


def _changes(market: SimulatedMarket) -> set[Event]:
    """Listings after the first session, delistings, renamings and market moves, by the exchange's own account."""
    first, last = market.sessions[0], market.sessions[-1]
    events: set[Event] = set()
    for issue in market.instruments:
        if issue.listed > first:
            events.add((issue.symbol, issue.listed, "listed", None, issue.markets[0][1].value))
        if issue.delisted is not None and issue.delisted <= last:
            events.add((issue.symbol, issue.delisted, "delisted", issue.markets[-1][1].value, None))
        for (_, earlier), (session, later) in zip(issue.names, issue.names[1:], strict=False):
            events.add((issue.symbol, session, "renamed", earlier, later))
        for (_, before), (session, after) in zip(issue.markets, issue.markets[1:], strict=False):
            events.add((issue.symbol, session, "market_moved", before.value, after.value))
    return events


def _halts(market: SimulatedMarket) -> set[Event]:
    """Where the flag of a symbol's daily rows changes."""
    events: set[Event] = set()
    halted: set[str] = set()
    for session in market.sessions:
        rows = market.session_table(session).select(["symbol", "halted"]).to_pylist()
        listed = {row["symbol"] for row in rows}
        now = {row["symbol"] for row in rows if row["halted"]}
        events |= {(symbol, session, "halted", None, None) for symbol in now - halted}
        events |= {(symbol, session, "resumed", None, None) for symbol in (halted - now) & listed}
        halted = now
    return events


def test_every_change_the_exchange_made_is_an_event_and_nothing_else(
    load: Load, warehouse: str, eventful: SimulatedMarket, files: Path
) -> None:
    load(files)
    found = _events(warehouse, "listed", "delisted", "renamed", "market_moved")
    assert found == _changes(eventful)
    assert {kind for _, _, kind, _, _ in found} == {"listed", "delisted", "renamed", "market_moved"}


def test_halts_and_resumptions_are_events_in_whatever_order_the_sessions_came(
    load: Load, warehouse: str, eventful: SimulatedMarket, files: Path
) -> None:
    middle = eventful.sessions[len(eventful.sessions) // 2]
    load(files, first=middle, last=eventful.sessions[-1])
    load(files, first=eventful.sessions[0], last=middle)
    found = _events(warehouse, "halted", "resumed")
    assert found == _halts(eventful)
    assert {kind for _, _, kind, _, _ in found} == {"halted", "resumed"}
