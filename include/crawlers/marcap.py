"""marcap files: the whole-market daily table of a year in one file, as FinanceData/marcap publishes it.

``marcap-YYYY.parquet`` or ``marcap-YYYY.csv.gz`` in one folder. Columns are read by name: their order changed in
2022, and 2026 files spell the change code as text. Numbers are floats of whole won.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import daily_bar
from include.outcomes import Malformed, NotPublished, SourceNotConfiguredError

SOURCE = "marcap"
_BLOCK_BYTES, _BLOCK_ROWS = 16 * 2**20, 128 * 1024
_SUFFIXES = (".parquet", ".csv.gz", ".csv")
_FILE_NAME = re.compile(r"marcap-(\d{4})(?:\.parquet|\.csv\.gz|\.csv)")
_TEXTS: Mapping[str, str] = {"symbol": "Code", "name": "Name", "section": "Dept", "market": "Market"}
_NUMBERS: Mapping[str, str] = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "volume": "Volume",
    "value_krw": "Amount",
    "market_cap_krw": "Marcap",
    "listed_shares": "Stocks",
    "change": "Changes",
    "fluctuation_code": "ChangeCode",
}
_DAY = "Date"
_NEEDED = (*_TEXTS.values(), *_NUMBERS.values(), _DAY)


class DailyBarCrawler:
    """Daily bars, a calendar year at a time."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """The years of the files in the folder."""
        folder = _folder(environment)
        years = sorted({int(match[1]) for path in folder.iterdir() if (match := _FILE_NAME.fullmatch(path.name))})
        if not years:
            raise SourceNotConfiguredError(f"{folder} holds no marcap-YYYY.parquet, .csv.gz or .csv file")
        return [Chunk(date(year, 1, 1), date(year, 12, 31)) for year in years]

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per calendar year."""
        years = sorted({session.year for session in sessions})
        by_year = {year: [session for session in sessions if session.year == year] for year in years}
        return [Chunk(min(in_year), max(in_year)) for in_year in by_year.values()]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The bytes of the chunk's yearly file."""
        path = _yearly_file(_folder(environment), chunk.first.year)
        content = path.read_bytes()
        return [RawBody(content, {"file": path.name}, datetime.now(UTC), "".join(path.suffixes))]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The file's rows within the chunk."""
        [body] = bodies
        name = body.request["file"]
        try:
            blocks = [_bars(block, name) for block in _read(body.content, name)]
        except (pa.ArrowException, OSError) as error:
            raise Malformed(f"{name} cannot be read: {error}") from error
        if not sum(block.num_rows for block in blocks):
            raise Malformed(f"{name} holds a header and no rows")
        rows = pa.concat_tables(blocks)
        _require_year(rows["session"], chunk.first.year, name)
        outside = pc.or_(
            pc.less(rows["session"], pa.scalar(chunk.first)), pc.greater(rows["session"], pa.scalar(chunk.last))
        )
        rows = rows.filter(pc.invert(pc.fill_null(outside, False)))  # a row without a day is for quarantine
        if rows.num_rows == 0:
            raise NotPublished(f"{name} holds no row from {chunk.first} to {chunk.last}")
        return rows


def _folder(environment: Mapping[str, str]) -> Path:
    folder = environment.get("KRXW_MARCAP_PATH")
    if not folder:
        raise SourceNotConfiguredError(
            "marcap needs the folder of its yearly files: pass --path or set KRXW_MARCAP_PATH"
        )
    if not Path(folder).is_dir():
        raise SourceNotConfiguredError(f"the marcap folder {folder} is not a folder")
    return Path(folder)


def _yearly_file(folder: Path, year: int) -> Path:
    candidates = [folder / f"marcap-{year}{suffix}" for suffix in _SUFFIXES]
    for path in candidates:
        if path.is_file():
            return path
    raise NotPublished(
        f"no marcap file of {year}: looked in {folder} for {', '.join(path.name for path in candidates)}"
    )


def _read(content: bytes, name: str) -> Iterator[pa.RecordBatch]:
    """The needed columns, a block at a time: a year at once would be held three times over."""
    if not content:
        raise Malformed(f"{name} is empty (0 bytes)")
    try:
        yield from _read_parquet(content, name) if name.endswith(".parquet") else _read_csv(content, name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Malformed(f"{name} is truncated or not gzip: {error}. Fetch the file again") from error


def _read_parquet(content: bytes, name: str) -> Iterator[pa.RecordBatch]:
    file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
    _require_columns(file.schema_arrow.names, name)
    yield from file.iter_batches(columns=list(_NEEDED), batch_size=_BLOCK_ROWS)


def _read_csv(content: bytes, name: str) -> Iterator[pa.RecordBatch]:
    with _plain(content, name) as text:
        header = text.readline().decode("utf-8-sig", errors="replace").strip()
    columns = [column.strip('"') for column in header.split(",")]
    _require_columns(columns, name)
    types = dict.fromkeys(_TEXTS.values(), pa.string()) | dict.fromkeys(_NUMBERS.values(), pa.float64())
    with _plain(content, name) as text:
        yield from pyarrow.csv.open_csv(
            text,
            read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types | {_DAY: pa.date32()},
                include_columns=list(_NEEDED),
                null_values=["", "nan", "NaN"],
                strings_can_be_null=False,
            ),
        )


def _plain(content: bytes, name: str) -> BinaryIO:
    body = io.BytesIO(content)
    return cast(BinaryIO, gzip.GzipFile(fileobj=body)) if name.endswith(".gz") else body


def _require_columns(names: Sequence[str], file: str) -> None:
    missing = [column for column in _NEEDED if column not in names]
    if missing:
        raise Malformed(f"{file} lacks the column {', '.join(missing)}; it has {', '.join(names)}")


def _bars(published: pa.RecordBatch, name: str) -> pa.Table:
    columns = {ours: _text(published[theirs]) for ours, theirs in _TEXTS.items()}
    columns |= {ours: _whole(published[theirs], theirs, name) for ours, theirs in _NUMBERS.items()}
    columns["session"] = published[_DAY].cast(pa.date32())
    columns["base_price"] = pc.subtract(columns["close"], columns["change"])
    columns["venue"] = pa.repeat("KRX", published.num_rows)
    columns["halted"] = daily_bar.halted(columns["open"], columns["high"], columns["low"], columns["fluctuation_code"])
    schema = daily_bar.DATASET.parsed_schema
    return pa.table({column: columns[column] for column in schema.names}).cast(schema)


def _text(column: pa.Array) -> pa.Array:
    return pc.fill_null(column.cast(pa.string()), "") if column.null_count else column.cast(pa.string())


def _whole(column: pa.Array, field: str, name: str) -> pa.Array:
    """Whole numbers, exactly: a fraction, or a float too large to be exact, is refused."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise Malformed(f"{name}: {field} must be whole numbers: {error}") from error


def _require_year(sessions: pa.ChunkedArray, year: int, name: str) -> None:
    years = pc.unique(pc.year(pc.drop_null(sessions))).to_pylist()
    if years != [year]:
        raise Malformed(f"{name} should hold rows of {year} and holds rows of {', '.join(map(str, sorted(years)))}")


CRAWLERS = {"daily_bar": DailyBarCrawler()}
