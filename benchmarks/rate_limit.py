"""``python -m benchmarks.rate_limit``: four processes hammer one source; what arrives at the server?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.databases import empty_warehouse, running_server
from benchmarks.hammer import ArrivalServer, hammer, worst_second
from include.platform.embedded import embedded_engine
from include.settings import load_settings


def main(
    seconds: Annotated[float, typer.Option(help="How long, about.", min=1)] = 20,
    processes: Annotated[int, typer.Option(help="Processes in competition.", min=1)] = 4,
    limits: Annotated[list[int] | None, typer.Option("--limit", help="Calls per second; may be repeated.")] = None,
) -> None:
    """Measure the worst one-second window and the share of the limit that is used."""
    table = Table("limit [calls/s]", "calls", "worst second [calls]", "achieved [calls/s]", "share of the limit")
    engine = embedded_engine(load_settings().home / "postgresql-binaries")
    with running_server(engine) as database:
        for limit in limits or [5, 18]:
            with empty_warehouse(database) as dsn, ArrivalServer() as server:
                moments = hammer(dsn, server, limit, processes, round(limit * seconds / processes))
            achieved = (len(moments) - 1) / (moments[-1] - moments[0])
            figures = [limit, len(moments), worst_second(moments), f"{achieved:.2f}", f"{achieved / limit:.0%}"]
            table.add_row(*map(str, figures))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
