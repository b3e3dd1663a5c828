"""A law of all sources that are folders of files: whatever the bytes, parsing raises nothing but typed outcomes."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.crawlers import flow_files, funetf, krx_export, krx_listings
from include.crawlers.source import Chunk, Crawler, RawBody
from include.outcomes import CollectionOutcome
from tests.crawlers.json_damage import damaged

DAY = date(2024, 3, 20)
EXPORT = (
    "종목코드,종목명,시장구분,소속부,종가,대비,등락률,시가,고가,저가,거래량,거래대금,시가총액,상장주식수\n"
    '"060310","3S","KOSDAQ","중견기업부","1790","-60","-3.24","1895","1930","1750","366904","671965325","80196494690",'
    '"44802511"\n'
).encode("cp949")
DELISTING = (
    "Symbol,Name,Market,SecuGroup,ListingDate,DelistingDate,Reason,ToSymbol\n"
    "123450,가나다,KOSPI,주권,2001-05-02,2024-03-20,감사의견 거절,\n"
).encode()
LISTING = (
    "Code,Name,Market,Dept,Close,ChangeCode,Changes,Open,High,Low,Volume,Amount,Marcap,Stocks\n"
    "005930,삼성전자,KOSPI,,208500,1,14600,200500,209000,199700,25148481,5153010769813,1234244506737000,5919637922\n"
).encode()
HOLDINGS_CSV = b"short_code,holding_name,weight_pct,asof_date\n0001P0,Celltrion,15.10395,2024-03-20\n"
HOLDINGS_JSON = b'{"etfs": {"0001P0": {"asOf": "2024-03-20", "holdings": [{"n": "LS", "t": "006260", "w": 5.64}]}}}'


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
MASTERS = {"source_observation_date": "2024-03-20", "equity": [STOCK], "etf": [STOCK], "etn": [STOCK]}


def _flows() -> bytes:
    row = {"date": datetime(2024, 3, 20), "code": "005930", "inst_net": -5.0, "foreign_net": 7.0}  # noqa: DTZ001
    content = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist([row] * 50), content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("crawler", "name", "content"),
    [
        (krx_export.CRAWLERS["daily_bar"], "a_20240320.csv", EXPORT),
        (krx_listings.CRAWLERS["delisting"], "krx_delisting_2024-03-20.csv", DELISTING),
        (krx_listings.CRAWLERS["daily_bar"], "krx_listing_2024-03-20.csv", LISTING),
        (krx_listings.CRAWLERS["instrument"], "krx_instrument_metadata_2024-03-20.json", json.dumps(MASTERS).encode()),
        (funetf.CRAWLERS["etf_holding"], "20240320-1.csv", HOLDINGS_CSV),
        (funetf.CRAWLERS["etf_holding"], "2024-03-20.json", HOLDINGS_JSON),
        (flow_files.CRAWLERS["investor_flow"], "a_flows.parquet", _flows()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1), length=st.integers(0, 30), noise=st.binary(max_size=30))
def test_whatever_the_bytes(
    crawler: Crawler, name: str, content: bytes, place: float, length: int, noise: bytes
) -> None:
    start = int(place * len(content))
    spoilt = content[:start] + noise + content[start + length :]
    body = RawBody(spoilt, {"file": name}, datetime.now(UTC), "." + name.partition(".")[2])
    try:
        rows = crawler.parse([body], Chunk(DAY, DAY))
    except CollectionOutcome:
        return
    assert "symbol" in rows.column_names or "fund" in rows.column_names


@settings(max_examples=200, deadline=None)
@given(document=damaged(MASTERS))
def test_whatever_the_values_of_a_master(document: Any) -> None:
    _parse_json(krx_listings.CRAWLERS["instrument"], "krx_instrument_metadata_2024-03-20.json", document)


@settings(max_examples=200, deadline=None)
@given(document=damaged(json.loads(HOLDINGS_JSON)))
def test_whatever_the_values_of_holdings(document: Any) -> None:
    _parse_json(funetf.CRAWLERS["etf_holding"], "2024-03-20.json", document)


def _parse_json(crawler: Crawler, name: str, document: Any) -> None:
    body = RawBody(json.dumps(document).encode(), {"file": name}, datetime.now(UTC), ".json")
    with suppress(CollectionOutcome):
        crawler.parse([body], Chunk(DAY, DAY))
