"""``krxw query``, ``fingerprint``, ``export`` and ``verify``: getting data out, and trusting it."""

from __future__ import annotations

import csv
import sys
from typing import Annotated, Any

import typer
from psycopg import Cursor
from rich.table import Table

from include.cli.terminal import console, plain_errors
from include.cold.errors import NothingToExportError, NothingToVerifyError
from include.cold.export import export_dataset
from include.cold.verify import verify_dataset
from include.datasets.registry import datasets
from include.settings import load_settings
from include.warehouse.connection import connect
from include.warehouse.fingerprint import fingerprints

_SHOWN_ROWS = 1_000


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command()(query)
    app.command()(fingerprint)
    app.command()(export)
    app.command()(verify)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV with a header, all rows.")] = False,
) -> None:
    """Run SQL as the analyst role: reads market, derived and mart, writes nothing."""
    with plain_errors(), connect(load_settings().warehouse_dsn, "analyst") as connection:
        connection.read_only = True
        connection.execute("SET statement_timeout = '60s'")
        with connection.cursor() as cursor:
            cursor.execute(sql.encode())
            (_write_csv if as_csv else _show)(cursor)


def _write_csv(cursor: Cursor[Any]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.name for column in cursor.description or ()])
    writer.writerows(cursor)


def _show(cursor: Cursor[Any]) -> None:
    table = Table(*[column.name for column in cursor.description or ()], box=None, pad_edge=False)
    for row in cursor.fetchmany(_SHOWN_ROWS):
        table.add_row(*["" if value is None else str(value) for value in row])
    console.print(table)
    if cursor.rowcount > _SHOWN_ROWS:
        console.print(f"first {_SHOWN_ROWS:,} of {cursor.rowcount:,} rows; --csv writes all")
    else:
        console.print(f"{cursor.rowcount:,} rows")


def fingerprint(table: Annotated[str | None, typer.Argument(help="Table; by default all.")] = None) -> None:
    """A content hash per table: the same wherever and in whatever order the same data was loaded."""
    with plain_errors():
        found = fingerprints(load_settings().warehouse_dsn, [table] if table else None)
    for each in found:
        typer.echo(f"{each.digest}  {each.rows:>12,}  {each.table}")


def export() -> None:
    """Write every dataset there is to Parquet cold storage; a year that did not change is left alone."""
    settings = load_settings()
    empty = []
    with plain_errors():
        for dataset in datasets():
            try:
                manifests = export_dataset(settings, dataset)
            except NothingToExportError as error:
                empty.append(error)
                continue
            for manifest in manifests:
                console.print(manifest.summary(), highlight=False, soft_wrap=True)
        if len(empty) == len(datasets()):
            raise empty[0]
    console.print(f"Cold storage: {settings.cold_url}", soft_wrap=True)


def verify() -> None:
    """Read cold storage back and compare it to its manifests and to the warehouse; exit code 1 if it differs."""
    settings = load_settings()
    reports, empty = [], []
    with plain_errors():
        for dataset in datasets():
            try:
                reports.append(verify_dataset(settings, dataset))
            except NothingToVerifyError as error:
                empty.append(error)
        if not reports:
            raise empty[0]
    for report in reports:
        console.print(report.summary(), highlight=False, soft_wrap=True)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)
