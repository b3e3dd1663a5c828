"""Files of flows that are not as they should be; the recorded ones are read in tests/contracts."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from include.crawlers.flow_files import CRAWLERS
from include.crawlers.source import Chunk
from include.outcomes import Malformed, NotPublished, SourceNotConfiguredError

DAY = date(2024, 3, 20)
MOMENT = datetime(2024, 3, 20)  # noqa: DTZ001 - as the files have it
CLASSES = ["개인", "외국인", "기관계", "금융투자", "보험", "투신", "은행", "기타금융", "연기금등", "기타법인"]
MARKET_ROW: dict[str, Any] = {"date": MOMENT, **dict.fromkeys(CLASSES, 0.0), "market": "KOSPI"}
STOCK_ROW: dict[str, Any] = {"date": MOMENT, "code": "005930", "inst_net": -5.0, "foreign_net": 7.0}


def _parquet(*rows: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(list(rows)), content)
    return content.getvalue()


def _collect(dataset: str, folder: Path, name: str, content: bytes) -> list[dict[str, Any]]:
    (folder / name).write_bytes(content)
    crawler, chunk = CRAWLERS[dataset], Chunk(DAY, DAY)
    bodies = crawler.fetch(chunk, None, {"KRXW_FLOW_FILES_PATH": str(folder)})  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = crawler.parse(bodies, chunk).to_pylist()
    return rows


def _market(folder: Path, content: bytes) -> list[dict[str, Any]]:
    return _collect("market_investor_flow", folder, "market_flows.parquet", content)


def test_a_market_has_a_row_per_class_in_won(tmp_path: Path) -> None:
    rows = _market(tmp_path, _parquet(MARKET_ROW | {"개인": -6892.0, "투신": 5.0}))
    nets = {row["investor"]: row["net_krw"] for row in rows}
    assert nets["individual"] == -689_200_000_000
    assert len(nets) == 9
    assert "investment_trust" not in nets  # the column holds private funds too
    assert {row["net_shares"] for row in rows} == {None}


def test_files_of_stocks_are_all_but_the_markets(tmp_path: Path) -> None:
    (tmp_path / "market_flows.parquet").write_bytes(_parquet(MARKET_ROW))
    rows = _collect("investor_flow", tmp_path, "bio_flows.parquet", _parquet(STOCK_ROW))
    assert [(row["symbol"], row["investor"], row["net_shares"]) for row in rows] == [
        ("005930", "institution", -5),
        ("005930", "foreign", 7),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (_parquet(MARKET_ROW)[:-30], "cannot be read"),
        (_parquet({name: value for name, value in MARKET_ROW.items() if name != "외국인"}), "외국인"),
        (_parquet(MARKET_ROW | {"개인": 0.5}), "개인 must be whole numbers"),
        (_parquet(MARKET_ROW | {"개인": float("nan")}), "개인 must be whole numbers"),
        (_parquet(MARKET_ROW | {"개인": "many"}), "개인 must be whole numbers"),
        (_parquet(MARKET_ROW | {"개인": 1e12}), "개인 must be whole numbers"),
        (_parquet(MARKET_ROW | {"date": "soon"}), "date must be days"),
    ],
)
def test_a_damaged_file_is_malformed(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        _market(tmp_path, content)


def test_days_the_file_lacks_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="no row from 2024-03-20"):
        _market(tmp_path, _parquet(MARKET_ROW | {"date": datetime(2024, 3, 19)}))  # noqa: DTZ001


def test_one_chunk_for_all_sessions() -> None:
    assert CRAWLERS["investor_flow"].split([date(2023, 1, 2), DAY]) == [Chunk(date(2023, 1, 2), DAY)]


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_an_empty_folder_is_not_configured(tmp_path: Path, dataset: str) -> None:
    with pytest.raises(SourceNotConfiguredError, match="investor flows"):
        CRAWLERS[dataset].held({"KRXW_FLOW_FILES_PATH": str(tmp_path)})
