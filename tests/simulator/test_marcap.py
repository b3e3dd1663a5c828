from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.market.symbols import Market
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years

TRUTH = {
    "Code": "symbol",
    "Name": "name",
    "Market": "market",
    "Dept": "section",
    "Close": "close",
    "Changes": "change",
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Volume": "volume",
    "Amount": "value_krw",
    "Marcap": "market_cap_krw",
    "Stocks": "listed_shares",
    "Date": "session",
}
ALL = [(file_format, vintage) for file_format in FileFormat for vintage in Vintage]


@pytest.fixture(scope="module")
def small() -> SimulatedMarket:
    return SimulatedMarket(5, 60, date(2022, 11, 1), date(2023, 2, 28))


@pytest.fixture(scope="module")
def truth(small: SimulatedMarket) -> pd.DataFrame:
    return pa.concat_tables(small.iter_blocks()).to_pandas()


def read(path: Path) -> pd.DataFrame:
    if path.name.endswith("parquet"):
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
        frame["Date"] = frame["Date"].dt.date
        return frame
    frame = pd.read_csv(path, dtype={"Code": str}, keep_default_na=False)
    frame["Date"] = [date.fromisoformat(text) for text in frame["Date"]]
    return frame


@pytest.mark.parametrize(("file_format", "vintage"), ALL)
def test_files_hold_the_market(
    small: SimulatedMarket, truth: pd.DataFrame, tmp_path: Path, file_format: FileFormat, vintage: Vintage
) -> None:
    written: list[int] = []
    paths = write_marcap_years(small, tmp_path, file_format, vintage, written.append)
    assert [path.name for path in paths] == [f"marcap-2022.{file_format}", f"marcap-2023.{file_format}"]
    assert sum(written) == len(small.sessions)
    frames = [read(path) for path in paths]
    assert [{day.year for day in frame["Date"]} for frame in frames] == [{2022}, {2023}]
    frame = pd.concat(frames, ignore_index=True)

    in_order = frame.sort_values(["Date", "Code"], ignore_index=True)
    for column, source in TRUTH.items():
        assert in_order[column].tolist() == truth[source].tolist(), column
    assert in_order["ChangeCode"].astype(int).tolist() == truth["fluctuation_code"].tolist()
    assert in_order["MarketId"].tolist() == [Market(name).market_id for name in truth["market"]]
    ratio = in_order["ChangesRatio" if vintage is Vintage.V2026 else "ChagesRatio"]
    exact = truth["change"] / truth["base_price"] * 100
    assert (ratio - exact).abs().max() <= 0.005 + 1e-9

    for _, session in frame.groupby("Date", sort=False):
        assert session["Rank"].tolist() == list(range(1, len(session) + 1))
        assert session["Marcap"].is_monotonic_decreasing
    assert frame["Date"].is_monotonic_increasing


@pytest.mark.samples
@pytest.mark.parametrize("vintage", [Vintage.V2022, Vintage.V2024])
def test_text_looks_as_recorded(small: SimulatedMarket, tmp_path: Path, samples: Path, vintage: Vintage) -> None:
    """The same header, and the same columns quoted, whole and with a decimal point."""

    def shape(path: Path) -> tuple[str, list[tuple[bool, bool]]]:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            header, first = file.readline(), file.readline().rstrip("\n").split(",")
        ratio = [name.strip('"') for name in header.split(",")].index("ChagesRatio")
        kinds = [(field.startswith('"'), "." in field) for field in first]
        return header, kinds[:ratio] + kinds[ratio + 1 :]

    paths = write_marcap_years(small, tmp_path, FileFormat.CSV, vintage)
    assert shape(paths[0]) == shape(samples / "marcap" / f"marcap-{vintage}.csv.gz")


@pytest.mark.parametrize(
    ("file_format", "vintage", "close", "code"),
    [
        (FileFormat.PARQUET, Vintage.V2022, pa.float64(), pa.int64()),
        (FileFormat.PARQUET, Vintage.V2026, pa.int64(), pa.string()),
    ],
)
def test_parquet_types(
    small: SimulatedMarket, tmp_path: Path, file_format: FileFormat, vintage: Vintage, close: Any, code: Any
) -> None:
    schema = pq.read_schema(write_marcap_years(small, tmp_path, file_format, vintage)[0])
    assert schema.field("Date").type == pa.timestamp("ns")
    assert schema.field("Close").type == close
    assert schema.field("ChangeCode").type == code
    assert schema.field("Stocks").type == pa.int64()


@pytest.mark.parametrize("file_format", FileFormat)
def test_writing_twice_gives_the_same_bytes(small: SimulatedMarket, tmp_path: Path, file_format: FileFormat) -> None:
    one = write_marcap_years(small, tmp_path / "one", file_format, Vintage.V2024)
    two = write_marcap_years(small, tmp_path / "two", file_format, Vintage.V2024)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
