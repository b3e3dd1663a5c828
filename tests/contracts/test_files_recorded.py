"""Every recorded file of the sources that are folders of files through its parser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest

from include.crawlers import flow_files, funetf, krx_export, krx_listings
from include.crawlers.source import Chunk, Crawler
from include.datasets.registry import dataset_named
from include.quality.row_rules import mark_violations

pytestmark = pytest.mark.samples

EXPORTS = {date(2020, 3, 27): 2479, date(2022, 3, 25): 2623, date(2024, 6, 28): 2817}
LISTED_ON = date(2026, 3, 18)
MASTERS_OF = date(2026, 8, 21)
FUND_LIST = "funetf_etf_list.csv"  # a list of funds: it says nothing of what they hold


def _parse(crawler: Crawler, chunk: Chunk, environment: dict[str, str]) -> pa.Table:
    return crawler.parse(crawler.fetch(chunk, None, environment), chunk)  # type: ignore[arg-type]  # files need no transport


def _day(day: date) -> Chunk:
    return Chunk(day, day)


def _violations(rows: pa.Table, dataset: str) -> Counter[str]:
    return Counter(rule for rule in mark_violations(rows, dataset_named(dataset))["violated_rule"].to_pylist() if rule)


def _row(rows: pa.Table, **values: Any) -> dict[str, Any]:
    [row] = [row for row in rows.to_pylist() if values.items() <= row.items()]
    return row


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def exports(samples: Path) -> dict[str, str]:
    return {"KRXW_KRX_EXPORT_PATH": str(samples / "krx_ui_export")}


@pytest.fixture
def listings(samples: Path) -> dict[str, str]:
    return {"KRXW_KRX_LISTINGS_PATH": str(samples / "listings")}


@pytest.fixture
def flows(samples: Path) -> dict[str, str]:
    return {"KRXW_FLOW_FILES_PATH": str(samples / "flows")}


@pytest.fixture
def holdings(samples: Path) -> dict[str, str]:
    return {"KRXW_FUNETF_PATH": str(samples / "etf_holdings")}


def test_every_file_is_covered(samples: Path) -> None:
    assert _names(samples / "krx_ui_export") == {f"krx_market_cap_{day:%Y%m%d}.csv" for day in EXPORTS}
    assert _names(samples / "listings") == {
        f"krx_delisting_{LISTED_ON}.csv",
        f"krx_listing_{LISTED_ON}.csv",
        f"krx_instrument_metadata_source_snapshot_{MASTERS_OF}.json.gz",
    }
    assert _names(samples / "flows") == {"market_flows.parquet", "sobujang_flows.parquet"}


def test_exports_hold_the_days_of_their_names(exports: dict[str, str]) -> None:
    assert krx_export.CRAWLERS["daily_bar"].held(exports) == [_day(day) for day in EXPORTS]


@pytest.mark.parametrize("day", EXPORTS)
def test_an_export_obeys_the_rules_of_daily_bars(exports: dict[str, str], day: date) -> None:
    rows = _parse(krx_export.CRAWLERS["daily_bar"], _day(day), exports)
    assert rows.num_rows == EXPORTS[day]
    assert rows.schema == dataset_named("daily_bar").parsed_schema
    assert not _violations(rows, "daily_bar")
    assert set(rows["session"].to_pylist()) == {day}


def test_values_of_an_export(exports: dict[str, str]) -> None:
    rows = _parse(krx_export.CRAWLERS["daily_bar"], _day(date(2020, 3, 27)), exports)
    row = _row(rows, symbol="060310")
    assert (row["name"], row["market"], row["section"]) == ("3S", "KOSDAQ", "중견기업부")
    assert (row["open"], row["high"], row["low"], row["close"]) == (1895, 1930, 1750, 1790)
    assert (row["change"], row["base_price"], row["fluctuation_code"], row["halted"]) == (-60, 1850, 2, False)
    assert (row["volume"], row["value_krw"], row["listed_shares"]) == (366_904, 671_965_325, 44_802_511)
    assert _row(rows, symbol="083660")["halted"]


def test_delistings_reach_back_to_1960(listings: dict[str, str]) -> None:
    crawler = krx_listings.CRAWLERS["delisting"]
    [held] = crawler.held(listings)
    rows = _parse(crawler, held, listings)
    assert held.last == LISTED_ON
    assert rows.num_rows == 4104 - 6  # six issues are listed twice, with two reasons
    assert not _violations(rows, "delisting")
    assert (pc.min(rows["session"]).as_py(), pc.max(rows["session"]).as_py()) == (date(1960, 11, 21), LISTED_ON)
    first = _row(rows, symbol="028740")
    assert (first["name"], first["session"], first["listed_on"]) == ("경성전기", date(1961, 6, 30), date(1956, 3, 3))
    assert _row(rows, symbol="002695")["successor_symbol"] == "002690"
    assert _row(rows, symbol="028857")["reason"] == "종목별 상장폐지신청; 해산 사유 발생"


def test_delistings_of_some_days_only(listings: dict[str, str]) -> None:
    rows = _parse(krx_listings.CRAWLERS["delisting"], Chunk(date(2018, 1, 1), date(2018, 12, 31)), listings)
    assert {day.year for day in rows["session"].to_pylist()} == {2018}


def test_the_master_is_of_its_day_and_obeys_the_rules(listings: dict[str, str]) -> None:
    rows = _parse(krx_listings.CRAWLERS["instrument"], _day(MASTERS_OF), listings)
    assert rows.num_rows == 2873 + 1161 + 373
    assert not _violations(rows, "instrument")
    kinds = Counter(rows["kind"].to_pylist())
    assert (kinds["etf"], kinds["etn"]) == (1161, 373)
    assert kinds["common"] > 2000
    row = _row(rows, symbol="000020")
    assert (row["isin"], row["name"], row["kind"], row["market"]) == ("KR7000020008", "동화약품", "common", "KOSPI")
    assert (row["listed_on"], row["par_value"], row["listed_shares"]) == (date(1976, 3, 24), 1000, 27_931_470)
    assert _row(rows, symbol="0000D0")["kind"] == "etf"


def test_the_list_of_stocks_reads_as_daily_bars(listings: dict[str, str]) -> None:
    rows = _parse(krx_listings.CRAWLERS["daily_bar"], _day(LISTED_ON), listings)
    assert rows.num_rows == 2878
    assert not _violations(rows, "daily_bar")
    row = _row(rows, symbol="005930")
    assert (row["close"], row["base_price"], row["listed_shares"]) == (208_500, 193_900, 5_919_637_922)


def test_market_flows_of_the_four_groups_cancel(flows: dict[str, str]) -> None:
    crawler = flow_files.CRAWLERS["market_investor_flow"]
    [held] = crawler.held(flows)
    rows = _parse(crawler, held, flows)
    assert (held.first, held.last) == (date(2023, 12, 12), date(2026, 8, 21))
    assert rows.num_rows == 654 * 9
    assert not _violations(rows, "market_investor_flow")
    groups = ("individual", "foreign", "institution", "other_corporation")
    totals = _totals(rows, groups)
    assert len(totals) == 654
    assert max(map(abs, totals.values())) <= 100_000_000
    assert _row(rows, session=date(2023, 12, 12), investor="individual")["net_krw"] == -689_200_000_000


def _totals(rows: pa.Table, investors: Iterable[str]) -> Counter[date]:
    totals: Counter[date] = Counter()
    for row in rows.to_pylist():
        if row["investor"] in investors:
            totals[row["session"]] += row["net_krw"]
    return totals


def test_net_shares_of_stocks(flows: dict[str, str]) -> None:
    crawler = flow_files.CRAWLERS["investor_flow"]
    [held] = crawler.held(flows)
    rows = _parse(crawler, held, flows)
    assert (held.first, held.last) == (date(2025, 12, 17), date(2026, 6, 17))
    assert rows.num_rows == 5400 * 2
    assert not _violations(rows, "investor_flow")
    day = date(2025, 12, 17)
    assert _row(rows, symbol="003160", session=day, investor="institution")["net_shares"] == -7_796
    assert _row(rows, symbol="003160", session=day, investor="foreign")["net_shares"] == 41_003


def test_every_file_of_holdings_gives_rows(holdings: dict[str, str], samples: Path) -> None:
    crawler = funetf.CRAWLERS["etf_holding"]
    read = set()
    for day in (
        date(2026, 4, 3),
        date(2026, 4, 6),
        date(2026, 4, 7),
        date(2026, 4, 8),
        date(2026, 8, 11),
        date(2026, 8, 19),
    ):
        bodies = crawler.fetch(_day(day), None, holdings)  # type: ignore[arg-type]  # files need no transport
        rows = crawler.parse(bodies, _day(day))
        assert rows.num_rows > 0
        assert not _violations(rows, "etf_holding")
        assert not any(rows["complete"].to_pylist())
        read |= {body.request["file"] for body in bodies}
    assert read == _names(samples / "etf_holdings") - {FUND_LIST}


def test_holdings_of_a_day_come_from_the_newest_file(holdings: dict[str, str]) -> None:
    rows = _parse(funetf.CRAWLERS["etf_holding"], _day(date(2026, 4, 8)), holdings)
    assert set(rows["fund"].to_pylist()) == {"0001P0", "498050", "462900", "0168K0", "0000Z0"}
    row = _row(rows, fund="0001P0", position=1)
    assert (row["name"], row["weight_pct"], row["component"]) == ("셀트리온", Decimal("15.3667"), "")


def test_holdings_of_json_files_have_codes(holdings: dict[str, str]) -> None:
    rows = _parse(funetf.CRAWLERS["etf_holding"], _day(date(2026, 8, 11)), holdings)
    row = _row(rows, fund="0117V0", position=1)
    assert (row["component"], row["name"], row["kind"], row["weight_pct"]) == (
        "010120",
        "LS ELECTRIC",
        "stock",
        Decimal("26.44"),
    )
    assert {len(fund) for fund in rows["fund"].to_pylist()} == {6}  # funds of other exchanges are left out
