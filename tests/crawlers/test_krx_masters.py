"""The exchange's masters of issues, as all its services publish them: whatever a field holds, rows or ``Malformed``."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from include.crawlers import krx_masters
from include.crawlers.published_rows import GROUPED, PLAIN, Notation
from include.datasets.instrument import DATASET
from include.market.instruments import InstrumentKind
from include.outcomes import Malformed

DAY = date(2024, 3, 20)
DAYS = {PLAIN: "19750611", GROUPED: "1975/06/11"}


def _stock(notation: Notation, **changes: Any) -> dict[str, Any]:
    return {
        "ISU_CD": "KR7005930003",
        "ISU_SRT_CD": "005930",
        "ISU_NM": "삼성전자보통주",
        "ISU_ABBRV": "삼성전자",
        "ISU_ENG_NM": "SamsungElectronics",
        "LIST_DD": DAYS[notation],
        "MKT_TP_NM": "KOSPI",
        "SECUGRP_NM": "주권",
        "SECT_TP_NM": "",
        "KIND_STKCERT_TP_NM": "보통주",
        "PARVAL": "100",
        "LIST_SHRS": "5969782550",
    } | changes


@pytest.mark.parametrize("notation", [PLAIN, GROUPED], ids=["open_api", "portal"])
@pytest.mark.parametrize(("par", "par_value"), [("100", 100), ("무액면", None), ("-", None), ("", None)])
def test_a_stock_reads_alike_in_every_notation(notation: Notation, par: str, par_value: int | None) -> None:
    table = krx_masters.stocks([_stock(notation, PARVAL=par)], DAY, notation, "a master")
    assert table.schema == DATASET.parsed_schema
    [row] = table.to_pylist()
    assert (row["symbol"], row["session"], row["kind"]) == ("005930", DAY, InstrumentKind.COMMON.value)
    assert row["listed_on"] == date(1975, 6, 11)
    assert row["par_value"] == par_value


@pytest.mark.parametrize("value", [None, 1, ["주권"], {"a": "주권"}], ids=repr)
@pytest.mark.parametrize("field", _stock(PLAIN))
def test_what_is_no_text_is_malformed_in_every_field(field: str, value: Any) -> None:
    with pytest.raises(Malformed, match=f"{field} is"):
        krx_masters.stocks([_stock(PLAIN, **{field: value})], DAY, PLAIN, "a master")


@pytest.mark.parametrize("field", _stock(PLAIN))
def test_a_field_that_is_missing_is_malformed(field: str) -> None:
    row = _stock(PLAIN)
    del row[field]
    with pytest.raises(Malformed, match=field):
        krx_masters.stocks([row], DAY, PLAIN, "a master")
