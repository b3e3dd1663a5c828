"""``krxw screen``, as typed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from include.cli.main import app
from include.cli.terminal import console
from include.platform.postgres import PostgresServer
from include.warehouse.migrations import migrate
from tests.screens.filled import fill

Run = Callable[..., Result]

CHEAP = {
    "name": "cheap",
    "title": "Cheap",
    "meaning": "Below ten times its book value",
    "conditions": [{"column": "pbr", "op": "<", "value": 10}, {"column": "market", "op": "in", "value": ["KOSPI"]}],
    "rank": {"column": "pbr", "order": "ascending"},
    "limit": 2,
}


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A warehouse whose last three sessions can be screened."""
    dsn = postgres_server.create_database("warehouse_of_screens")
    migrate(dsn)
    fill(dsn, symbols=40, sessions=130, kept=3, last=date(2024, 6, 28))
    yield dsn
    postgres_server.drop_database("warehouse_of_screens")


@pytest.fixture
def krxw(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process: eleven of its own would take half a minute to start."""
    monkeypatch.setenv("KRXW_HOME", str(tmp_path))
    monkeypatch.setenv("KRXW_WAREHOUSE_DSN", dsn)
    monkeypatch.setattr(console, "width", 200)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["screen", *arguments])

    return run


def test_a_screen_is_checked_added_run_changed_and_removed(krxw: Run, dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "cheap.json"
    file.write_text(json.dumps(CHEAP))
    checked = krxw("check", str(file))
    assert checked.exit_code == 0, checked.stderr
    assert "pbr < 10\n  market in KOSPI\n  by pbr, lowest first, the first 2 kept" in checked.stdout
    assert krxw("add", str(file), "--by", "kim").stdout == "Kept: cheap, version 1.\n"
    again = krxw("add", str(file))
    assert again.exit_code == 1
    assert "a screen called 'cheap' is there, version 1 by kim" in again.stderr

    found = krxw("run", "cheap")
    assert found.exit_code == 0, found.stderr
    assert re.search(r"2024-06-28: \d+ hits among \d+ issues considered, 2 shown", found.stdout)
    assert "시험" in found.stdout
    assert krxw("run", "cheap", "--session", "2024-06-27", "--save").exit_code == 0
    assert "2024-06-27" in next(line for line in krxw("list").stdout.splitlines() if line.startswith("cheap"))

    shown = json.loads(krxw("show", "cheap", "--json").stdout)
    assert shown == CHEAP
    file.write_text(json.dumps(shown | {"limit": 1}))
    assert krxw("add", str(file), "--replace").stdout == "Kept: cheap, version 2.\n"
    assert krxw("remove", "cheap").exit_code == 0
    assert "no screen is called 'cheap'" in krxw("run", "cheap").stderr
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM mart.screen_result").fetchone() == (2,)


def test_numbers_are_whole_on_a_narrow_terminal(krxw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def values() -> list[str]:
        said = krxw("run", "oversold_rebound")
        assert said.exit_code == 0, said.stderr
        return sorted(re.findall(r"\d{1,3}(?:,\d{3})+|\d+\.\d+", said.stdout))

    wide = values()
    assert wide
    monkeypatch.setattr(console, "width", 48)
    assert values() == wide


def test_what_is_wrong_is_said_without_a_traceback(krxw: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(CHEAP | {"conditions": [{"column": "rsi14", "op": "<", "value": 130}]}))
    done = krxw("add", str(file))
    assert done.exit_code == 1
    assert done.stderr.strip() == (
        'conditions[0].column: expected a column a screen may use, got "rsi14"; did you mean rsi_14?'
    )
    file.write_bytes(json.dumps(CHEAP | {"title": "저평가"}, ensure_ascii=False).encode("cp949"))
    assert "wrong.json: expected text in UTF-8" in krxw("check", str(file)).stderr
    closed = krxw("run", "stable_trend", "--session", "2024-06-29")
    assert closed.exit_code == 1
    assert "stable_trend has nothing to look at on 2024-06-29: no issue that traded has indicators" in closed.stderr


def test_brackets_and_colons_are_shown_as_they_stand(krxw: Run, dsn: str, tmp_path: Path) -> None:
    words = "[bold]cheap[/bold] [/] :smile: [link=x]"
    file = tmp_path / "brackets.json"
    file.write_text(json.dumps(CHEAP | {"name": "brackets", "title": words, "meaning": words}), encoding="utf-8-sig")
    assert words in krxw("check", str(file)).stdout
    assert krxw("add", str(file)).exit_code == 0
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE market.instrument SET name = '[red]' || symbol")
    assert krxw("show", "brackets").stdout.count(words) == 2
    assert words in krxw("list").stdout
    assert re.search(r"\[red\]\d{6}", krxw("run", "brackets").stdout)
    assert krxw("remove", "brackets").exit_code == 0


def test_a_definition_that_is_none_is_named_beside_the_others(krxw: Run, dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO derived.screen (name, version, title, meaning, definition) VALUES ('old', 1, 'Old', 'Old', "
            """'{"conditions": [{"column": "gone", "op": "<", "value": 1}]}')"""
        )
    listed = krxw("list")
    assert listed.exit_code == 1
    assert "stable_trend" in listed.stdout
    assert "screen old, version 1: conditions[0].column" in listed.stderr
    assert krxw("remove", "old").exit_code == 0


def test_columns_are_listed_with_unit_and_range(krxw: Run) -> None:
    listed = krxw("columns")
    assert listed.exit_code == 0, listed.stderr
    line = next(line for line in listed.stdout.splitlines() if line.startswith("rsi_14"))
    assert re.match(r"rsi_14 +percent +0 to 100 +Average gain", line)
