"""marcap files in every form they have been published in, and broken ones."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from include.crawlers.marcap import CRAWLERS
from include.crawlers.source import Chunk, RawBody
from include.datasets.daily_bar import DATASET
from include.outcomes import Malformed, NotPublished, SourceNotConfiguredError
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years

CRAWLER = CRAWLERS["daily_bar"]
YEAR = Chunk(date(2023, 1, 1), date(2023, 12, 31))


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=5, symbols=12, first=date(2023, 1, 2), last=date(2023, 3, 3))


def _file(
    market: SimulatedMarket,
    folder: Path,
    form: FileFormat = FileFormat.CSV,
    vintage: Vintage = Vintage.V2024,
) -> bytes:
    write_marcap_years(market, folder, form, vintage)
    return (folder / f"marcap-2023.{form}").read_bytes()


def _parse(content: bytes, name: str = "marcap-2023.csv.gz", chunk: Chunk = YEAR) -> pa.Table:
    return CRAWLER.parse([RawBody(content, {"file": name}, datetime.now(UTC), ".csv.gz")], chunk)


@pytest.mark.parametrize("vintage", list(Vintage))
@pytest.mark.parametrize("form", list(FileFormat))
def test_every_form_gives_the_same_rows(
    market: SimulatedMarket, tmp_path: Path, form: FileFormat, vintage: Vintage
) -> None:
    rows = _parse(_file(market, tmp_path, form, vintage), f"marcap-2023.{form}")
    assert rows.schema == DATASET.parsed_schema
    truth = pa.concat_tables(market.session_table(session) for session in market.sessions)
    order = [("session", "ascending"), ("symbol", "ascending")]
    for column in set(truth.column_names) & set(rows.column_names):
        assert rows.sort_by(order)[column].to_pylist() == truth.sort_by(order)[column].to_pylist(), column


def test_rows_outside_the_chunk_are_left_out(market: SimulatedMarket, tmp_path: Path) -> None:
    february = Chunk(date(2023, 2, 1), date(2023, 2, 28))
    sessions = _parse(_file(market, tmp_path), chunk=february)["session"].to_pylist()
    assert {session.month for session in sessions} == {2}


def _truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _empty(content: bytes) -> bytes:
    return b""


def _header_only(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content).split(b"\n", 1)[0] + b"\n")


def _without_close(content: bytes) -> bytes:
    return _rewritten(content, lambda row: {name: value for name, value in row.items() if name != "Close"})


def _with_a_fraction(content: bytes) -> bytes:
    return _rewritten(content, lambda row: row | {"Close": "100.5"})


def _with_words(content: bytes) -> bytes:
    return _rewritten(content, lambda row: row | {"Volume": "many"})


def _of_another_year(content: bytes) -> bytes:
    return _rewritten(content, lambda row: row | {"Date": row["Date"].replace("2023", "2021")})


def _rewritten(content: bytes, change: Callable[[dict[str, str]], dict[str, str]]) -> bytes:
    rows = [change(row) for row in csv.DictReader(io.StringIO(gzip.decompress(content).decode()))]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncated, "truncated"),
        (_empty, "empty"),
        (_header_only, "no rows"),
        (_without_close, "lacks the column Close"),
        (_with_a_fraction, "Close must be whole numbers"),
        (_with_words, "many"),
        (_of_another_year, "rows of 2021"),
    ],
)
def test_a_damaged_file_is_malformed_and_says_how(
    market: SimulatedMarket, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(Malformed, match=message):
        _parse(damage(_file(market, tmp_path)))


@pytest.mark.parametrize(("column", "value"), [("Date", "soon"), ("Volume", "many"), ("ChangeCode", "up")])
def test_parquet_of_the_wrong_type_is_malformed(
    market: SimulatedMarket, tmp_path: Path, column: str, value: str
) -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(_file(market, tmp_path, FileFormat.PARQUET)))
    place = table.schema.get_field_index(column)
    damaged = table.set_column(place, column, pa.array([value] * table.num_rows))
    content = io.BytesIO()
    pyarrow.parquet.write_table(damaged, content)
    with pytest.raises(Malformed, match=value):
        _parse(content.getvalue(), "marcap-2023.parquet")


def test_a_row_without_a_day_is_kept_for_quarantine(market: SimulatedMarket, tmp_path: Path) -> None:
    content = _file(market, tmp_path)
    whole = _parse(content)
    first = whole["session"][0].as_py().isoformat()
    lines = gzip.decompress(content).decode().replace(f'"{first}"', "", 1)
    rows = _parse(gzip.compress(lines.encode()))
    assert rows.num_rows == whole.num_rows
    assert rows["session"].null_count == 1


def test_a_year_without_a_file_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="no marcap file of 2023"):
        CRAWLER.fetch(YEAR, None, {"KRXW_MARCAP_PATH": str(tmp_path)})


@pytest.mark.parametrize("environment", [{}, {"KRXW_MARCAP_PATH": "/no/such/folder"}])
def test_the_folder_has_to_be_named(environment: dict[str, str]) -> None:
    with pytest.raises(SourceNotConfiguredError, match="marcap"):
        CRAWLER.held(environment)


def test_recorded_years_parse_whole(samples: Path) -> None:
    environment = {"KRXW_MARCAP_PATH": str(samples / "marcap")}
    published = 0
    for year in (2022, 2024):
        chunk = Chunk(date(year, 1, 1), date(year, 12, 31))
        published += CRAWLER.parse(CRAWLER.fetch(chunk, None, environment), chunk).num_rows
    assert published == 161_746
