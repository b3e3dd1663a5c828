"""The law of adjustment: an adjusted return is the published change over the base price, on every real row."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from include.adjustments.decisions import NewDecision, decide
from include.adjustments.evidence import Kind
from include.adjustments.refresh import refresh_adjustments, take_readjusted_symbols
from include.crawlers.krx_portal.bars import issue_history
from include.crawlers.source import RawBody
from include.pipeline.backfill import backfill
from include.settings import Settings
from include.simulator.exchange.market import SimulatedMarket
from include.warehouse.fingerprint import fingerprints
from tests.adjustments.loading import bar, fetch, load_bars, of_dataset, sessions_from, table

FIRST, LAST = date(2019, 1, 2), date(2020, 12, 30)
DERIVED = (
    "market.corporate_action",
    "market.base_rounding",
    "market.adjustment_factor",
    "market.total_return_factor",
)

# Neighbouring sessions whose adjusted return is not change / base price, of all there are. Where a base was only
# rounded the adjusted return is the raw one; where the exchange did not reset it, the ratio of shares is applied.
BREACHES = """
    WITH neighbour AS (
        SELECT bar.symbol, bar.session, bar.close, bar.raw_close, bar.change_rate,
               lag(bar.close) OVER earlier AS prior_close, lag(bar.raw_close) OVER earlier AS prior_raw_close,
               lag(bar.session) OVER earlier AS prior_session
        FROM mart.adjusted_daily_bar AS bar
        WINDOW earlier AS (PARTITION BY bar.symbol ORDER BY bar.session)
    )
    SELECT
        count(*) FILTER (WHERE abs(bar.close / bar.prior_close - 1 - CASE
            WHEN rounding.symbol IS NOT NULL THEN bar.raw_close::float8 / bar.prior_raw_close - 1
            ELSE bar.change_rate END) > 1e-9),
        count(*)
    FROM neighbour AS bar JOIN market.session AS prior ON prior.session = bar.prior_session
    LEFT JOIN market.base_rounding AS rounding ON (rounding.symbol, rounding.session) = (bar.symbol, bar.session)
    WHERE prior.next_session = bar.session
        AND NOT EXISTS (
            SELECT FROM market.corporate_action AS action
            WHERE (action.symbol, action.ex_date) = (bar.symbol, bar.session) AND action.applied_basis = 'shares')
