"""The demo's made-up exchange: its history as marcap's yearly files, its sessions as KRX Open API."""

from __future__ import annotations

import os
import sys
from datetime import date, timedelta
from pathlib import Path

import requests
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from include.platform.companions import companion_log, companion_runs, start_companion, stop_companion
from include.platform.errors import PlatformError
from include.platform.ports import LOOPBACK, first_free, is_free
from include.settings import Settings
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years
from include.simulator.market import LATEST_LAST, SimulatedMarket

NAME = "simulated-exchange"
SEED = 1
SYMBOLS = 300
# Another first session would make another market. This one starts under the tick table of 2023-01-25, on which
# closes of the days before had to be rounded: resets that are no corporate action.
FIRST = date(2023, 1, 25)
KEY = "demo"
FIRST_PORT = 8900
START_SECONDS = 120


def marcap_folder(settings: Settings) -> Path:
    """Where the yearly files are."""
    return settings.home / "demo" / "marcap"


def write_history(settings: Settings, last: date) -> SimulatedMarket:
    """Write the exchange's sessions from ``FIRST`` to ``last`` as yearly files; returns the market, all simulated."""
    market = SimulatedMarket(SEED, SYMBOLS, FIRST, last)
    write_marcap_years(market, marcap_folder(settings), FileFormat.CSV, Vintage.V2024)
    return market


def start_source(settings: Settings) -> tuple[dict[str, str], bool]:
    """Start the source's server in the place of an earlier one, on the same port if it can be had.

    Returns:
        The environment by which the warehouse knows the source, and whether an Airflow that runs already
        may have been started with another.

    Raises:
        PlatformError: it did not answer; the message names its log.
    """
    port_file = settings.home / "demo" / "source-port"
    kept = int(port_file.read_text()) if port_file.is_file() else None
    ran = companion_runs(settings, NAME)
    stop_companion(settings, NAME)
    port = kept if kept is not None and is_free(kept) else first_free(FIRST_PORT)
    port_file.parent.mkdir(parents=True, exist_ok=True)
    port_file.write_text(f"{port}\n")
    start_companion(settings, NAME, _command(port), {**os.environ, "KRX_OPEN_API_KEY": KEY})
    url = f"http://{LOOPBACK}:{port}"
    _wait_until_it_answers(settings, url)
    return {"KRXW_KRX_OPENAPI_URL": url, "KRXW_KRX_OPENAPI_KEY": KEY}, not ran or port != kept


def _command(port: int) -> list[str]:
    command = [sys.executable, "-m", "include.simulator", "serve", "--from", str(FIRST), "--to", str(LATEST_LAST)]
    # Its clock stands behind its last day, so that a session can be had at once and not the next morning.
    command += ["--now", str(LATEST_LAST + timedelta(days=2))]
    return [*command, "--symbols", str(SYMBOLS), "--seed", str(SEED), "--port", str(port)]


def _wait_until_it_answers(settings: Settings, url: str) -> None:
    patiently = Retrying(
        retry=retry_if_exception_type(requests.ConnectionError),
        wait=wait_fixed(0.2),
        stop=lambda state: stop_after_delay(START_SECONDS)(state) or not companion_runs(settings, NAME),
    )
    session = requests.Session()
    session.trust_env = False  # a proxy has no way to the loopback address
    try:
        patiently(session.get, f"{url}/control/calls", timeout=5)
    except RetryError as error:
        raise PlatformError(f"the simulated exchange does not answer; see {companion_log(settings, NAME)}") from error
