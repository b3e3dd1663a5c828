"""Exports of the portal's whole-market page, good and broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from include.crawlers.krx_export import CRAWLERS
from include.crawlers.source import Chunk
from include.datasets.daily_bar import DATASET
from include.outcomes import CollectionOutcome, Malformed, NotASession, NotPublished, SourceNotConfiguredError
from include.simulator.exchange.market import SimulatedMarket

CRAWLER = CRAWLERS["daily_bar"]
DAY = date(2023, 3, 3)
CHUNK = Chunk(DAY, DAY)
HEADER = "종목코드,종목명,시장구분,소속부,종가,대비,등락률,시가,고가,저가,거래량,거래대금,시가총액,상장주식수"
COLUMNS = ["symbol", "name", "market", "section", "close", "change", "open", "high", "low", "volume"]
TOTALS = ["value_krw", "market_cap_krw", "listed_shares"]


@pytest.fixture(scope="module")
def truth() -> pa.Table:
    market = SimulatedMarket(seed=5, symbols=40, first=date(2023, 3, 2), last=DAY)
    return market.session_table(DAY)


@pytest.fixture(scope="module")
def content(truth: pa.Table) -> bytes:
    lines = [HEADER]
    for row in truth.to_pylist():
        values = [row[name] for name in COLUMNS[:6]] + ["0.00"] + [row[name] for name in (*COLUMNS[6:], *TOTALS)]
        lines.append(",".join(f'"{value}"' for value in values))
    return "\r\n".join(lines).encode("cp949")


def _parse(folder: Path, content: bytes, name: str = f"krx_market_cap_{DAY:%Y%m%d}.csv") -> pa.Table:
    (folder / name).write_bytes(content)
    environment = {"KRXW_KRX_EXPORT_PATH": str(folder)}
    return CRAWLER.parse(CRAWLER.fetch(CHUNK, None, environment), CHUNK)  # type: ignore[arg-type]  # files need no transport


def test_rows_are_the_truth(tmp_path: Path, truth: pa.Table, content: bytes) -> None:
    rows = _parse(tmp_path, content)
    assert rows.schema == DATASET.parsed_schema
    for column in set(truth.column_names) & set(rows.column_names):
        assert rows[column].to_pylist() == truth[column].to_pylist(), column


def test_any_name_that_ends_in_the_day_will_do(tmp_path: Path, truth: pa.Table, content: bytes) -> None:
    assert _parse(tmp_path, content, f"전종목 시세_{DAY:%Y%m%d}.csv").num_rows == truth.num_rows


def _closed(content: bytes) -> bytes:
    header, *lines = content.decode("cp949").splitlines()
    closed = [",".join([*line.split(",")[:4], *['"-"'] * 9, line.split(",")[-1]]) for line in lines]
    return "\n".join([header, *closed]).encode("cp949")


@pytest.mark.parametrize(
    ("damage", "outcome", "message"),
    [
        (lambda content: b"", Malformed, "empty"),
        (lambda content: content.splitlines()[0], Malformed, "no rows"),
        (lambda content: content[:-40], Malformed, "not CSV"),
        (lambda content: content.decode("cp949").encode(), Malformed, "cp949|대비|종목코드"),
        (lambda content: content.replace("거래량".encode("cp949"), b"volume"), Malformed, "no field 거래량"),
        (lambda content: content.replace(b'"0.00","', b'"0.00","1,'), Malformed, "시가 is '1,"),
        (_closed, NotASession, "closed"),
    ],
)
def test_a_damaged_file_ends_in_its_outcome(
    tmp_path: Path,
    content: bytes,
    damage: Callable[[bytes], bytes],
    outcome: type[CollectionOutcome],
    message: str,
) -> None:
    with pytest.raises(outcome, match=message):
        _parse(tmp_path, damage(content))


def test_a_session_without_a_file_is_not_published(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotPublished, match="no file of 2023-03-03"):
        _parse(tmp_path, content, "krx_market_cap_20230302.csv")


def test_two_files_of_a_day_are_one_too_many(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "another_20230303.csv").write_bytes(content)
    with pytest.raises(SourceNotConfiguredError, match="of the same day"):
        _parse(tmp_path, content)


@pytest.mark.parametrize("environment", [{}, {"KRXW_KRX_EXPORT_PATH": "/no/such/folder"}])
def test_the_folder_has_to_be_named(environment: dict[str, str]) -> None:
    with pytest.raises(SourceNotConfiguredError, match="KRXW_KRX_EXPORT_PATH"):
        CRAWLER.held(environment)
