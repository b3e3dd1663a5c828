"""Every recorded answer of the KRX portal, parsed by the parsers the product uses, with values checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.crawlers.krx_portal import CRAWLERS, reference
from include.crawlers.krx_portal.answers import read_answer
from include.crawlers.krx_portal.bars import issue_history
from include.crawlers.krx_portal.flows import class_totals, net_by_session
from include.crawlers.krx_portal.holdings import portfolio
from include.crawlers.krx_portal.indices import index_history
from include.crawlers.krx_portal.products import fund_history
from include.crawlers.krx_portal.valuation import holding_history, ratio_history
from include.crawlers.published_rows import GROUPED, read_column
from include.crawlers.source import Chunk, RawBody
from include.datasets.registry import Column, dataset_named
from include.market.calendar import KST
from include.market.instruments import InstrumentKind
from include.market.investors import CLASSES, INSTITUTIONS, Investor
from include.outcomes import NotASession
from include.quality.row_rules import mark_violations

pytestmark = pytest.mark.samples

SAMSUNG = "KR7005930003"
FLOW_WEEK = "20210115_20210122"
Form = dict[str, str]
Check = Callable[[Path, RawBody, Form], None]


@pytest.fixture(scope="module")
def recorded(samples: Path) -> Path:
    return samples / "krx_portal"


@cache
def _index(folder: Path) -> dict[str, Form]:
    entries = json.loads((folder / "INDEX.json").read_text(encoding="utf-8"))
    return {entry["file"]: entry["form"] for entry in entries}


def _body(folder: Path, file: str) -> RawBody:
    return RawBody((folder / file).read_bytes(), _index(folder)[file], datetime(2026, 4, 15, tzinfo=UTC), ".json")


def _find(folder: Path, beginning: str) -> RawBody:
    [file] = [file for file in _index(folder) if file.startswith(beginning)]
    return _body(folder, file)


def _day(compact: str) -> date:
    return datetime.strptime(compact, "%Y%m%d").date()  # noqa: DTZ007 - a day, not a moment


def _parsed(dataset: str, body: RawBody, session: date) -> pa.Table:
    rows = CRAWLERS[dataset].parse([body], Chunk(session, session))
    assert rows.schema == dataset_named(dataset).parsed_schema
    return rows


def _lawful(dataset: str, rows: pa.Table) -> None:
    marked = mark_violations(rows, dataset_named(dataset))
    assert marked["violated_rule"].null_count == rows.num_rows, marked["violated_rule"].value_counts()


def _row(rows: pa.Table, **key: Any) -> dict[str, Any]:
    for column, value in key.items():
        rows = rows.filter(pc.equal(rows[column], pa.scalar(value)))
    [row] = rows.to_pylist()
    return row


def _days_within(rows: pa.Table, form: Form) -> None:
    days = rows["session"].to_pylist()
    assert days == sorted(set(days), reverse=True)
    assert _day(form["strtDd"]) <= days[-1]
    assert days[0] <= _day(form["endDd"])


def _market_bars(folder: Path, body: RawBody, form: Form) -> None:
    rows = _parsed("daily_bar", body, _day(form["trdDd"]))
    _lawful("daily_bar", rows)
    if form["mktId"] == "KSQ":
        assert rows.num_rows == 1472
        assert set(rows["market"].to_pylist()) == {"KOSDAQ"}
    else:
        assert rows.num_rows == 2531
        assert set(rows["market"].to_pylist()) == {"KOSPI", "KOSDAQ", "KONEX"}
    if form["trdDd"] == "20210104":
        samsung = _row(rows, symbol="005930")
        assert (samsung["close"], samsung["change"], samsung["base_price"]) == (83_000, 2_000, 81_000)
        limit = _row(rows, symbol="002360")
        assert (limit["close"], limit["fluctuation_code"]) == (1_085, 4)
        halted = _row(rows, symbol="079190")
        assert (halted["open"], halted["close"], halted["halted"]) == (0, 2_780, True)


def _issue_bars(folder: Path, body: RawBody, form: Form) -> None:
    rows = issue_history(body)
    _days_within(rows, form)
    assert pc.all(pc.equal(rows["market_cap_krw"], pc.multiply(rows["close"], rows["listed_shares"]))).as_py()
    if form["isuCd"] == SAMSUNG:
        assert rows.num_rows == 5  # 2018-04-27 to 05-04, halted for the split on three of them
        split = rows.to_pylist()[0]
        assert (split["session"], split["close"], split["change"]) == (date(2018, 5, 4), 51_900, -1_100)
        assert split["base_price"] == 53_000
        assert rows["close"].to_pylist()[1] == 2_650_000
        assert rows["halted"].to_pylist() == [False, True, True, True, False]


def _instruments(folder: Path, body: RawBody, form: Form) -> None:
    assert read_answer(body).given_at == datetime(2026, 4, 14, 23, 2, 56, tzinfo=KST)
    rows = _master(folder)
    assert rows.num_rows == 2882 + 1066 + 1
    _lawful("instrument", rows)
    kinds = {pair["values"]: pair["counts"] for pair in rows["kind"].value_counts().to_pylist()}
    assert kinds[InstrumentKind.REIT.value] == 25
    assert kinds[InstrumentKind.FOREIGN.value] == 12
    assert kinds[InstrumentKind.ETF.value] == 1066
    assert _row(rows, symbol="005930")["isin"] == SAMSUNG
    assert _row(rows, symbol="900070")["par_value"] == Decimal("0.5")
    assert _row(rows, symbol="950190")["par_value"] is None  # 무액면


def _etf_masters(folder: Path, body: RawBody, form: Form) -> None:
    rows = _master(folder)
    fund = _row(rows, symbol="495710")
    assert (fund["isin"], fund["listed_on"], fund["kind"]) == ("KR7495710006", date(2024, 12, 3), "etf")
    assert sum(not symbol.isdigit() for symbol in rows["symbol"].to_pylist()) >= 186


@cache
def _master(folder: Path) -> pa.Table:
    """The recorded stocks and ETFs as one master. No list of ETNs was recorded: an ETF's row stands for it."""
    stocks, funds = _find(folder, "MDCSTAT01901"), _find(folder, "MDCSTAT04601")
    answer = json.loads(funds.content) | {"CURRENT_DATETIME": "2026.04.14 PM 11:02:57"}
    note = answer | {"output": [answer["output"][0] | {"ISU_SRT_CD": "580011", "ISU_CD": "KRG580000112"}]}
    bodies = [stocks, *(replace(funds, content=json.dumps(each).encode()) for each in (answer, note))]
    session = date(2026, 4, 14)
    return CRAWLERS["instrument"].parse(bodies, Chunk(session, session))


