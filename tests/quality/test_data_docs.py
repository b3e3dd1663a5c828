"""Data Docs: complete without a network, name what failed, stay small, and survive several writers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import psycopg
import pytest

from include.datasets.daily_bar import DATASET
from include.quality import data_docs
from include.quality.data_docs import write_data_docs
from include.quality.validate import SuiteReport, run_suite

HOSTILE = '<img src="http://example.com/x">'


class Resources(HTMLParser):
    """What a page loads or links to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attributes if name in {"src", "href"} and value]


@pytest.fixture
def report(warehouse, stage_bars) -> SuiteReport:
    changes = [
        {"high": -1, "violated_rule": "negative_price"},
        {"symbol": HOSTILE, "violated_rule": "malformed_symbol"},
        {"venue": "$$ ${x}", "violated_rule": None},
    ]
    return run_suite(warehouse, DATASET, *stage_bars([{}] * 50 + changes))


def later(report: SuiteReport, number: int) -> SuiteReport:
    return replace(report, batch_id=number, checked_at=report.checked_at + timedelta(minutes=number))


def test_pages_load_nothing_from_elsewhere_and_no_link_is_dead(report, tmp_path) -> None:
    site = write_data_docs(tmp_path, report).parent
    pages = sorted(site.rglob("*.html"))
    assert [str(page.relative_to(site)) for page in pages] == [
        "index.html",
        "runs/daily_bar-1.html",
        "suites/daily_bar.html",
    ]
    for page in pages:
        found = Resources(page).found
        assert any(reference.endswith("static/bootstrap.min.css") for reference in found)
        for reference in found:
            assert not re.match(r"(\w+:)?//", reference), f"{page.name} refers to {reference}"
            if not reference.startswith(("#", "data:")):
                assert (page.parent / reference).is_file(), f"{page.name} refers to {reference}"
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(\w+:)?//", style.read_text(encoding="utf-8"))
    for code in site.rglob("*.js"):
        assert "importScripts" not in code.read_text(encoding="utf-8")


def test_what_a_source_published_is_text_and_never_markup(report, tmp_path) -> None:
    site = write_data_docs(tmp_path, report).parent
    page = (site / "runs" / "daily_bar-1.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "&lt;img src=" in page
    assert "$$ ${x}" in page


def test_failures_are_named_with_their_rows(report, tmp_path) -> None:
    index = write_data_docs(tmp_path, report)
    for failure in ("negative_price 1", "malformed_symbol 1", "high 1", "symbol 1", "venue 1"):
        assert f">{failure}</span>" in index.read_text(encoding="utf-8")
    page = (index.parent / "runs" / "daily_bar-1.html").read_text(encoding="utf-8")
    assert "negative_price: Prices are positive; open, high and low are 0 only where nothing traded" in page
    assert "<strong" in page
    assert "1 unexpected values found. ≈1.887% of 53 total rows." in page
    suite = (index.parent / "suites" / "daily_bar.html").read_text(encoding="utf-8")
    assert "Highest price; 0 on a halted session" in suite
    assert "high &lt; low" in suite


def test_a_run_on_a_table_of_another_shape_has_its_page(warehouse, stage_bars, tmp_path) -> None:
    table, batch_id = stage_bars([{}])
    with psycopg.connect(warehouse) as connection:
        connection.execute(f"ALTER TABLE staging.{table} DROP COLUMN open")
    index = write_data_docs(tmp_path, run_suite(warehouse, DATASET, table, batch_id))
    assert ">table</span>" in index.read_text(encoding="utf-8")


def test_no_secret_is_written(report, warehouse, tmp_path) -> None:
    write_data_docs(tmp_path, report)
    passfile = Path(psycopg.conninfo.conninfo_to_dict(warehouse)["passfile"])
    secrets = [line.rsplit(":", 1)[1] for line in passfile.read_text().splitlines()]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        assert "passfile" not in text
        assert "postgresql://" not in text
        assert not any(secret in text for secret in secrets)


def test_only_the_latest_runs_are_kept(report, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(data_docs, "KEPT_RUNS", 4)
    write_data_docs(tmp_path, *(later(report, number) for number in range(1, 4)))
    index = write_data_docs(tmp_path, *(later(report, number) for number in range(4, 10)))
    kept = [f"daily_bar-{number}" for number in range(6, 10)]
    for suffix in ("html", "json"):
        assert sorted(path.stem for path in (index.parent / "runs").glob(f"*.{suffix}")) == sorted(kept)
    listed = re.findall(r'href="runs/(.*?)\.html"', index.read_text(encoding="utf-8"))
    assert listed == kept[::-1]


def test_writing_a_run_again_lists_it_once(report, tmp_path) -> None:
    write_data_docs(tmp_path, report)
    index = write_data_docs(tmp_path, report)
    assert index.read_text(encoding="utf-8").count('href="runs/') == 1


def test_writers_at_the_same_time_take_turns(report, tmp_path, monkeypatch) -> None:
    both_inside = Barrier(2)
    keep_latest = data_docs._keep_latest

    def keep_latest_alone(folder: Path) -> list[dict[str, Any]]:
        with pytest.raises(BrokenBarrierError):
            both_inside.wait(timeout=0.5)
        return keep_latest(folder)

    monkeypatch.setattr(data_docs, "_keep_latest", keep_latest_alone)
    with ThreadPoolExecutor(2) as writers:
        [index, _] = writers.map(lambda number: write_data_docs(tmp_path, later(report, number)), (1, 2))
    assert index.read_text(encoding="utf-8").count('href="runs/') == 2
    assert not list(tmp_path.rglob("*.unfinished"))


def test_a_writer_that_was_killed_holds_up_nobody(report, tmp_path) -> None:
    index = write_data_docs(tmp_path, report)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); "
            "print('held', flush=True); time.sleep(600)",
            index.parent / ".lock",
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert write_data_docs(tmp_path, later(report, 2)) == index
