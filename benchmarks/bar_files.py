"""A simulated market as cold storage keeps it: a Parquet file of daily bars a year, and the factors of its actions.

python -m benchmarks.bar_files FOLDER SYMBOLS SESSIONS: writes them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.cold.export import ROW_GROUP_ROWS
from include.indicators.factors import Factor
from include.market.calendar import sessions_between
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.truth import CorporateAction

_SEED = 7
_FIRST = date(2007, 1, 1)
_COLUMNS = ["symbol", "session", "open", "high", "low", "close", "volume", "value_krw", "base_price", "halted"]


@dataclass(frozen=True)
class BarFiles:
    """About ``symbols`` bars on each of ``sessions`` sessions from 2007 on, raw, by year."""

    folder: Path
    symbols: int
    sessions: int

    @property
    def files(self) -> list[Path]:
        """One a year, each by symbol and session."""
        return sorted(self.folder.glob("year=*/data.parquet"))

    def factors(self) -> list[Factor]:
        """What the bars are adjusted by."""
        rows = json.loads((self.folder / "factors.json").read_text())
        return [Factor(symbol, date.fromisoformat(a), date.fromisoformat(b), p, v) for symbol, a, b, p, v in rows]


def bar_files(home: Path, symbols: int, sessions: int) -> BarFiles:
    """The files under ``home``, written by the simulator the first time."""
    found = BarFiles(home / f"bars-{symbols}-symbols-{sessions}-sessions", symbols, sessions)
    if not (found.folder / "factors.json").is_file():
        # In a process of its own: the simulator's memory is not that of what is measured.
        command = [sys.executable, "-m", "benchmarks.bar_files", str(found.folder), str(symbols), str(sessions)]
        subprocess.run(command, check=True)
    return found


def _write(folder: Path, symbols: int, sessions: int) -> None:
    days = sessions_between(_FIRST, _FIRST + timedelta(days=2 * sessions + 30))[:sessions]
    market = SimulatedMarket(_SEED, symbols, days[0], days[-1])
    for year, bars in _years(market):
        path = folder / f"year={year}" / "data.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        ordered = bars.sort_by([("symbol", "ascending"), ("session", "ascending")])
        dictionaries = ["symbol", "session"]
        pq.write_table(ordered, path, ROW_GROUP_ROWS, compression="zstd", use_dictionary=dictionaries)
    (folder / "factors.json").write_text(json.dumps(_factors(market.actions), default=str))


def _years(market: SimulatedMarket) -> Iterator[tuple[int, pa.Table]]:
    year, parts = market.sessions[0].year, []
    for block in market.iter_blocks():
        years = pc.year(block["session"])
        for found in pc.unique(years).to_pylist():
            if found != year:
                yield year, pa.concat_tables(parts)
                year, parts = found, []
            parts.append(block.select(_COLUMNS).filter(pc.equal(years, found)))
    yield year, pa.concat_tables(parts)


def _factors(actions: list[CorporateAction]) -> list[Factor]:
    by_symbol: defaultdict[str, list[CorporateAction]] = defaultdict(list)
    for action in actions:
        if action.base_ratio != 1:
            by_symbol[action.symbol].append(action)
    factors = []
    for symbol, resets in by_symbol.items():
        product = Fraction(1)
        starts = [_FIRST, *(reset.ex_date for reset in resets)]
        for start, reset in zip(reversed(starts[:-1]), reversed(resets), strict=True):
            product *= reset.base_ratio
            last = reset.ex_date - timedelta(days=1)
            factors.append(Factor(symbol, start, last, float(product), float(1 / product)))
    return factors


if __name__ == "__main__":
    _write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