def _issue_flows(folder: Path, body: RawBody, form: Form) -> None:
    """One class on one market; the sum of its issues is the class's row in the market's answer."""
    session = _day(form["strtDd"])
    rows = _parsed("investor_flow", body, session)
    assert len(set(rows["symbol"].to_pylist())) == rows.num_rows
    assert not any(row["sell_shares"] == row["buy_shares"] == 0 for row in rows.to_pylist())
    if form["invstTpCd"] == "9999":
        assert set(rows["net_krw"].to_pylist()) == {0}
    if form["mktId"] == "STK":
        [investor] = set(rows["investor"].to_pylist())
        totals = class_totals(_find(folder, f"MDCSTAT02201__{FLOW_WEEK}_STK__"))
        market = _row(totals, investor=investor)
        for column in ("sell_shares", "buy_shares", "net_shares", "sell_krw", "buy_krw", "net_krw"):
            assert pc.sum(rows[column]).as_py() == market[column], column
    if (form["mktId"], form["invstTpCd"]) == ("STK", "1000"):
        assert (len(read_answer(body).rows), rows.num_rows) == (865, 847)  # 18 rows of zeros only


def _class_flows(folder: Path, body: RawBody, form: Form) -> None:
    by_class = {row["investor"]: row for row in class_totals(body).to_pylist()}
    assert len(by_class) == 13
    for column in ("sell_shares", "buy_shares", "net_shares", "sell_krw", "buy_krw", "net_krw"):
        figures = {Investor(investor): row[column] for investor, row in by_class.items()}
        assert sum(figures[investor] for investor in INSTITUTIONS) == figures[Investor.INSTITUTION], column
        assert sum(figures[investor] for investor in CLASSES) == figures[Investor.TOTAL], column
    assert by_class["total"]["net_krw"] == by_class["total"]["net_shares"] == 0
    for row in by_class.values():
        assert row["buy_krw"] - row["sell_krw"] == row["net_krw"]
    if form.get("isuCd") == SAMSUNG:
        assert by_class["individual"]["net_krw"] == 2_054_064_769_700
        assert by_class["institution"]["net_shares"] == -14_615_999


