"""Parquet files of net flows that others collected: of a market by investor class, and of stocks.

``market_flows.parquet`` has a row per session and market with a column per class, in 100 million won, so ``net_krw``
is exact to that unit only. Its four groups (개인, 외국인, 기관계, 기타법인) sum to zero: 외국인 therefore holds the
small class of other foreigners too, and is entered as ``foreign``. 투신 is investment trusts and private funds in
one, two classes here, and is left out. Any other ``*_flows.parquet`` has a row per session and stock with the net
shares of institutions and foreigners.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from include.crawlers.local_files import folder_of, read_body
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import investor_flow, market_investor_flow
from include.datasets.registry import Dataset
from include.market.investors import Investor
from include.outcomes import Malformed, NotPublished, SourceNotConfiguredError

SOURCE = "flow_files"
_MARKET_FILE = "market_flows.parquet"
_UNIT_KRW = 100_000_000
_DAY = "date"
_MARKET_CLASSES = {
    "개인": Investor.INDIVIDUAL,
    "외국인": Investor.FOREIGN,
    "기관계": Investor.INSTITUTION,
    "금융투자": Investor.SECURITIES,
    "보험": Investor.INSURANCE,
    "은행": Investor.BANK,
    "기타금융": Investor.OTHER_FINANCE,
    "연기금등": Investor.PENSION,
    "기타법인": Investor.OTHER_CORPORATION,
}
_STOCK_CLASSES = {"inst_net": Investor.INSTITUTION, "foreign_net": Investor.FOREIGN}


class _FlowFileCrawler:
    """One kind of file: ``subject`` is its column that becomes the dataset's, ``classes`` those with net flows."""

    dataset: ClassVar[Dataset]
    subject: ClassVar[str]
    classes: ClassVar[Mapping[str, Investor]]
    quantity: ClassVar[str]
    unit: ClassVar[int]

    def files(self, folder: Path) -> list[Path]:
        """The files of this kind."""
        raise NotImplementedError

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """The range of days each file spans."""
        ranges = []
        for body in self._read(environment):
            days = self._table(body)[_DAY]
            ranges.append(Chunk(pc.min(days).as_py(), pc.max(days).as_py()))
        return sorted(ranges, key=lambda chunk: chunk.first)

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk of all sessions: the files hold years."""
        return [Chunk(sessions[0], sessions[-1])]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The bytes of every file."""
        return self._read(environment)

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The files' rows within the chunk."""
        rows = pa.concat_tables(self._rows(body, chunk) for body in bodies)
        if rows.num_rows == 0:
            names = ", ".join(body.request["file"] for body in bodies)
            raise NotPublished(f"{names}: no row from {chunk.first} to {chunk.last}")
        return rows

    def _read(self, environment: Mapping[str, str]) -> list[RawBody]:
        folder = folder_of(environment, "KRXW_FLOW_FILES_PATH", "files of flows")
        paths = self.files(folder)
        if not paths:
            raise SourceNotConfiguredError(f"{folder} holds no file of {self.dataset.title.lower()}")
        return [read_body(path) for path in paths]

    def _table(self, body: RawBody) -> pa.Table:
        """The file with its days as dates.

        Raises:
            Malformed: not Parquet, a column is missing, or a value is of the wrong type.
        """
        name = body.request["file"]
        needed = [_DAY, self.subject, *self.classes]
        try:
            table = pyarrow.parquet.read_table(io.BytesIO(body.content))
        except (pa.ArrowException, OSError) as error:  # Arrow calls damage within the file an error of input
            raise Malformed(f"{name} cannot be read: {error}") from error
        missing = [column for column in needed if column not in table.column_names]
        if missing or table.num_rows == 0:
            raise Malformed(
                f"{name}: expected rows with {', '.join(needed)}, got {table.num_rows} with {table.column_names}"
            )
        days = table.schema.get_field_index(_DAY)
        try:
            return table.set_column(days, _DAY, table[_DAY].cast(pa.date32())).select(needed)
        except pa.ArrowException as error:
            raise Malformed(f"{name}: {_DAY} must be days: {error}") from error

    def _rows(self, body: RawBody, chunk: Chunk) -> pa.Table:
        table = self._table(body)
        within = pc.and_(
            pc.greater_equal(table[_DAY], pa.scalar(chunk.first)), pc.less_equal(table[_DAY], pa.scalar(chunk.last))
        )
        table = table.filter(within)
        return pa.concat_tables(self._class_rows(table, name, body) for name in self.classes)

    def _class_rows(self, table: pa.Table, column: str, body: RawBody) -> pa.Table:
        schema = self.dataset.parsed_schema
        try:
            subjects = table[self.subject].cast(pa.string())
            net = pc.multiply_checked(table[column].cast(pa.int64()), self.unit)
        except pa.ArrowException as error:
            raise Malformed(f"{body.request['file']}: {column} must be whole numbers: {error}") from error
        known = {
            self.dataset.subject: subjects,
            "session": table[_DAY],
            "investor": pa.repeat(self.classes[column].value, table.num_rows),
            self.quantity: net,
        }
        return pa.table(
            {
                field.name: known[field.name] if field.name in known else pa.nulls(table.num_rows, field.type)
                for field in schema
            },
            schema=schema,
        )


class MarketInvestorFlowCrawler(_FlowFileCrawler):
    """Net flows of markets, in won."""

    dataset = market_investor_flow.DATASET
    subject = "market"
    classes = _MARKET_CLASSES
    quantity = "net_krw"
    unit = _UNIT_KRW

    def files(self, folder: Path) -> list[Path]:
        """The one file of markets."""
        return [path for path in [folder / _MARKET_FILE] if path.is_file()]


class InvestorFlowCrawler(_FlowFileCrawler):
    """Net flows of stocks, in shares."""

    dataset = investor_flow.DATASET
    subject = "code"
    classes = _STOCK_CLASSES
    quantity = "net_shares"
    unit = 1

    def files(self, folder: Path) -> list[Path]:
        """All files of flows but that of markets."""
        return sorted(path for path in folder.glob("*_flows.parquet") if path.name != _MARKET_FILE)


CRAWLERS = {"investor_flow": InvestorFlowCrawler(), "market_investor_flow": MarketInvestorFlowCrawler()}
