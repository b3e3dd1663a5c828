"""Saved lists of issues, good and broken; the recorded ones are read in tests/contracts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.crawlers.krx_listings import CRAWLERS
from include.crawlers.source import Chunk
from include.outcomes import Malformed, NotPublished, SourceNotConfiguredError

DAY = date(2026, 3, 18)
ON_THE_DAY = Chunk(DAY, DAY)
DELISTING_HEADER = "\ufeff,Symbol,Name,Market,SecuGroup,ListingDate,DelistingDate,Reason,ToSymbol\n"
DELISTINGS = (
    DELISTING_HEADER
    + "0,123450,가나다,KOSPI,주권,2001-05-02,2026-03-10,감사의견 거절,\n"
    + "1,123455,가나다우,KOSPI,주권,2001-05-02,2026-03-10,해산 사유 발생,123450\n"
    + "2,123455,가나다우,KOSPI,주권,2001-05-02,2026-03-10,신청,123450\n"
    + "3,234560,라마바,KOSDAQ,주권,2010-05-02,2026-03-18,,\n"
)
STOCK = {
    "ISU_SRT_CD": "000020",
    "ISU_CD": "KR7000020008",
    "ISU_ABBRV": "동화약품",
    "ISU_NM": "동화약품보통주",
    "ISU_ENG_NM": "DongwhaPharm",
    "MKT_TP_NM": "KOSPI",
    "SECT_TP_NM": "",
    "LIST_DD": "1976/03/24",
    "PARVAL": "1,000",
    "LIST_SHRS": "27,931,470",
    "SECUGRP_NM": "주권",
    "KIND_STKCERT_TP_NM": "보통주",
}
PRODUCT = {
    name: STOCK[name] for name in ("ISU_SRT_CD", "ISU_CD", "ISU_ABBRV", "ISU_NM", "ISU_ENG_NM", "LIST_DD", "LIST_SHRS")
}
MASTERS = {
    "source_observation_date": DAY.isoformat(),
    "equity": [STOCK, STOCK | {"ISU_SRT_CD": "950210", "SECUGRP_NM": "외국주권", "PARVAL": "무액면"}],
    "etf": [PRODUCT | {"ISU_SRT_CD": "0000D0"}],
    "etn": [PRODUCT | {"ISU_SRT_CD": "500023"}],
}


def _collect(dataset: str, folder: Path, name: str, content: bytes, chunk: Chunk = ON_THE_DAY) -> list[dict[str, Any]]:
    (folder / name).write_bytes(content)
    crawler = CRAWLERS[dataset]
    bodies = crawler.fetch(chunk, None, {"KRXW_KRX_LISTINGS_PATH": str(folder)})  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = crawler.parse(bodies, chunk).to_pylist()
    return rows


def _delistings(folder: Path, content: str, chunk: Chunk) -> list[dict[str, Any]]:
    return _collect("delisting", folder, f"krx_delisting_{DAY}.csv", content.encode(), chunk)


def test_delistings_within_the_days_with_all_their_reasons(tmp_path: Path) -> None:
    rows = _delistings(tmp_path, DELISTINGS, Chunk(date(2026, 3, 9), date(2026, 3, 13)))
    assert [(row["symbol"], row["reason"], row["successor_symbol"]) for row in rows] == [
        ("123450", "감사의견 거절", None),
        ("123455", "해산 사유 발생; 신청", "123450"),
    ]


def test_days_without_a_delisting_have_no_row(tmp_path: Path) -> None:
    assert _delistings(tmp_path, DELISTINGS, Chunk(date(2026, 3, 11), date(2026, 3, 11))) == []


def test_days_after_the_newest_list_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="ends before 2026-03-19"):
        _delistings(tmp_path, DELISTINGS, Chunk(date(2026, 3, 19), date(2026, 3, 19)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("DelistingDate", "Date"), "no field DelistingDate"),
        (lambda text: text.replace("2026-03-18", "2026-02-30"), "DelistingDate is '2026-02-30'"),
        (lambda text: text[: len(DELISTING_HEADER)], "no rows"),
        (lambda text: text[:-8], "expected 9 values"),
    ],
)
def test_a_damaged_list_of_delistings_is_malformed(tmp_path: Path, damage: Callable[[str], str], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        _delistings(tmp_path, damage(DELISTINGS), Chunk(DAY, DAY))


def _instruments(folder: Path, masters: Any) -> list[dict[str, Any]]:
    content = gzip.compress(json.dumps(masters).encode())
    return _collect("instrument", folder, f"krx_instrument_metadata_{DAY}.json.gz", content)


def test_the_master_names_kinds(tmp_path: Path) -> None:
    rows = _instruments(tmp_path, MASTERS)
    assert [(row["symbol"], row["kind"], row["par_value"]) for row in rows] == [
        ("000020", "common", 1000),
        ("950210", "foreign", None),
        ("0000D0", "etf", None),
        ("500023", "etn", None),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source_observation_date": "2026-03-17"}, "got those of '2026-03-17'"),
        ({"etn": []}, "expected lists with rows equity, etf, etn, got equity, etf"),
        ({"equity": [{"ISU_CD": "KR7000020008"}]}, "no field"),
        ({"equity": [STOCK | {"LIST_SHRS": "many"}]}, "LIST_SHRS is 'many'"),
        ({"equity": [STOCK | {"LIST_SHRS": 5}]}, "LIST_SHRS is 5, expected text"),
    ],
)
def test_a_damaged_master_is_malformed(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(Malformed, match=message):
        _instruments(tmp_path, MASTERS | change)


def test_a_truncated_master_is_malformed(tmp_path: Path) -> None:
    content = gzip.compress(json.dumps(MASTERS).encode())[:-20]
    with pytest.raises(Malformed, match="truncated"):
        _collect("instrument", tmp_path, f"krx_instrument_metadata_{DAY}.json.gz", content)


def test_another_day_than_the_files_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "krx_listing_2026-03-17.csv").touch()
    with pytest.raises(NotPublished, match="2026-03-18"):
        CRAWLERS["daily_bar"].fetch(Chunk(DAY, DAY), None, {"KRXW_KRX_LISTINGS_PATH": str(tmp_path)})  # type: ignore[arg-type]


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_an_empty_folder_is_not_configured(tmp_path: Path, dataset: str) -> None:
    with pytest.raises(SourceNotConfiguredError, match="holds no file named like"):
        CRAWLERS[dataset].held({"KRXW_KRX_LISTINGS_PATH": str(tmp_path)})