def _net_flows(folder: Path, body: RawBody, form: Form) -> None:
    """Net by day: the four groups make nothing together, and the days make the answer that sums them."""
    rows = net_by_session(body)
    _days_within(rows, form)
    groups = ("institution", "other_corporation", "individual", "all_foreign")
    for row in rows.to_pylist():
        assert sum(row[group] for group in groups) == row["total"] == 0
    summed = {
        "MDCSTAT02202": f"MDCSTAT02201__{FLOW_WEEK}_STK_{'EF' if form.get('etf') else '_'}",
        "MDCSTAT02302": "MDCSTAT02301",
        "MDCSTAT04802": "MDCSTAT04801",
        "MDCSTAT04902": "MDCSTAT04901",
    }[form["bld"].rpartition("/")[2]]
    totals = {row["investor"]: row for row in class_totals(_find(folder, summed)).to_pylist()}
    column = "net_shares" if form.get("trdVolVal") == "1" else "net_krw"
    if "inqCondTpCd1" in form and form["inqCondTpCd1"] == "1":
        column = "net_krw"
    assert pc.sum(rows["institution"]).as_py() == totals["institution"][column]
    assert pc.sum(rows["individual"]).as_py() == totals["individual"][column]
    assert pc.sum(rows["all_foreign"]).as_py() == totals["foreign"][column] + totals["other_foreign"][column]


def _fundamentals(folder: Path, body: RawBody, form: Form) -> None:
    rows = _parsed("fundamental", body, _day(form["trdDd"]))
    _lawful("fundamental", rows)
    assert rows.num_rows == 895
    _ratios_hold(rows)
    if form["trdDd"] == "20210104":
        samsung = _row(rows, symbol="005930")
        assert (samsung["eps_krw"], samsung["per"], samsung["dps_krw"]) == (3_166, Decimal("26.22"), 1_416)
        unknown = _row(rows, symbol="001465")
        assert (unknown["eps_krw"], unknown["pbr"], unknown["dps_krw"]) == (None, None, 1_150)


def _fundamental_history(folder: Path, body: RawBody, form: Form) -> None:
    rows = ratio_history(body)
    _days_within(rows, form)
    _ratios_hold(rows)
    assert rows.num_rows == (82 if form["endDd"] == "20200430" else 5)


def _ratios_hold(rows: pa.Table) -> None:
    for row in rows.select(["close", "eps_krw", "per", "bps_krw", "pbr"]).to_pylist():
        for figure, ratio in (("eps_krw", "per"), ("bps_krw", "pbr")):
            if row[ratio] is not None:
                assert abs(Decimal(row["close"]) / row[figure] - row[ratio]) <= Decimal("0.01")


def _foreigners(folder: Path, body: RawBody, form: Form) -> None:
    rows = _parsed("foreign_holding", body, _day(form["trdDd"]))
    _lawful("foreign_holding", rows)
    limited = form["isuLmtRto"] == "1"
    assert rows.num_rows == (18 if limited else 917)
    kt = _row(rows, symbol="030200")
    assert (kt["foreign_shares"], kt["limit_shares"]) == (114_615_062, 127_944_786)
    assert (kt["foreign_pct"], kt["limit_used_pct"]) == (Decimal("43.90"), Decimal("89.58"))


def _foreigner_history(folder: Path, body: RawBody, form: Form) -> None:
    [row] = holding_history(body).to_pylist()
    assert (row["session"], row["foreign_shares"], row["foreign_pct"]) == (
        date(2020, 1, 20),
        3_411_538_909,
        Decimal("57.15"),
    )


