"""The page of a week's corporate actions: what it lists where, and that names cannot break it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from include.adjustments.decisions import NewDecision, decide
from include.adjustments.refresh import refresh_adjustments
from include.adjustments.report import Week, write_weekly_report
from include.market.calendar import KST
from include.settings import Settings
from tests.adjustments.loading import bar, load_bars, sessions_from, table

FIRST = date(2024, 3, 4)
SESSIONS = sessions_from(FIRST, 15)
FOUND_IN, TOLD_IN, DECIDED_IN = Week(2024, 10), Week(2024, 12), Week.of(datetime.now(KST).date())
BONUS, GAP = "100010", "200020"
NAME = '<i>A&B</i> "시험"'


@pytest.fixture
def filled(warehouse: str, without_suites: None) -> str:
    """One bonus issue, whose new shares are listed two weeks later; one base that moved over a missing session."""
    ex_date, listed, missing = SESSIONS[3], SESSIONS[12], SESSIONS[7]
    rows: list[dict[str, Any]] = []
    for session in SESSIONS:
        shares = 1_000_000 if session < listed else 2_000_000
        rows.append(bar(BONUS, session, 20_000 if session < ex_date else 10_000, shares=shares, name=NAME))
        rows.append(bar(GAP, session, 1_000 if session < missing else 5_000))
    load_bars(warehouse, table([row for row in rows if row["session"] < missing]))
    load_bars(warehouse, table([row for row in rows if row["session"] > missing]))
    refresh_adjustments(warehouse)
    return warehouse


@pytest.fixture
def settings_of_filled(filled: str, settings: Settings) -> Settings:
    return settings


def sections(page: Path) -> dict[str, list[list[str]]]:
    """The rows of each section's table by the words of its heading, cells as text."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "lxml")
    found = {}
    for heading in soup.find_all("h2"):
        after = heading.find_next_sibling()
        assert isinstance(after, Tag)
        rows = after.find_all("tr")[1:] if after.name == "table" else []
        title, count = heading.get_text().rsplit(": ", 1)
        found[title] = [[cell.get_text(" ", strip=True) for cell in row.find_all("td")] for row in rows]
        assert int(count) == len(rows)
    return found


def symbols(rows: list[list[str]]) -> list[str]:
    return [row[0].split()[0] for row in rows]


def test_an_action_is_listed_in_the_week_it_was_found_and_in_that_more_was_known(
    settings_of_filled: Settings,
) -> None:
    found = sections(write_weekly_report(settings_of_filled, FOUND_IN))
    assert symbols(found["Found"]) == [BONUS]
    assert found["Found"][0][1:4] == [str(SESSIONS[3]), "bonus issue 70% sure", "applied"]
    assert found["More known of earlier ones, and decided"] == []

    told = sections(write_weekly_report(settings_of_filled, TOLD_IN))
    assert told["Found"] == []
    [row] = told["More known of earlier ones, and decided"]
    assert row[2:7] == ["bonus issue 95% sure", "applied", "0.500000", "2", "0.500000"]


def test_a_week_without_actions_says_so(settings_of_filled: Settings) -> None:
    page = write_weekly_report(settings_of_filled, Week(2023, 5))
    assert "Nothing was found in this week." in page.read_text(encoding="utf-8")
    assert page.name == "2023-W05.html"


def test_what_is_pending_is_on_every_page_until_it_is_decided(settings_of_filled: Settings) -> None:
    for week in (FOUND_IN, TOLD_IN):
        assert symbols(sections(write_weekly_report(settings_of_filled, week))["Pending now"]) == [GAP]
    ex_date = SESSIONS[8]
    decide(settings_of_filled.warehouse_dsn, NewDecision(GAP, ex_date, "dismiss", "a hoax", decided_by="kim"))
    decided = sections(write_weekly_report(settings_of_filled, DECIDED_IN))
    assert decided["Pending now"] == []
    [row] = decided["More known of earlier ones, and decided"]
    assert row[:4] == [f"{GAP} 시험전자", str(ex_date), "unexplained 100% sure", "dismissed kim"]
    assert row[-1].endswith("kim: a hoax")


def test_names_and_reasons_are_text_and_never_markup(settings_of_filled: Settings) -> None:
    decide(settings_of_filled.warehouse_dsn, NewDecision(BONUS, SESSIONS[3], "confirm", "<script>alert(1)</script>"))
    page = write_weekly_report(settings_of_filled, DECIDED_IN)
    [row] = sections(page)["More known of earlier ones, and decided"]
    assert row[0] == f"{BONUS} {NAME}"
    assert row[-1].endswith("<script>alert(1)</script>")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<i>" not in text


def test_writing_again_replaces_the_page(settings_of_filled: Settings) -> None:
    first = write_weekly_report(settings_of_filled, FOUND_IN)
    text = first.read_text(encoding="utf-8")
    assert write_weekly_report(settings_of_filled, FOUND_IN) == first
    assert first.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("day", "name"),
    [(date(2024, 1, 1), "2024-W01"), (date(2024, 12, 30), "2025-W01"), (date(2021, 1, 3), "2020-W53")],
)
def test_weeks_are_iso_weeks(day: date, name: str) -> None:
    assert str(Week.of(day)) == name
    assert Week.named(name) == Week.of(day)
    assert Week.named(name).monday <= day


@pytest.mark.parametrize("name", ["2024", "2024-W60", "2024-02", "", "last"])
def test_what_is_no_week_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a week"):
        Week.named(name)