"""


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=31, symbols=60, first=FIRST, last=LAST)


@pytest.fixture(scope="module")
def rows(market: SimulatedMarket) -> pa.Table:
    return of_dataset(pa.concat_tables(market.iter_blocks()))


def _of(rows: pa.Table, sessions: list[date]) -> pa.Table:
    wanted = set(sessions)
    return rows.filter(pa.array([session in wanted for session in rows["session"].to_pylist()]))


def _derived(dsn: str) -> dict[str, str]:
    return {each.table: each.digest for each in fingerprints(dsn, list(DERIVED))}


# --- recorded windows


@pytest.fixture
def recorded(settings: Settings, warehouse: str, samples: Path) -> str:
    """A warehouse that holds the recorded windows of early 2022 and early 2024."""
    reports = backfill(settings, "daily_bar", None, None, source="marcap", path=str(samples / "marcap"))
    assert all(report.status == "loaded" for report in reports)
    refresh_adjustments(warehouse)
    return warehouse


def test_recorded_windows_obey_the_law_and_every_reset_has_a_kind(recorded: str) -> None:
    [[breaches, neighbours]] = fetch(recorded, BREACHES)
    assert breaches == 0
    assert neighbours > 150_000
    assert fetch(
        recorded,
        "SELECT extract(year FROM ex_date)::int, status, count(*) FROM mart.corporate_action GROUP BY 1, 2 ORDER BY 1",
    ) == [(2022, "applied", 17), (2024, "applied", 24)]
    assert fetch(recorded, "SELECT count(*) FROM market.base_rounding") == [(0,)]
    # Rehabilitation that mixes a reduction with new shares is the one nobody could tell from the bars.
    assert fetch(recorded, "SELECT symbol FROM market.corporate_action WHERE kind = 'unexplained'") == [("052190",)]
    assert fetch(recorded, "SELECT count(*) FROM market.corporate_action WHERE evidence = ''") == [(0,)]


def test_recorded_kinds(recorded: str) -> None:
    kinds = dict(fetch(recorded, "SELECT symbol || ' ' || ex_date, kind FROM market.corporate_action"))
    told = {
        "204630 2022-01-04": "reverse_split",
        "032800 2022-02-04": "capital_reduction",
        "211050 2022-02-16": "market_change",
        "003560 2024-01-04": "capital_reduction",
        "336370 2024-01-08": "bonus_issue",
        "33637K 2024-01-08": "bonus_issue",
        "33637L 2024-01-08": "bonus_issue",
        "419270 2024-01-12": "merger",
        "079370 2024-01-16": "bonus_issue",
        "034220 2024-01-25": "rights_issue",
        "033290 2024-02-02": "spin_off",
        "001140 2024-02-02": "relisting",
        "089230 2024-02-13": "reverse_split",
    }
    assert {place: kinds[place] for place in told} == told


def test_factors_are_navers_steps(recorded: str, samples: Path) -> None:
    """Naver's adjusted series steps by our ratio, within its repeated rounding; 33637L it never adjusted."""
    with (samples / "naver_adjusted" / "naver_adjusted_20231205_20240430.csv").open(encoding="utf-8-sig") as lines:
        naver = {
            (row["종목코드"].zfill(6), date.fromisoformat(row["날짜"][:10])): int(float(row["종가"]))
            for row in csv.DictReader(lines)
        }
    raw = {
        (symbol, session): close
        for symbol, session, close in fetch(
            recorded, "SELECT symbol, session, close FROM market.daily_bar WHERE session >= '2024-01-01'"
        )
    }
    steps = {}
    for symbol, ex_date, prior, ratio in fetch(
        recorded,
        "SELECT symbol, ex_date, prior_session, applied_ratio FROM market.corporate_action "
        "WHERE ex_date >= '2024-01-01'",
    ):
        if {(symbol, ex_date), (symbol, prior)} <= naver.keys():
            scale_before = naver[symbol, prior] / raw[symbol, prior]
            scale_after = naver[symbol, ex_date] / raw[symbol, ex_date]
            steps[symbol] = (scale_before / scale_after) / ratio - 1
    assert len(steps) == 20
    assert {symbol for symbol, difference in steps.items() if abs(difference) > 0.005} == {"33637L"}


@pytest.mark.samples
def test_samsungs_split_from_the_portals_own_answer(warehouse: str, samples: Path) -> None:
    folder = samples / "krx_portal"
    asked = {"isuCd": "KR7005930003", "strtDd": "20180427", "endDd": "20180504", "adjStkPrc": "1"}
    entries = json.loads((folder / "INDEX.json").read_text(encoding="utf-8"))
    [entry] = [entry for entry in entries if asked.items() <= entry["form"].items()]
    body = RawBody((folder / entry["file"]).read_bytes(), entry["form"], datetime(2026, 1, 25, tzinfo=UTC), ".json")
    rows = [
        bar(
            "005930",
            row["session"],
            row["close"],
            base=row["base_price"],
            opened=row["open"],
            shares=row["listed_shares"],
            halted=row["halted"],
            market="KOSPI",
            name="삼성전자",
        )
        for row in issue_history(body).to_pylist()
    ]
    load_bars(warehouse, table(rows))
    refresh_adjustments(warehouse)
    assert fetch(warehouse, "SELECT ex_date, kind, applied_ratio FROM market.corporate_action") == [
        (date(2018, 5, 4), "split", 53_000 / 2_650_000)
    ]
    assert fetch(warehouse, "SELECT close FROM mart.adjusted_daily_bar WHERE session = '2018-04-27'") == [(53_000.0,)]


def test_recorded_rows_read_back_as_published(recorded: str, samples: Path) -> None:
    from include.crawlers.marcap import CRAWLERS
    from include.crawlers.source import Chunk

    columns = [
        *("symbol", "session", "open", "high", "low", "close", "volume", "value_krw", "market_cap_krw"),
        *("listed_shares", "change", "fluctuation_code", "market"),
    ]
    read_back = fetch(
        recorded, f'SELECT {", ".join(columns)} FROM market.daily_bar ORDER BY session, symbol COLLATE "C"'
    )
    published = []
    crawler = CRAWLERS["daily_bar"]
    for year in (2022, 2024):
        chunk = Chunk(date(year, 1, 1), date(year, 12, 31))
        rows = crawler.parse(crawler.fetch(chunk, None, {"KRXW_MARCAP_PATH": str(samples / "marcap")}), chunk)
        rows = rows.select(columns).sort_by([("session", "ascending"), ("symbol", "ascending")])
        published += list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    assert len(published) == 161_746
    assert read_back == published
    assert fetch(recorded, "SELECT count(*) FROM ops.quarantine") == [(0,)]


