"""The demo's made-up exchange: its history as marcap's yearly files, and its sources' web servers."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from include.platform.companions import companion_log, companion_runs, start_companion, stop_companion
from include.platform.errors import PlatformError
from include.platform.ports import is_free
from include.settings import Settings
from include.simulator.exchange.market import LATEST_LAST, SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years

NAME = "simulated-exchange"
SEED = 1
SYMBOLS = 300
# Another first session would make another market. This one starts under the tick table of 2023-01-25, on which
# closes of the days before had to be rounded: resets that are no corporate action.
FIRST = date(2023, 1, 25)
FIRST_PORT, PORTS_APART, SOURCES = 8900, 10, 6
START_SECONDS = 120


def marcap_folder(settings: Settings) -> Path:
    """Where the yearly files are."""
    return settings.home / "demo" / "marcap"


def clock_file(settings: Settings) -> Path:
    """While it is there, quotes are of the moment in it."""
    return settings.home / "demo" / "clock"


def write_history(settings: Settings, last: date) -> SimulatedMarket:
    """Write the exchange's sessions from ``FIRST`` to ``last`` as yearly files; returns the market, all simulated."""
    market = SimulatedMarket(SEED, SYMBOLS, FIRST, last)
    write_marcap_years(market, marcap_folder(settings), FileFormat.CSV, Vintage.V2024)
    return market


def start_sources(settings: Settings) -> tuple[dict[str, str], bool]:
    """Start the sources' servers in the place of earlier ones, on the same ports if they can be had.

    Returns:
        The environment by which the warehouse knows the sources, and whether an Airflow that runs already
        may have been started with another.

    Raises:
        PlatformError: they did not start; the message names their log.
    """
    port_file = settings.home / "demo" / "source-port"
    kept = int(port_file.read_text()) if port_file.is_file() else None
    ran = companion_runs(settings, NAME)
    stop_companion(settings, NAME)
    port = kept if kept is not None and _are_free(kept) else _free_ports()
    port_file.parent.mkdir(parents=True, exist_ok=True)
    port_file.write_text(f"{port}\n")
    start_companion(settings, NAME, _command(settings, port), os.environ)
    return _told_environment(settings), not ran or port != kept


def _command(settings: Settings, port: int) -> list[str]:
    command = [sys.executable, "-m", "include.simulator", "serve", "--from", str(FIRST), "--to", str(LATEST_LAST)]
    # A session can be had on its evening, and not only the next morning.
    command += ["--same-evening", "--clock-file", str(clock_file(settings))]
    return [*command, "--symbols", str(SYMBOLS), "--seed", str(SEED), "--port", str(port)]


def _free_ports() -> int:
    candidates = range(FIRST_PORT, FIRST_PORT + 100 * PORTS_APART, PORTS_APART)
    port = next(filter(_are_free, candidates), None)
    if port is None:
        raise PlatformError(f"no {SOURCES} free ports in a row from {FIRST_PORT} on")
    return port


def _are_free(port: int) -> bool:
    return all(is_free(port + place) for place in range(SOURCES))


def _told_environment(settings: Settings) -> dict[str, str]:
    """What the servers print once they listen: one NAME=value a line."""
    log = companion_log(settings, NAME)
    patiently = Retrying(
        retry=retry_if_result(lambda told: not told),
        wait=wait_fixed(0.2),
        stop=lambda state: stop_after_delay(START_SECONDS)(state) or not companion_runs(settings, NAME),
    )
    try:
        return patiently(lambda: dict(line.split("=", 1) for line in log.read_text().splitlines() if "=" in line))
    except RetryError as error:
        raise PlatformError(f"the simulated exchange does not answer; see {log}") from error
