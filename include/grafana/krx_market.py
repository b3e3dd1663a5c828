"""The dashboard "KRX market"."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models.dashboard import Dashboard, DashboardCursorSync

from include.grafana.finding_panels import finding_panels
from include.grafana.market_panels import market_panels
from include.grafana.operations_panels import operations_panels
from include.grafana.style import AnyPanel
from include.grafana.symbol_panels import symbol_panels, symbol_variable


def krx_market() -> Dashboard:
    """Market overview, what was found in it, one issue's adjusted candles, and the state of the warehouse."""
    board = (
        builders.Dashboard("KRX market")
        .uid("krx-market")
        .description("The Korean stock market by session, from the warehouse's views.")
        .tags(["krx"])
        .timezone("Asia/Seoul")
        .time("now-1y", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(symbol_variable())
    )
    sections: Sequence[tuple[str, Sequence[AnyPanel]]] = (
        ("Market", market_panels()),
        ("Signals and screens", finding_panels()),
        ("Issue", symbol_panels()),
        ("Warehouse", operations_panels()),
    )
    number = count(1)
    for title, panels in sections:
        board.with_row(builders.Row(title).id(next(number)))
        for panel in panels:
            board.with_panel(panel.id(next(number)))
    return board.build()
