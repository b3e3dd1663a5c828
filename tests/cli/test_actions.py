"""``krxw actions``: what an operator reads and decides, as typed, on a few made-up bars."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from include.adjustments.refresh import refresh_adjustments
from include.platform.postgres import PostgresServer
from include.settings import PROJECT_ROOT
from include.warehouse.migrations import migrate
from tests.adjustments.loading import bar, load_bars, sessions_from, table

Run = Callable[..., subprocess.CompletedProcess[str]]

SESSIONS = sessions_from(date(2024, 3, 4), 10)
EX_DATE, ORDINARY = str(SESSIONS[4]), str(SESSIONS[7])
SPLIT, OTHER = "100010", "200020"


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A warehouse in which two shares went ex on the same session."""
    dsn = postgres_server.create_database("warehouse_of_actions")
    migrate(dsn)
    rows = [
        bar(symbol, session, 20_000 if str(session) < EX_DATE else 10_000, name=f"시험{symbol}")
        for symbol in (SPLIT, OTHER)
        for session in SESSIONS
    ]
    load_bars(dsn, table(rows))
    refresh_adjustments(dsn)
    yield dsn
    postgres_server.drop_database("warehouse_of_actions")


@pytest.fixture
def krxw(dsn: str, tmp_path: Path) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "include.cli", "actions", *arguments],
            cwd=PROJECT_ROOT,
            env={**os.environ, "KRXW_HOME": str(tmp_path), "KRXW_WAREHOUSE_DSN": dsn, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def factor(dsn: str, symbol: str) -> float:
    """What the price before the ex-date is multiplied by."""
    with psycopg.connect(dsn) as connection:
        [value] = connection.execute(
            "SELECT price_factor FROM mart.adjusted_daily_bar WHERE symbol = %s AND session = %s",
            [symbol, SESSIONS[0]],
        ).fetchone() or (0.0,)
        return float(value)


def test_an_operator_reads_decides_and_takes_it_back(krxw: Run, dsn: str, tmp_path: Path) -> None:
    listed = krxw("list", "--symbol", SPLIT)
    assert listed.returncode == 0, listed.stderr
    assert EX_DATE in listed.stdout
    assert "1 corporate actions" in listed.stdout
    assert "0 corporate actions" in krxw("list", "--symbol", SPLIT, "--status", "pending").stdout
    assert "0 corporate actions" in krxw("list", "--symbol", SPLIT, "--from", ORDINARY).stdout
    assert factor(dsn, SPLIT) == 0.5

    steps = [
        (("correct", SPLIT, EX_DATE, "--ratio", "0.4", "--kind", "split", "--reason", "the filing"), 0.4),
        (("confirm", SPLIT, EX_DATE, "--reason", "after all", "--by", "kim"), 0.4),
        (("dismiss", SPLIT, EX_DATE, "--reason", "a mistake"), 1.0),
        (("withdraw", SPLIT, EX_DATE, "--reason", "no mistake"), 0.5),
        (("add", SPLIT, ORDINARY, "--kind", "rights_issue", "--ratio", "0.9", "--reason", "no reset"), 0.45),
        (("withdraw", SPLIT, ORDINARY, "--reason", "another issue"), 0.5),
    ]
    for arguments, expected in steps:
        done = krxw(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert factor(dsn, SPLIT) == pytest.approx(expected), arguments

    shown = krxw("show", SPLIT, EX_DATE).stdout
    assert "the filing" in shown
    assert "kim: after all" in shown
    assert shown.count("until") == 4
    assert shown.count("and still") == 1

    reported = krxw("report", "--week", "2024-W10")
    assert reported.returncode == 0, reported.stderr
    page = tmp_path / "reports" / "corporate_actions" / "2024-W10.html"
    assert str(page) in reported.stdout
    assert SPLIT in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("confirm", "999999", EX_DATE, "--reason", "r"), "no issue '999999' is in the daily bars"),
        (("confirm", "5930", EX_DATE, "--reason", "r"), "no issue '5930' is in the daily bars"),
        (("add", OTHER, "2024-05-02", "--kind", "split", "--ratio", "0.5", "--reason", "r"), "is to come"),
        (("add", OTHER, "2024-03-09", "--kind", "split", "--ratio", "0.5", "--reason", "r"), "is not a session"),
        (("confirm", OTHER, ORDINARY, "--reason", "r"), f"there are: {EX_DATE}"),
        (("dismiss", OTHER, ORDINARY, "--reason", "r"), "One that was not found can be added"),
        (("correct", OTHER, EX_DATE, "--ratio", "0", "--reason", "r"), "is positive, got 0"),
        (("correct", OTHER, EX_DATE, "--ratio", "-2", "--reason", "r"), "is positive, got -2"),
        (("correct", OTHER, EX_DATE, "--ratio", "nan", "--reason", "r"), "is positive, got nan"),
        (("correct", OTHER, EX_DATE, "--reason", "r"), "say what to correct"),
        (("correct", OTHER, EX_DATE, "--kind", "fusion", "--reason", "r"), "'fusion' is not one of"),
        (("confirm", OTHER, EX_DATE, "--reason", " "), "needs a reason"),
        (("confirm", OTHER, EX_DATE), "Missing option '--reason'"),
        (("add", OTHER, ORDINARY, "--reason", "r", "--ratio", "0.5"), "Missing option '--kind'"),
        (("show", OTHER, ORDINARY), f"No action of {OTHER} on {ORDINARY}"),
        (("list", "--from", "2024-13-01"), "expected YYYY-MM-DD"),
        (("report", "--week", "2024-60"), "expected YEAR-Wnn"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_kept(
    krxw: Run, dsn: str, arguments: tuple[str, ...], message: str
) -> None:
    answer = krxw(*arguments)
    assert answer.returncode != 0
    said = " ".join((answer.stdout + answer.stderr).split())
    assert message in said
    assert "Traceback" not in said
    with psycopg.connect(dsn) as connection:
        query = "SELECT FROM market.corporate_action_decision WHERE symbol IN (%s, '999999')"
        assert connection.execute(query, [OTHER]).fetchall() == []