def test_names_and_sections_read_back_as_published(recorded: str, samples: Path) -> None:
    from include.crawlers.marcap import CRAWLERS
    from include.crawlers.source import Chunk

    read_back = fetch(
        recorded,
        "SELECT bar.symbol, bar.session, history.name, history.section FROM market.daily_bar AS bar "
        "JOIN mart.instrument_history AS history ON history.symbol = bar.symbol "
        "AND bar.session BETWEEN history.first_session AND history.last_session WHERE bar.session < '2022-03-01'",
    )
    chunk = Chunk(date(2022, 1, 1), date(2022, 12, 31))
    crawler = CRAWLERS["daily_bar"]
    rows = crawler.parse(crawler.fetch(chunk, None, {"KRXW_MARCAP_PATH": str(samples / "marcap")}), chunk)
    published = zip(*(rows[name].to_pylist() for name in ("symbol", "session", "name", "section")), strict=True)
    assert sorted(read_back) == sorted(published)


# --- the simulated market


def test_every_simulated_action_is_found_and_nothing_else(
    warehouse: str, rows: pa.Table, market: SimulatedMarket
) -> None:
    load_bars(warehouse, rows)
    refresh_adjustments(warehouse)
    found = fetch(
        warehouse,
        "SELECT symbol, ex_date, prior_close, base_price FROM market.corporate_action WHERE kind <> 'code_change'",
    )
    true = [action for action in market.actions if action.kind.value != "code_change"]
    assert len(true) > 10
    assert sorted(found) == sorted(
        (action.symbol, action.ex_date, action.previous_close, action.base_price) for action in true
    )
    assert fetch(warehouse, BREACHES)[0][0] == 0


def test_refreshing_again_changes_nothing(warehouse: str, rows: pa.Table) -> None:
    load_bars(warehouse, rows)
    refresh_adjustments(warehouse)
    states = "SELECT xmin, * FROM market.adjustment_factor ORDER BY symbol, first_session"
    actions = "SELECT xmin, * FROM market.corporate_action ORDER BY symbol, ex_date"
    before = fetch(warehouse, states), fetch(warehouse, actions)
    for everything in (False, True):
        report = refresh_adjustments(warehouse, everything=everything)
        assert (report.symbols_with_actions_changed, report.symbols_with_factors_changed) == ((), ())
    assert (fetch(warehouse, states), fetch(warehouse, actions)) == before


def test_order_of_arrival_does_not_matter(warehouse: str, rows: pa.Table, market: SimulatedMarket) -> None:
    """Bit by bit in any order, looking only at what is new, comes to what going through everything at once does."""
    load_bars(warehouse, rows)
    refresh_adjustments(warehouse, everything=True)
    expected = _derived(warehouse)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE market.daily_bar, market.corporate_action, market.corporate_action_revision, "
            "market.base_rounding, market.adjustment_factor, market.total_return_factor, ops.session_outcome"
        )
    parts = [market.sessions[start : start + 61] for start in range(0, len(market.sessions), 61)]
    random.Random(1).shuffle(parts)
    for sessions in parts:
        load_bars(warehouse, _of(rows, sessions))
        refresh_adjustments(warehouse)
    assert _derived(warehouse) == expected


def test_an_action_rebuilds_only_its_company(warehouse: str, rows: pa.Table, market: SimulatedMarket) -> None:
    action = max(market.actions, key=lambda each: each.ex_date)
    earlier = [session for session in market.sessions if session < action.ex_date]
    load_bars(warehouse, _of(rows, earlier))
    refresh_adjustments(warehouse)
    versions = "SELECT symbol || first_session, xmin::text FROM market.adjustment_factor"
    before = dict(fetch(warehouse, versions))
    load_bars(warehouse, _of(rows, [action.ex_date]))
    changed = refresh_adjustments(warehouse).symbols_with_factors_changed
    with_actions = {each.symbol for each in market.actions if each.ex_date == action.ex_date}
    assert set(changed) == with_actions
    after = dict(fetch(warehouse, versions))
    assert {key[:6] for key in after if before.get(key) != after[key]} == with_actions


