"""``krxw migrate``: the schema of a warehouse that is not the local platform's."""

from __future__ import annotations

import typer

from include.cli.terminal import console, plain_errors
from include.settings import load_settings
from include.warehouse.migrations import migrate as migrate_warehouse


def register(app: typer.Typer) -> None:
    """Add this module's command to ``app``."""
    app.command()(migrate)


def migrate() -> None:
    """Bring the warehouse's schema up to date; running it again changes nothing."""
    with plain_errors():
        applied = migrate_warehouse(load_settings().warehouse_dsn)
    for name in applied:
        console.print(f"  {name}")
    console.print(f"[green]The schema is up to date[/]: {len(applied)} migrations applied.")
