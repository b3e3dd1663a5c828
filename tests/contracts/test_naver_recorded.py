"""Every recorded Naver body through its parser, with values known from elsewhere."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.crawlers.naver import CRAWLERS
from include.crawlers.naver.charts import CHART_SCHEMA, parse_fchart
from include.crawlers.source import Chunk, Issue, RawBody
from include.market.calendar import sessions_between

pytestmark = pytest.mark.samples

LONG_CHART = "fchart.stock.naver.com__sise.nhn_0_005930_day_516c55.txt"
SHORT_CHART = "fchart.stock.naver.com__sise.nhn_0_005930_day_744a0c.txt"
TREND = "m.stock.naver_getTrendList_005930_20210427.json"
QUOTE = "m.stock.naver_siseListJson_item_005930_20210427.json"
RECORDED_DAY = date(2021, 4, 27)


def _bar(chart: pa.Table, day: date) -> dict[str, Any]:
    [row] = chart.filter(pc.equal(chart["session"], pa.scalar(day))).to_pylist()
    return row


def _json(samples: Path, name: str) -> Any:
    return json.loads((samples / "naver" / name).read_text())


def test_every_file_is_covered(samples: Path) -> None:
    assert {path.name for path in (samples / "naver").iterdir()} == {LONG_CHART, SHORT_CHART, TREND, QUOTE}


@pytest.mark.parametrize(
    ("name", "rows", "first"), [(LONG_CHART, 2832, date(2014, 7, 11)), (SHORT_CHART, 1835, date(2018, 8, 2))]
)
def test_fchart_has_every_session_once(samples: Path, name: str, rows: int, first: date) -> None:
    chart = parse_fchart((samples / "naver" / name).read_bytes())
    assert chart.schema == CHART_SCHEMA
    assert chart.num_rows == rows
    assert set(chart["symbol"].to_pylist()) == {"005930"}
    assert chart["session"].to_pylist() == sessions_between(first, date(2026, 1, 23))


def test_fchart_is_adjusted_for_the_split_of_2018(samples: Path) -> None:
    chart = parse_fchart((samples / "naver" / LONG_CHART).read_bytes())
    before, after = _bar(chart, date(2018, 4, 27)), _bar(chart, date(2018, 5, 4))
    assert before["close"] == Decimal(2_650_000) / 50
    assert (after["open"], after["high"], after["low"], after["close"]) == (53_000, 53_900, 51_800, 51_900)
    assert after["volume"] == 39_565_391
    halted = _bar(chart, date(2018, 5, 2))
    assert (halted["open"], halted["high"], halted["low"], halted["close"], halted["volume"]) == (0, 0, 0, 53_000, 0)


def test_charts_of_different_length_agree(samples: Path) -> None:
    charts = [parse_fchart((samples / "naver" / name).read_bytes()) for name in (LONG_CHART, SHORT_CHART)]
    assert charts[0].slice(charts[0].num_rows - charts[1].num_rows).equals(charts[1])


def test_a_recorded_quote_reads_as_the_day_it_is_of(samples: Path) -> None:
    bar = _bar(parse_fchart((samples / "naver" / LONG_CHART).read_bytes()), RECORDED_DAY)
    recorded = _json(samples, QUOTE)
    prices = {"ov": int(bar["open"]), "hv": int(bar["high"]), "lv": int(bar["low"])}  # the page's list has no such
    at = datetime(2021, 4, 27, 6, 40, tzinfo=UTC)
    answer = {"result": {"areas": [{"datas": [recorded | prices]}], "time": int(at.timestamp() * 1000)}}
    body = RawBody(json.dumps(answer).encode(), {"endpoint": "realtime"}, at, ".json")
    chunk = Chunk(RECORDED_DAY, RECORDED_DAY, (Issue("005930", "KOSPI", "삼성전자", ""),), at)
    [quote] = CRAWLERS["intraday_snapshot"].parse([body], chunk).to_pylist()
    assert quote["price"] == bar["close"] == 82_900
    assert quote["change"] == -600
    assert quote["price"] - quote["change"] == recorded["pcv"]
    assert 0 < quote["volume"] <= bar["volume"]  # not final until the evening


def test_recorded_flows_read_in_the_form_they_have_today(samples: Path) -> None:
    [trend] = _json(samples, TREND)["result"]
    row = {
        "itemCode": trend["itemcode"],
        "bizdate": trend["bizdate"],
        "foreignerPureBuyQuant": f"{trend['frgn_pure_buy_quant']:+,}",
        "foreignerHoldRatio": f"{trend['frgn_hold_ratio']:.2f}%",
        "organPureBuyQuant": f"{trend['organ_pure_buy_quant']:+,}",
        "individualPureBuyQuant": f"{trend['indi_pure_buy_quant']:+,}",
        "closePrice": f"{trend['close_val']:,}",
        "accumulatedTradingVolume": f"{trend['acc_quant']:,}",
    }
    request = {"endpoint": "trend", "code": trend["itemcode"]}
    body = RawBody(json.dumps([row]).encode(), request, datetime(2021, 4, 27, 12, tzinfo=UTC), ".json")
    chunk = Chunk(RECORDED_DAY, RECORDED_DAY, (Issue("005930", "KOSPI", "삼성전자", ""),))
    flows = CRAWLERS["investor_flow"].parse([body], chunk).to_pylist()
    assert {(flow["symbol"], flow["session"]) for flow in flows} == {("005930", RECORDED_DAY)}
    nets = {flow["investor"]: flow["net_shares"] for flow in flows}
    assert nets == {"institution": -759_474, "foreign": -1_878_015, "individual": 2_653_560}
    assert sum(nets.values()) == 16_071  # what other corporations sold net


def test_the_recorded_trend_and_quote_agree(samples: Path) -> None:
    [trend], quote = _json(samples, TREND)["result"], _json(samples, QUOTE)
    assert trend["itemcode"] == quote["cd"]
    assert trend["bizdate"] == f"{RECORDED_DAY:%Y%m%d}"
    assert (trend["close_val"], trend["change_val"], trend["acc_quant"]) == (quote["nv"], quote["cv"], quote["aq"])
    assert trend["frgn_hold_ratio"] == pytest.approx(
        100 * trend["frgn_stock"] / (1000 * trend["listed_stock"]), abs=1e-3
    )