def test_day_by_day_finds_what_going_through_everything_finds(warehouse: str) -> None:
    """Shares exchanged early in a halt and a base never reset: nothing of it shows on the session trading goes on."""
    days = sessions_from(date(2024, 3, 4), 9)
    for place, day in enumerate(days):
        shares = 5_000_000 if place < 4 else 1_000_000
        closes = [1_000] * 7 + [5_100, 5_000]
        rows = [
            bar("123450", day, closes[place], base=closes[max(place - 1, 0)], shares=shares, halted=2 <= place < 7),
            bar("900010", day, 10_000 + place, base=10_000 + max(place - 1, 0)),
        ]
        load_bars(warehouse, table(rows))
        refresh_adjustments(warehouse)
    step_by_step = _derived(warehouse)
    [[kind, ex_date, basis, ratio]] = fetch(
        warehouse, "SELECT kind, ex_date, applied_basis, applied_ratio FROM market.corporate_action"
    )
    assert (kind, ex_date, basis, ratio) == ("reverse_split", days[7], "shares", 5.0)
    refresh_adjustments(warehouse, everything=True)
    assert _derived(warehouse) == step_by_step


def test_decisions_apply_to_what_the_ones_before_made(warehouse: str) -> None:
    days = sessions_from(date(2024, 3, 4), 3)
    load_bars(warehouse, table([bar("123450", day, 10_000) for day in days]))
    steps = [
        (NewDecision("123450", days[1], "add", "the filing", Kind.SPLIT, 0.5), ("split", 0.5)),
        (NewDecision("123450", days[1], "confirm", "looked it up"), ("split", 0.5)),
        (NewDecision("123450", days[1], "correct", "another ratio", None, 0.4), ("split", 0.4)),
        (NewDecision("123450", days[1], "correct", "another kind", Kind.BONUS_ISSUE), ("bonus_issue", 0.4)),
        (NewDecision("123450", days[1], "dismiss", "never mind"), ("bonus_issue", 1.0)),
    ]
    for decision, held in steps:
        decide(warehouse, decision)
        assert fetch(warehouse, "SELECT kind, applied_ratio FROM market.corporate_action") == [held]
    decide(warehouse, NewDecision("123450", days[1], "withdraw", "nothing was found"))
    assert fetch(warehouse, "SELECT count(*) FROM market.corporate_action") == [(0,)]
    assert take_readjusted_symbols(warehouse) == ["123450"]
    assert take_readjusted_symbols(warehouse) == []
    with psycopg.connect(warehouse) as connection, pytest.raises(psycopg.errors.RaiseException, match="enter another"):
        connection.execute("DELETE FROM market.corporate_action_decision")


def test_an_action_to_come_changes_nothing_yet(warehouse: str) -> None:
    days = sessions_from(date(2024, 3, 4), 3)
    load_bars(warehouse, table([bar("123450", day, 10_000) for day in days[:2]]))
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            "INSERT INTO market.corporate_action_decision (symbol, ex_date, decision, kind, applied_ratio, reason) "
            "VALUES ('123450', %s, 'add', 'split', 0.02, 'announced')",
            [days[2]],
        )
    refresh_adjustments(warehouse)
    assert fetch(warehouse, "SELECT count(*) FROM market.adjustment_factor") == [(0,)]
    load_bars(warehouse, table([bar("123450", days[2], 200, base=200)]))
    refresh_adjustments(warehouse)
    assert fetch(warehouse, "SELECT price_factor FROM market.adjustment_factor") == [(0.02,)]


# --- gaps, roundings, volume


def test_what_a_missing_session_hides_is_pending_until_it_is_loaded(warehouse: str) -> None:
    days = sessions_from(date(2024, 3, 4), 5)
    history = [bar("123450", days[0], 10_000), bar("123450", days[1], 10_000)]
    load_bars(warehouse, table(history))
    load_bars(warehouse, table([bar("123450", days[3], 2_000)]))
    assert refresh_adjustments(warehouse).actions_pending == 1
    assert fetch(warehouse, "SELECT count(*) FROM market.adjustment_factor") == [(0,)]
    load_bars(warehouse, table([bar("123450", days[2], 2_000, base=2_000)]))
    report = refresh_adjustments(warehouse)
    assert (report.actions_pending, report.actions_applied) == (0, 1)
    assert fetch(warehouse, "SELECT ex_date, applied_ratio FROM market.corporate_action") == [(days[2], 0.2)]


