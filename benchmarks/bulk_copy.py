"""The peer of a load: ``psql \\copy`` of the same rows into the same table, with nothing checked."""

from __future__ import annotations

import subprocess
import time
from datetime import date
from pathlib import Path

from include.platform.postgres import Engine
from include.warehouse.connection import connect

# As in the files: by session, the best-valued first.
_ROWS = "SELECT * FROM market.daily_bar ORDER BY session, market_cap_krw DESC, symbol"


def dump(engine: Engine, dsn: str, csv: Path) -> None:
    """Write the rows of ``market.daily_bar`` in the files' order."""
    _psql(engine, dsn, f"\\copy ({_ROWS}) TO '{csv}' WITH (FORMAT csv)")


def copy_seconds(engine: Engine, dsn: str, csv: Path, first: date, last: date) -> float:
    """Seconds ``\\copy`` takes into the empty ``market.daily_bar``, indexes in place, committed."""
    with connect(dsn) as connection:
        connection.execute("SELECT ops.ensure_year_partitions('market.daily_bar', %s, %s)", [first, last])
    began = time.perf_counter()
    _psql(engine, dsn, f"\\copy market.daily_bar FROM '{csv}' WITH (FORMAT csv)")
    return time.perf_counter() - began


def _psql(engine: Engine, dsn: str, command: str) -> None:
    subprocess.run(
        [engine.program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "-c", command, dsn], check=True
    )
