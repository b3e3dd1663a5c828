"""The ``krxw`` command: the same functions as the DAGs, from a terminal."""

from __future__ import annotations

import typer

from include.cli import actions, backtests, book, indicators, loading, platform, reading, schema, screens, signals

app = typer.Typer(
    help="krx-warehouse: the Korean stock market in a warehouse of your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

for commands in (platform, schema, loading, reading, actions, indicators, signals, screens, book, backtests):
    commands.register(app)