def _etf_bars(folder: Path, body: RawBody, form: Form) -> None:
    session = _day(form["trdDd"])
    if form["trdDd"] == "20210321":  # a Sunday: every price '-', the unit counts filled
        with pytest.raises(NotASession):
            _parsed("etp_daily_bar", body, session)
        return
    rows = _parsed("etp_daily_bar", body, session)
    _lawful("etp_daily_bar", rows)
    assert rows.num_rows == 467
    kodex = _row(rows, symbol="069500")
    assert (kodex["close"], kodex["base_price"], kodex["nav"]) == (41_520, 41_340, Decimal("41532.10"))
    assert (kodex["net_assets_krw"], kodex["underlying_index"]) == (4_726_352_841_826, "코스피 200")
    untraded = _row(rows, symbol="306540")
    assert (untraded["halted"], untraded["underlying_close"]) == (True, None)


def _etf_history(folder: Path, body: RawBody, form: Form) -> None:
    rows = fund_history(body)
    _days_within(rows, form)
    assert pc.all(pc.equal(rows["market_cap_krw"], pc.multiply(rows["close"], rows["listed_shares"]))).as_py()
    days = rows.to_pylist()
    # The signs this screen leaves out are put back. A distribution moves an ETF's base, unlike a stock's dividend.
    resets = {
        later["session"]: earlier["close"] - later["base_price"]
        for later, earlier in pairwise(days)
        if later["base_price"] != earlier["close"]
    }
    distributions = {date(2020, 4, 28): 425, date(2020, 1, 30): 50}
    assert resets == (distributions if form["strtDd"] == "20200101" else {})
    if form["strtDd"] == "20200101":
        assert (rows.num_rows, days[0]["change"], days[0]["nav"]) == (101, -50, Decimal("26877.98"))


def _portfolio(folder: Path, body: RawBody, form: Form) -> None:
    rows = portfolio(read_answer(body), "152100", _day(form["trdDd"]))
    assert rows.schema == dataset_named("etf_holding").parsed_schema
    _lawful("etf_holding", rows)
    assert rows["position"].to_pylist() == list(range(1, 202))
    samsung = _row(rows, component="005930")
    assert (samsung["name"], samsung["kind"], samsung["shares"]) == ("삼성전자", "stock", Decimal(8_140))
    assert (samsung["weight_pct"], samsung["value_krw"]) == (Decimal("31.74"), 690_272_000)
    cash = _row(rows, component="KRD010010001")
    assert (cash["name"], cash["kind"], cash["shares"], cash["value_krw"]) == ("원화예금", "cash", None, 14_159_974)
    assert pc.sum(rows["weight_pct"]).as_py() == 100
    total = pc.sum(rows["value_krw"]).as_py()
    for row in rows.to_pylist():
        assert abs(Decimal(100 * row["value_krw"]) / total - row["weight_pct"]) <= Decimal("0.005")


def _index_bars(folder: Path, body: RawBody, form: Form) -> None:
    rows = index_history(body)
    _days_within(rows, form)
    days = rows.to_pylist()
    for later, earlier in pairwise(days):
        assert later["close"] - later["change"] == earlier["close"]
        assert later["low"] <= later["close"] <= later["high"]
    if form["endDd"] == "20210328":
        assert (days[0]["session"], days[0]["close"]) == (date(2021, 3, 26), Decimal("3041.01"))
        assert (days[-1]["session"], days[-1]["change"]) == (date(2021, 3, 22), Decimal("-4.07"))


def _index_list(folder: Path, body: RawBody, form: Form) -> None:
    rows = reference.indices(body)
    assert len(set(zip(rows["group"].to_pylist(), rows["code"].to_pylist(), strict=True))) == rows.num_rows
    if form["idxIndMidclssCd"] == "02":
        assert rows.to_pylist()[0] == {"index_name": "코스피", "group": "1", "code": "001"}
    assert rows.num_rows == {"01": 34, "02": 50, "03": 39, "04": 42}[form["idxIndMidclssCd"]]


def _members(folder: Path, body: RawBody, form: Form) -> None:
    rows = reference.index_members(body)
    assert len(set(rows["symbol"].to_pylist())) == rows.num_rows
    if form["trdDd"] == "20260123":  # as many as the list of indices said the day after
        counted = {("1", "001"): 839, ("2", "001"): 1805, ("1", "163"): 50}
        assert rows.num_rows == counted[form["indIdx"], form["indIdx2"]]
    if (form["indIdx"], form["indIdx2"], form["trdDd"]) == ("1", "001", "20140502"):
        assert rows.to_pylist()[0]["close"] == 1_346_000


