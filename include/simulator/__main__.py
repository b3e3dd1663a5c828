"""Command line of the simulator: serve it as the sources' web servers, or write it as yearly files."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from include.market.calendar import KST
from include.market.hours import clock_of
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years
from include.simulator.servers.broker_tokens import UNLIMITED
from include.simulator.sources import Clock, SimulatedSources
from include.simulator.world import World

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
console = Console()

# From the hour volumes are final to the hour the next morning at which KRX Open API shows them.
_AHEAD = timedelta(hours=14)
_DAY = ["%Y-%m-%d"]
Symbols = Annotated[int, typer.Option(help="Places on the exchange, about the rows of a session.")]
Seed = Annotated[int, typer.Option(help="Another seed is another market.")]
First = Annotated[datetime, typer.Option("--from", formats=_DAY, help="First day.")]
Last = Annotated[datetime, typer.Option("--to", formats=_DAY, help="Last day.")]


@app.command()
def serve(
    first: First,
    last: Last,
    symbols: Symbols = 300,
    seed: Seed = 1,
    port: Annotated[int, typer.Option(help="First of consecutive ports, one a source; 0 takes free ones.")] = 0,
    now: Annotated[
        datetime | None, typer.Option(help="Hold the publication clock at this moment of Seoul time.")
    ] = None,
    latency: Annotated[float, typer.Option(help="Seconds every answer takes at least.")] = 0.0,
    same_evening: Annotated[
        bool, typer.Option(help="KRX Open API publishes a session on its evening, not the next morning.")
    ] = False,
    clock_file: Annotated[
        Path | None, typer.Option(help="Quotes are of the moment in this file, while there is one.")
    ] = None,
) -> None:
    """Serve the market as every source's web server on loopback until interrupted.

    Prints the environment a warehouse needs to ask them, one NAME=value a line.
    """
    world = World(_market(seed, symbols, first.date(), last.date()))
    moment = now.replace(tzinfo=KST) if now is not None else None

    def clock() -> datetime:
        return moment or datetime.now(KST)

    clocks: dict[str, Clock] = {}
    if same_evening:
        clocks["krx_openapi"] = lambda: clock() + _AHEAD
    if clock_file:
        at_quotes = partial(_moment_in, clock_file)
        clocks |= dict.fromkeys(("naver", "kis", "kiwoom"), at_quotes)
    with SimulatedSources(world, clock, port, UNLIMITED, clocks) as sources:
        for server in sources.servers.values():
            server.latency = latency
        typer.echo("\n".join(f"{name}={value}" for name, value in sources.environment.items()))
        with suppress(KeyboardInterrupt):
            Event().wait()


@app.command()
def write_marcap(
    folder: Annotated[Path, typer.Argument(help="Where the yearly files go.")],
    first: First,
    last: Last,
    symbols: Symbols = 300,
    seed: Seed = 1,
    file_format: Annotated[FileFormat, typer.Option("--format")] = FileFormat.CSV,
    vintage: Annotated[Vintage, typer.Option(help="Whose year's columns.")] = Vintage.V2024,
) -> None:
    """Write the market as yearly files in marcap's format."""
    market = _market(seed, symbols, first.date(), last.date())
    columns = (TextColumn("sessions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("sessions", total=len(market.sessions))
        paths = write_marcap_years(market, folder, file_format, vintage, lambda count: progress.advance(task, count))
    for path in paths:
        console.print(f"{path}  {path.stat().st_size:,} bytes", soft_wrap=True)


def _moment_in(clock_file: Path) -> datetime:
    return clock_of({"KRXW_CLOCK_FILE": str(clock_file)}).now().astimezone(KST)


def _market(seed: int, symbols: int, first: date, last: date) -> SimulatedMarket:
    try:
        return SimulatedMarket(seed, symbols, first, last)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    app()
