"""Yearly files in the format of the marcap data set, in each of its vintages.

A year is one file, ordered by session and by market value. Vintages differ in the order of columns, in the
name of the ratio column (``ChagesRatio``, spelt so, until it became ``ChangesRatio``) and in the type of the
change code. Prices, volumes and amounts are written as floating-point numbers by the first two.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from include.market.symbols import Market
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.rates import rate_in_hundredths

# Speed before size: these files are read once or twice.
_GZIP_LEVEL = 1


class FileFormat(StrEnum):
    """How a year is stored; the value is the file's suffix."""

    CSV = "csv.gz"
    PARQUET = "parquet"


class Vintage(StrEnum):
    """The year from whose files the columns are taken."""

    V2022 = "2022"
    V2024 = "2024"
    V2026 = "2026"


_IDENTITY = ("Code", "Name")
_CHANGE = ("ChangeCode", "Changes")
_RANGE = ("Open", "High", "Low")
_TURNOVER = ("Volume", "Amount")
_SIZE = ("Marcap", "Stocks")
_END = ("MarketId", "Rank", "Date")
_RATIO_COLUMN = {Vintage.V2022: "ChagesRatio", Vintage.V2024: "ChagesRatio", Vintage.V2026: "ChangesRatio"}


def _columns(vintage: Vintage) -> tuple[str, ...]:
    change = (*_CHANGE, _RATIO_COLUMN[vintage])
    if vintage is Vintage.V2022:
        return (*_IDENTITY, "Market", "Dept", "Close", *change, *_RANGE, *_TURNOVER, *_SIZE, *_END)
    return (*_IDENTITY, "Close", "Dept", *change, *_TURNOVER, *_RANGE, *_SIZE, "Market", *_END)


_MEASURES = {
    "Close": "close",
    "Changes": "change",
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Volume": "volume",
    "Amount": "value_krw",
    "Marcap": "market_cap_krw",
}


def write_marcap_years(
    market: SimulatedMarket,
    folder: Path,
    file_format: FileFormat,
    vintage: Vintage,
    on_sessions: Callable[[int], None] = lambda count: None,
) -> list[Path]:
    """Write ``marcap-YYYY.csv.gz`` or ``marcap-YYYY.parquet`` into ``folder`` for each year of ``market``.

    Memory is bounded by a block of sessions. ``on_sessions`` is told of each number of sessions written. The
    same market gives the same content; compressed bytes depend on the versions of zlib and Arrow as well.

    Returns:
        The files written, in order of year. Existing ones are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for year, parts in groupby(_parts_of_years(market, on_sessions), key=itemgetter(0)):
        path = folder / f"marcap-{year}.{file_format}"
        _write_year(path, file_format, (marcap_table(bars, file_format, vintage) for _, bars in parts))
        paths.append(path)
    return paths


def marcap_table(bars: pa.Table, file_format: FileFormat, vintage: Vintage) -> pa.Table:
    """``bars`` (of the simulator's schema, whole sessions) as rows of a yearly file, best-valued first.

    ``Rank`` counts from 1 in each session; of equal market values the lower symbol comes first.
    """
    sessions = bars["session"].cast(pa.int32()).to_numpy()
    order = np.lexsort((-bars["market_cap_krw"].to_numpy(), sessions))
    bars = bars.take(pa.array(order))
    starts = np.searchsorted(sessions, sessions)
    ratio = rate_in_hundredths(bars["change"].to_numpy(), bars["base_price"].to_numpy()) / 100
    code_type = pa.string() if vintage is Vintage.V2026 else pa.int64()
    columns = {
        "Code": bars["symbol"],
        "Name": bars["name"],
        "Market": bars["market"],
        "Dept": bars["section"],
        "ChangeCode": bars["fluctuation_code"].cast(code_type),
        _RATIO_COLUMN[vintage]: pa.array(ratio),
        "Stocks": bars["listed_shares"],
        "MarketId": _market_ids(bars["market"]),
        "Rank": pa.array(np.arange(len(sessions)) - starts + 1),
        "Date": _dates(bars["session"], file_format),
    }
    measure_type = _measure_type(file_format, vintage)
    columns |= {name: bars[column].cast(measure_type) for name, column in _MEASURES.items()}
    return pa.table({name: columns[name] for name in _columns(vintage)})


def _parts_of_years(market: SimulatedMarket, on_sessions: Callable[[int], None]) -> Iterator[tuple[int, pa.Table]]:
    for block in market.iter_blocks():
        years = pc.year(block["session"])
        for year in pc.unique(years).to_pylist():
            yield year, block.filter(pc.equal(years, year))
        on_sessions(pc.count_distinct(block["session"]).as_py())


def _write_year(path: Path, file_format: FileFormat, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    with ExitStack() as stack:
        if file_format is FileFormat.CSV:
            file = stack.enter_context(path.open("wb"))
            # No name and no time in the header: the same rows are the same file.
            packed = stack.enter_context(gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0))
            writer = stack.enter_context(csv.CSVWriter(packed, first.schema))
        else:
            writer = stack.enter_context(pq.ParquetWriter(path, first.schema, compression="zstd"))
        for table in chain([first], tables):
            writer.write_table(table)


def _measure_type(file_format: FileFormat, vintage: Vintage) -> pa.DataType:
    if vintage is Vintage.V2026:
        return pa.int64()
    # A decimal prints as the recorded text files do, 78600.0, where a float would print 78600.
    return pa.decimal128(20, 1) if file_format is FileFormat.CSV else pa.float64()


def _market_ids(names: pa.ChunkedArray) -> pa.Array:
    known = pa.array([market.value for market in Market])
    return pa.array([market.market_id for market in Market]).take(pc.index_in(names.combine_chunks(), known))


def _dates(sessions: pa.ChunkedArray, file_format: FileFormat) -> pa.ChunkedArray:
    return sessions.cast(pa.string() if file_format is FileFormat.CSV else pa.timestamp("ns"))