def _issue_list(folder: Path, body: RawBody, form: Form) -> None:
    rows = reference.issues(body)
    listed = form["bld"].endswith("finder_stkisu")
    assert rows.num_rows == (2894 if listed else 4043)
    assert set(rows["market"].to_pylist()) == {"STK", "KSQ", "KNX"}
    assert len(set(rows["isin"].to_pylist())) == rows.num_rows
    if listed:
        assert _row(rows, symbol="005930")["isin"] == SAMSUNG


def _range_change(folder: Path, body: RawBody, form: Form) -> None:
    """How prices moved over a range: no session's figures, so in no dataset's form. Last less first is the change."""
    answer = read_answer(body)
    first, last, change = {
        "MDCSTAT01602": ("BAS_PRC", "TDD_CLSPRC", "CMPPREVDD_PRC"),
        "MDCSTAT04401": ("BAS_PRC", "CLSPRC", "CMP_PRC"),
        "MDCSTAT00201": ("OPN_DD_INDX", "END_DD_INDX", "PRV_DD_CMPR"),
    }[form["bld"].rpartition("/")[2]]
    kind = Column("price", pa.decimal128(18, 2), "Price or level", nullable=True)
    prices = [
        read_column(answer.rows, field, kind, GROUPED, answer.where).to_pylist() for field in (first, last, change)
    ]
    known = [row for row in zip(*prices, strict=True) if None not in row]
    assert len(known) >= len(answer.rows) - 3  # indices announced later have none
    for began, ended, moved in known:
        assert ended - began == moved


CHECKS: dict[str, Check] = {
    "MDCSTAT00201": _range_change,
    "MDCSTAT00301": _index_bars,
    "MDCSTAT00401": _index_list,
    "MDCSTAT00601": _members,
    "MDCSTAT01501": _market_bars,
    "MDCSTAT01602": _range_change,
    "MDCSTAT01701": _issue_bars,
    "MDCSTAT01901": _instruments,
    "MDCSTAT02201": _class_flows,
    "MDCSTAT02202": _net_flows,
    "MDCSTAT02301": _class_flows,
    "MDCSTAT02302": _net_flows,
    "MDCSTAT02401": _issue_flows,
    "MDCSTAT03501": _fundamentals,
    "MDCSTAT03502": _fundamental_history,
    "MDCSTAT03701": _foreigners,
    "MDCSTAT03702": _foreigner_history,
    "MDCSTAT04301": _etf_bars,
    "MDCSTAT04401": _range_change,
    "MDCSTAT04501": _etf_history,
    "MDCSTAT04601": _etf_masters,
    "MDCSTAT04801": _class_flows,
    "MDCSTAT04802": _net_flows,
    "MDCSTAT04901": _class_flows,
    "MDCSTAT04902": _net_flows,
    "MDCSTAT05001": _portfolio,
    "finder_listdelisu": _issue_list,
    "finder_stkisu": _issue_list,
}


@pytest.mark.parametrize("code", CHECKS)
def test_every_recorded_answer_of_a_screen_says_what_was_published(recorded: Path, code: str) -> None:
    files = [file for file in _index(recorded) if file.startswith(f"{code}__")]
    assert files, f"no recorded answer of {code}"
    for file in files:
        CHECKS[code](recorded, _body(recorded, file), _index(recorded)[file])


def test_no_recorded_answer_is_left_out(recorded: Path) -> None:
    files = {path.name for path in recorded.iterdir()} - {"INDEX.json"}
    assert files == set(_index(recorded))
    unread = {file for file in files if file.partition("__")[0] not in CHECKS}
    assert not unread, f"recorded answers no test reads: {', '.join(sorted(unread))}"


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_questions_have_the_fields_of_the_recorded_forms(recorded: Path, dataset: str) -> None:
    """As far as a question's screen was recorded: those of ETNs, sectors and delistings were not."""
    forms = {form["bld"]: form for form in _index(recorded).values()}
    session = date(2021, 1, 15)
    asked = [question for question in CRAWLERS[dataset].questions(Chunk(session, session)) if question.bld in forms]
    for question in asked:
        assert question.form.keys() == forms[question.bld].keys() - {"bld"}
    unrecorded = {"sector", "delisting", "index_bar"}
    assert bool(asked) == (dataset not in unrecorded)
