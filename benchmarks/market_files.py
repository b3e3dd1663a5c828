"""The simulated market the benchmarks load, as marcap's yearly files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.market.calendar import next_session, previous_session
from include.simulator.exchange.market import SimulatedMarket

_SEED = 7
_LAST_YEAR = 2024


@dataclass(frozen=True)
class MarketFiles:
    """``years`` whole years up to 2024 of about ``symbols`` rows a session; ``folder`` holds one csv.gz a year."""

    folder: Path
    symbols: int
    years: int

    @property
    def last(self) -> date:
        """The last session in the files."""
        return previous_session(date(_LAST_YEAR + 1, 1, 1))

    @property
    def following(self) -> date:
        """The session after the last one in the files."""
        return next_session(self.last)

    def first(self, years: int) -> date:
        """The first day of the last ``years`` years."""
        return date(_LAST_YEAR + 1 - years, 1, 1)

    def market(self) -> SimulatedMarket:
        """The market itself, up to ``following``."""
        return SimulatedMarket(_SEED, self.symbols, self.first(self.years), self.following)


def market_files(home: Path, symbols: int, years: int) -> MarketFiles:
    """The files under ``home``, written by the simulator the first time."""
    files = MarketFiles(home / f"marcap-{symbols}-symbols-{years}-years", symbols, years)
    complete = files.folder / "complete"
    if not complete.is_file():
        # In a process of its own: the simulator's memory is not the loader's.
        command = [sys.executable, "-m", "include.simulator", "write-marcap", str(files.folder), "--seed", str(_SEED)]
        command += ["--symbols", str(symbols), "--from", str(files.first(years)), "--to", str(files.last)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        complete.touch()
    return files