def test_a_rounded_base_is_listed_and_leaves_the_raw_return(warehouse: str) -> None:
    days = sessions_from(date(2026, 2, 2), 3)
    load_bars(
        warehouse,
        table(
            [
                bar("123450", days[0], 2_110),
                bar("123450", days[1], 2_112, base=2_110),
                bar("123450", days[2], 2_120, base=2_115),
            ]
        ),
    )
    assert refresh_adjustments(warehouse).actions_applied == 0
    assert fetch(warehouse, "SELECT session, prior_close, base_price FROM mart.base_rounding") == [
        (days[2], 2_112, 2_115)
    ]
    closes = [close for (close,) in fetch(warehouse, "SELECT close FROM mart.adjusted_daily_bar ORDER BY session")]
    assert closes == [2_110, 2_112, 2_120]


def test_volume_times_price_is_the_same_on_both_sides_of_a_split(warehouse: str, rows: pa.Table) -> None:
    load_bars(warehouse, rows)
    refresh_adjustments(warehouse)
    [[worst, adjusted]] = fetch(
        warehouse,
        "SELECT max(abs(adjusted.close * adjusted.volume / (raw.close::float8 * raw.volume) - 1)), "
        "count(*) FILTER (WHERE adjusted.price_factor <> 1) "
        "FROM mart.adjusted_daily_bar AS adjusted JOIN market.daily_bar AS raw USING (symbol, session) "
        "WHERE raw.volume > 0",
    )
    assert worst < 1e-12
    assert adjusted > 1_000


# --- dividends


def test_a_dividend_is_reinvested_at_the_close_before(warehouse: str) -> None:
    days = sessions_from(date(2024, 3, 4), 6)
    closes = [10_000, 10_000, 9_800, 9_900, 1_980, 2_000]
    load_bars(
        warehouse,
        table(
            [
                bar("123450", day, close, base=1_980 if place == 4 else close if place == 0 else closes[place - 1])
                for place, (day, close) in enumerate(zip(days, closes, strict=True))
            ]
        ),
    )
    with psycopg.connect(warehouse) as connection:
        for split_adjusted, day, amount in (
            (True, days[2], 60),
            (False, days[5], 20),
            (False, days[5] + timedelta(1), 9),
        ):
            connection.execute(
                "INSERT INTO market.dividend VALUES ('123450', %s, %s, %s, NULL, NULL, 'kis', 1, now())",
                [day, amount, split_adjusted],
            )
    refresh_adjustments(warehouse, everything=True)
    total = [close for (close,) in fetch(warehouse, "SELECT close FROM mart.total_return_daily_bar ORDER BY session")]
    returns = [later / earlier for earlier, later in pairwise(total)]
    # 60 won after the split by five were 300 before it. The dividend to come changes nothing yet.
    expected = [1.0, 9_800 / (10_000 * (1 - 0.03)), 9_900 / 9_800, 1.0, 2_000 / (1_980 * (1 - 20 / 1_980))]
    assert returns == pytest.approx(expected, rel=1e-12)


# --- weeks and months


@pytest.mark.parametrize(("view", "unit"), [("mart.weekly_bar", "week"), ("mart.monthly_bar", "month")])
def test_weeks_and_months_are_on_one_scale(warehouse: str, rows: pa.Table, view: str, unit: str) -> None:
    load_bars(warehouse, rows)
    refresh_adjustments(warehouse)
    daily: dict[tuple[object, object], list[tuple[Any, ...]]] = defaultdict(list)
    for symbol, period, *figures in fetch(
        warehouse,
        f"SELECT symbol, date_trunc('{unit}', session)::date, open, high, low, close, volume, value_krw "
        "FROM mart.adjusted_daily_bar ORDER BY symbol, session",
    ):
        daily[symbol, period].append(tuple(figures))
    made = fetch(warehouse, f"SELECT symbol, {unit}, sessions, open, high, low, close, value_krw FROM {view}")
    assert len(made) == len(daily) > 1_000
    for symbol, period, sessions, *figures in made:
        bars = daily[symbol, period]
        traded = [each for each in bars if each[0] is not None]
        assert sessions == len(bars)
        assert figures == [
            traded[0][0] if traded else None,
            max(each[1] for each in traded) if traded else None,
            min(each[2] for each in traded) if traded else None,
            bars[-1][3],
            sum(each[5] for each in bars),
        ]
