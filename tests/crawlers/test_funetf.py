"""Files of ETF holdings that are not as they should be; the recorded ones are read in tests/contracts."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from include.crawlers.funetf import CRAWLERS
from include.crawlers.source import Chunk
from include.outcomes import Malformed, NotPublished, SourceNotConfiguredError

DAY = date(2026, 4, 8)
CRAWLER = CRAWLERS["etf_holding"]
CSV = (
    "\ufeffmanager,etf_name,short_code,fund_code,holding_name,weight_pct,asof_date,source\n"
    "가,나,0001P0,KR70001P0005,셀트리온,15.10395,2026-04-08,FunETF\n"
    "가,나,0001P0,KR70001P0005,현금,1.5,2026-04-08,FunETF\n"
    "가,나,463050,KR7463050005,휴젤,1.36,2026-04-07,TIME\n"
)
DOCUMENT = {
    "asOf": "2026-04-08",
    "etfs": {
        "0001P0": {"asOf": "2026-04-08", "holdings": [{"n": "LS", "t": "006260", "w": 5.64}]},
        "QQQ": {"asOf": "2026-04-08", "holdings": [{"n": "Meta", "t": "META", "w": 3.0}]},
    },
}


def _collect(folder: Path, files: dict[str, str], day: date = DAY) -> list[dict[str, Any]]:
    for name, content in files.items():
        (folder / name).write_text(content)
    chunk = Chunk(day, day)
    bodies = CRAWLER.fetch(chunk, None, {"KRXW_FUNETF_PATH": str(folder)})  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = CRAWLER.parse(bodies, chunk).to_pylist()
    return rows


def test_rows_of_the_session_with_weights_of_four_decimals(tmp_path: Path) -> None:
    rows = _collect(tmp_path, {"20260408-010000.csv": CSV})
    assert [(row["fund"], row["position"], row["name"], row["kind"], row["weight_pct"]) for row in rows] == [
        ("0001P0", 1, "셀트리온", "other", Decimal("15.104")),
        ("0001P0", 2, "현금", "cash", Decimal("1.5")),
    ]


def test_both_layouts_read_alike(tmp_path: Path) -> None:
    other = CSV.replace("weight_pct", "current_weight_pct")
    assert _collect(tmp_path, {"20260408-010000.csv": other})[0]["weight_pct"] == Decimal("15.104")


def test_the_newest_file_that_has_the_funds_day_counts(tmp_path: Path) -> None:
    newer = CSV.replace("15.10395", "16").replace("2026-04-07", "2026-04-09")
    rows = _collect(tmp_path, {"20260408-010000.csv": CSV, "20260409-010000.csv": newer})
    assert [row["weight_pct"] for row in rows] == [16, Decimal("1.5")]


def test_funds_of_other_exchanges_are_left_out(tmp_path: Path) -> None:
    [row] = _collect(tmp_path, {"2026-04-08-abc.json": json.dumps(DOCUMENT)})
    assert (row["fund"], row["component"], row["kind"], row["weight_pct"]) == (
        "0001P0",
        "006260",
        "stock",
        Decimal("5.64"),
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("20260408-1.csv", "", "empty"),
        ("20260408-1.csv", CSV.replace("holding_name", "name"), "no field holding_name"),
        ("20260408-1.csv", CSV.replace("15.10395", "much"), "expected a weight in percent, got 'much'"),
        ("20260408-1.csv", CSV.replace("15.10395", "NaN"), "expected a weight in percent, got 'NaN'"),
        ("20260408-1.csv", CSV.replace("2026-04-07", "7 April"), "expected a day"),
        ("2026-04-08.json", "<html>", "expected JSON"),
        ("2026-04-08.json", json.dumps({"etfs": []}), "expected etfs"),
        ("2026-04-08.json", json.dumps({"etfs": {"0001P0": {"asOf": "2026-04-08"}}}), "'holdings'"),
        ("2026-04-08.json", json.dumps(DOCUMENT).replace("5.64", "null"), "expected a weight in percent, got None"),
    ],
)
def test_a_damaged_file_is_malformed(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        _collect(tmp_path, {name: content})


def test_a_session_no_fund_is_of_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="no fund's holdings of 2026-04-06"):
        _collect(tmp_path, {"20260408-010000.csv": CSV}, date(2026, 4, 6))


def test_a_session_more_than_a_week_before_any_file_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="no file of holdings from 2026-03-02"):
        _collect(tmp_path, {"20260408-010000.csv": CSV}, date(2026, 3, 2))


def test_an_empty_folder_is_not_configured(tmp_path: Path) -> None:
    with pytest.raises(SourceNotConfiguredError, match="holds no"):
        CRAWLER.held({"KRXW_FUNETF_PATH": str(tmp_path)})
