"""Reference lists: the issue finders, which give the ISINs the screens by issue want, indices and their members.

No dataset is collected from them: they are read to compare with what the screens by session say.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from include.crawlers.krx_portal.answers import read_answer
from include.crawlers.published_rows import GROUPED, read_column, require_fields
from include.crawlers.source import RawBody
from include.datasets.registry import Column

_ISSUE: Mapping[str, str] = {"symbol": "short_code", "isin": "full_code", "name": "codeName", "market": "marketCode"}
_INDEX: Mapping[str, str] = {"index_name": "IDX_NM", "group": "IND_TP_CD", "code": "IDX_IND_CD"}
_MEMBER: Mapping[str, str] = {"symbol": "ISU_SRT_CD", "name": "ISU_ABBRV"}
_MEMBER_FIGURES: Mapping[str, str] = {"close": "TDD_CLSPRC", "change": "STR_CMP_PRC", "market_cap_krw": "MKTCAP"}


def issues(body: RawBody) -> pa.Table:
    """The issues in an answer of ``finder_stkisu`` or ``finder_listdelisu``: symbol, isin, name, market (STK...).

    Delisted rights and warrants have symbols of eight characters; a symbol may occur with several ISINs.

    Raises:
        Malformed: it is no such answer.
    """
    return _list(body, _ISSUE, {})


def indices(body: RawBody) -> pa.Table:
    """The indices in an answer of MDCSTAT00401: name, group and code (``indIdx``, ``indIdx2`` of the other screens).

    Raises:
        Malformed: it is no such answer.
    """
    return _list(body, _INDEX, {})


def index_members(body: RawBody) -> pa.Table:
    """The members of an index on a day in an answer of MDCSTAT00601: symbol, name, close, change, market_cap_krw.

    Raises:
        Malformed: it is no such answer.
    """
    return _list(body, _MEMBER, _MEMBER_FIGURES)


def _list(body: RawBody, texts: Mapping[str, str], figures: Mapping[str, str]) -> pa.Table:
    answer = read_answer(body)
    require_fields(answer.rows, (*texts.values(), *figures.values()), answer.where)
    columns = [(name, field, pa.string()) for name, field in texts.items()]
    columns += [(name, field, pa.int64()) for name, field in figures.items()]
    return pa.table(
        {
            name: read_column(answer.rows, field, Column(name, kind, ""), GROUPED, answer.where)
            for name, field, kind in columns
        }
    )
