"""The simulated sources in a process of their own, so that their processor time is not counted as the warehouse's.

python -m benchmarks.source_servers SYMBOLS FIRST LAST MOMENT
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta

from include.market.calendar import KST
from include.settings import PROJECT_ROOT
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import UNLIMITED
from include.simulator.sources import SimulatedSources
from include.simulator.world import World

_SEED = 1
# So many that no call waits for its turn: what is measured is our own work.
_CALLS_PER_SECOND = "5000"
_HISTORY = timedelta(days=40)


@contextmanager
def source_servers(symbols: int, last: date) -> Iterator[dict[str, str]]:
    """All sources, publishing a market of about ``symbols`` shares as of the noon after its session ``last``.

    Gives what the environment of a warehouse has to say to ask them.
    """
    first = last - _HISTORY
    moment = datetime.combine(last + timedelta(days=1), time(12), KST)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.source_servers", str(symbols), str(first), str(last), moment.isoformat()],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate()  # closing its input ends it


def _serve(symbols: str, first: str, last: str, moment: str) -> None:
    world = World(SimulatedMarket(_SEED, int(symbols), date.fromisoformat(first), date.fromisoformat(last)))
    now = datetime.fromisoformat(moment)
    with SimulatedSources(world, lambda: now, broker_limits=UNLIMITED) as sources:
        rates = {f"KRXW_{source.upper()}_CALLS_PER_SECOND": _CALLS_PER_SECOND for source in sources.servers}
        print(json.dumps(sources.environment | rates), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
