"""The exchange's masters of issues: its Open API, its portal and saved copies of them have the same fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from include.crawlers.published_rows import Notation, Row, read_column, read_columns, require_fields, table_of
from include.datasets.instrument import DATASET
from include.datasets.registry import Column
from include.market.instruments import InstrumentKind, instrument_kind

_ISSUE: Mapping[str, str] = {
    "symbol": "ISU_SRT_CD",
    "isin": "ISU_CD",
    "name": "ISU_ABBRV",
    "full_name": "ISU_NM",
    "english_name": "ISU_ENG_NM",
    "listed_on": "LIST_DD",
    "listed_shares": "LIST_SHRS",
}
_STOCK: Mapping[str, str] = {**_ISSUE, "market": "MKT_TP_NM", "section": "SECT_TP_NM", "par_value": "PARVAL"}
_PAR = "PARVAL"
_NO_PAR = "무액면"
_KIND_FIELDS = ("SECUGRP_NM", "KIND_STKCERT_TP_NM", "ISU_NM")
_KIND_TEXT = Column("kind", pa.string(), "What the kind of an issue is told from")


def stocks(rows: Sequence[Row], session: date, notation: Notation, where: str) -> pa.Table:
    """The rows of ``instrument`` in the master of stocks as of ``session``; shares without par have no par value.

    Raises:
        Malformed: a field is missing, or a text is no value of its column.
    """
    require_fields(rows, (*_STOCK.values(), *_KIND_FIELDS), where)
    rows = [{**row, _PAR: notation.absent[0]} if row[_PAR] == _NO_PAR else row for row in rows]
    columns = read_columns(rows, _STOCK, DATASET, notation, where)
    published = (read_column(rows, field, _KIND_TEXT, notation, where).to_pylist() for field in _KIND_FIELDS)
    kinds = [instrument_kind(*texts).value for texts in zip(*published, strict=True)]
    columns["kind"] = pa.array(kinds, pa.string())
    return table_of(DATASET, columns, {"session": session})


def products(rows: Sequence[Row], kind: InstrumentKind, session: date, notation: Notation, where: str) -> pa.Table:
    """The rows of ``instrument`` in the master of ETFs or ETNs as of ``session``.

    Raises:
        Malformed: a field is missing, or a text is no value of its column.
    """
    columns = read_columns(rows, _ISSUE, DATASET, notation, where)
    constants = {"session": session, "market": "KOSPI", "kind": kind.value, "section": "", "par_value": None}
    return table_of(DATASET, columns, constants)
