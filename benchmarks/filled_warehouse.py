"""What is measured on a warehouse that holds the market: adjusting, hashing, exporting, one more session."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from datetime import time as time_of_day
from typing import TypeVar

from benchmarks.figures import Figures
from benchmarks.market_files import MarketFiles
from include.adjustments.refresh import refresh_adjustments
from include.cold.export import export_dataset
from include.market.calendar import KST
from include.pipeline.ingest import ingest_session
from include.quality.validate import prepare_great_expectations
from include.settings import Settings
from include.simulator.exchange.market import LATEST_LAST
from include.simulator.servers.krx_open_api import KrxOpenApiServer
from include.simulator.world import World
from include.warehouse.fingerprint import fingerprint

Result = TypeVar("Result")
_KEY = "bench"


def measure_filled(settings: Settings, database: str, files: MarketFiles, figures: Figures) -> None:
    """Add the figures of the warehouse in ``settings``, which holds rows of ``files`` up to their last session."""
    dsn = settings.warehouse_dsn
    _, seconds = _timed(lambda: refresh_adjustments(dsn))
    figures.add("adjustments, all symbols", database, seconds, "s")
    found, seconds = _timed(lambda: fingerprint(dsn, "market.daily_bar"))
    figures.add("fingerprint", database, found.rows / seconds, "rows/s")
    manifests, seconds = _timed(lambda: export_dataset(settings, "daily_bar"))
    rows = sum(manifest.rows for manifest in manifests)
    figures.add("Parquet export", database, rows / seconds, "rows/s")
    figures.add("Parquet", database, sum(manifest.file_bytes for manifest in manifests) / rows, "bytes/row")
    seconds = _session_seconds(settings, files)
    figures.add("one session, KRX Open API", database, seconds, "s")


def _session_seconds(settings: Settings, files: MarketFiles) -> float:
    """Seconds from asking the source, on loopback, to the committed rows of the session after the last."""
    market = files.market()
    market.session_table(files.following)  # simulated before the clock starts
    prepare_great_expectations()
    with KrxOpenApiServer(World(market), _KEY, now=lambda: datetime.combine(LATEST_LAST, time_of_day(), KST)) as server:
        source = {"KRXW_KRX_OPENAPI_URL": server.base_url, "KRXW_KRX_OPENAPI_KEY": _KEY}
        report, seconds = _timed(
            lambda: ingest_session(settings, "daily_bar", files.following, "krx_openapi", environment=source)
        )
    if report.status != "loaded":
        raise RuntimeError(report.summary())
    return seconds


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began
