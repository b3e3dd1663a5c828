"""One symbol's rows out of a world, for sources that answer symbol by symbol and show days the world may not have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from include.market.calendar import NotASessionError
from include.simulator.servers.web import View
from include.simulator.world import World

Row = dict[str, Any]


def rows_of(world: World, dataset: str, subject: str, day: date) -> list[Row]:
    """The rows of ``subject`` in the order published; none where ``day`` is no session of the world."""
    try:
        rows: list[Row] = world.rows(dataset, subject, day).to_pylist()
    except NotASessionError:
        return []
    return rows


def row_of(world: World, dataset: str, subject: str, day: date) -> Row | None:
    """The row of ``subject`` in a dataset that has one for each; None where it has none."""
    rows = rows_of(world, dataset, subject, day)
    return rows[0] if rows else None


def raw_bar(world: World, symbol: str, session: date) -> Row | None:
    """The bar of a share or a product as the exchange published it, in the columns of its dataset."""
    share = row_of(world, "daily_bar", symbol, session)
    return share if share is not None else row_of(world, "etp_daily_bar", symbol, session)


def raw_chart(world: World, symbol: str, sessions: Sequence[date], view: View) -> list[tuple[date, Row]]:
    """The bars of ``sessions`` as ``view`` shows them, each with the date it is shown under."""
    shown = ((view.label_of(session), raw_bar(world, symbol, view.figures_of(session))) for session in sessions)
    return [(label, bar) for label, bar in shown if bar is not None]


def adjusted_chart(world: World, symbol: str, sessions: Sequence[date], view: View) -> list[tuple[date, Row]]:
    """As :func:`raw_chart`, with prices and volumes only, as adjusted at the last of ``sessions``."""
    if not sessions:
        return []
    adjusted = world.adjusted_bars(symbol, sessions[0], sessions[-1]).to_pylist()
    bars = {bar["session"]: bar for bar in adjusted}
    shown = ((view.label_of(session), bars.get(view.figures_of(session))) for session in sessions)
    return [(label, bar) for label, bar in shown if bar is not None]
