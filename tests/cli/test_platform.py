from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from include.cli import platform as commands
from include.platform import local
from include.platform.errors import PlatformError
from include.platform.postgres import ENGINE_FILE
from include.settings import load_settings

app = typer.Typer()
commands.register(app)


@pytest.fixture
def home(open_tmp: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A platform home of its own, on a port of its own."""
    monkeypatch.setenv("KRXW_HOME", str(open_tmp / "home"))
    monkeypatch.setenv("KRXW_POSTGRES_PORT", str(unused_port))
    monkeypatch.delenv("KRXW_WAREHOUSE_DSN", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return open_tmp / "home"


def test_up_dsn_status_down_and_removal(home: Path) -> None:
    run = CliRunner().invoke
    try:
        first = run(app, ["up", "--no-airflow"])
        assert first.exit_code == 0, first.output
        second = run(app, ["up", "--no-airflow"])
        assert "0 migrations applied" in second.output

        dsn_file = home / "warehouse.dsn"
        assert stat.S_IMODE(dsn_file.stat().st_mode) == 0o600
        owner = run(app, ["dsn"]).output.strip()
        assert owner == dsn_file.read_text().strip()
        reader = run(app, ["dsn", "--role", "analyst"]).output.strip()
        with psycopg.connect(reader) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("analyst",)

        shown = run(app, ["status"])
        assert shown.exit_code == 0, shown.output
        assert "free at" in shown.output

        assert run(app, ["down"]).exit_code == 0
        after = run(app, ["status"])
        assert after.exit_code == 1
        assert "down" in after.output
        assert (home / "database").exists()
    finally:
        assert run(app, ["down", "--remove-data"]).exit_code == 0
    assert not (home / "database").exists()


def test_status_of_a_home_without_anything_says_down(home: Path) -> None:
    assert CliRunner().invoke(app, ["status"]).exit_code == 1
    assert not home.exists()


def test_an_error_is_a_sentence_not_a_traceback(home: Path) -> None:
    answer = CliRunner().invoke(app, ["dsn"])
    assert answer.exit_code == 1
    assert "no warehouse" in answer.output
    assert "Traceback" not in answer.output


def test_a_warehouse_elsewhere_that_does_not_answer_is_down(
    home: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRXW_WAREHOUSE_DSN", f"postgresql://nobody@127.0.0.1:{unused_port}/none")
    answer = CliRunner().invoke(app, ["status"])
    assert answer.exit_code == 1
    answer = CliRunner().invoke(app, ["dsn", "--role", "analyst"])
    assert answer.exit_code == 1
    assert "not run from here" in answer.output


def test_data_of_one_engine_is_not_opened_with_the_other(home: Path) -> None:
    (home / "database").mkdir(parents=True)
    (home / "database" / ENGINE_FILE).write_text("postgresql\n")
    with pytest.raises(PlatformError, match="plain PostgreSQL's"):
        local.local_server(load_settings(), timescaledb=True)
