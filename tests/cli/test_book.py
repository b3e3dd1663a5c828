"""``krxw book``: the books listed, shown, opened and taken on, as typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from include.cli.main import app
from include.platform.postgres import PostgresServer
from include.warehouse.migrations import migrate
from tests.paper_book.warehouse import fetch, put_days
from tests.trading.markets import made_up_days

Run = Callable[..., Result]

DAYS = made_up_days(3)[:12]


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    dsn = postgres_server.create_database("warehouse_of_books")
    migrate(dsn)
    put_days(dsn, DAYS)
    yield dsn
    postgres_server.drop_database("warehouse_of_books")


@pytest.fixture
def krxw(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process: starting one takes longer than what it does."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Result:
        environment = {"KRXW_HOME": str(tmp_path), "KRXW_WAREHOUSE_DSN": dsn}
        return CliRunner().invoke(app, ["book", *arguments], env=environment)

    return run


def test_a_book_is_opened_replayed_listed_and_shown(krxw: Run, dsn: str) -> None:
    first, last = str(DAYS[0].session), str(DAYS[-1].session)
    listed = krxw("list").stdout
    assert "2 books" in listed
    assert "not begun" in listed
    assert "krxw book advance" in krxw("show", "desk").stdout

    rules = ("--rule", "max_holdings=4", "--rule", "stop_loss_pct=none", "--rule", "target_pct=8.5")
    added = krxw("add", "mine", "--title", "Of my own", "--capital", "5000000", *rules)
    assert added.exit_code == 0, added.stderr
    assert "Book mine is open with 5,000,000 won." in added.stdout

    advanced = krxw("advance", "mine", "--from", first)
    assert advanced.exit_code == 0, advanced.stderr
    assert "mine: 12 sessions entered," in advanced.stdout
    assert "mine: 0 sessions entered, 0 trades" in krxw("advance", "mine").stdout

    [(equity, held)] = fetch(
        dsn, "SELECT equity_krw, holdings FROM derived.paper_equity WHERE book = 'mine' AND session = %s", last
    )
    listed = krxw("list").stdout
    assert f"{equity:,}" in listed
    assert "3 books" in listed
    shown = krxw("show", "mine").stdout
    assert "max_holdings 4" in shown
    assert "stop_loss_pct none" in shown
    assert f"On the evening of {last}: {equity:,} won" in shown
    for (symbol,) in fetch(dsn, "SELECT symbol FROM mart.position WHERE book = 'mine'"):
        assert symbol in shown
    assert held > 0


def test_markup_in_a_title_is_text(krxw: Run) -> None:
    assert krxw("add", "titled", "--title", "[red]of [/mine]").exit_code == 0
    assert "[red]of [/mine]" in krxw("list").stdout
    assert "titled: [red]of [/mine]" in krxw("show", "titled").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "nope"), "there is no book 'nope'; there are: composite, desk"),
        (("advance", "nope"), "there is no book 'nope'"),
        (("add", "desk", "--title", "t"), "there is a book 'desk' already"),
        (("add", "other", "--title", "t", "--strategy", "desk_by"), "desk_by"),
        (("add", "other", "--title", "t", "--rule", "max_holdings"), "expected NAME=VALUE"),
        (("add", "other", "--title", "t", "--rule", "max_holdings=many"), "'many' is no number for max_holdings"),
        (("add", "other", "--title", "t", "--rule", "max_holdings=0"), "max_holdings is a whole number"),
        (("add", "other", "--title", "t", "--rule", "fee_pct=1", "--rule", "fee_pct=2"), "fee_pct is given twice"),
        (("add", "other", "--title", "t", "--from", "2206-01-05"), "no book can start on 2206-01-05"),
        (("add", "other", "--title", "t", "--from", "2024-13-01"), "expected YYYY-MM-DD"),
    ],
)
def test_a_mistake_is_explained(krxw: Run, arguments: tuple[str, ...], message: str) -> None:
    answer = krxw(*arguments)
    assert answer.exit_code != 0
    said = " ".join((answer.stdout + answer.stderr).split())
    assert message in said
    assert "Traceback" not in said
