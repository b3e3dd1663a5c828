"""The laws of ``derived.indicator``, on both databases."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.adjustments.refresh import refresh_adjustments
from include.datasets.registry import dataset_named
from include.indicators import column_table, formulas
from include.indicators import compute as compute_module
from include.indicators import table as table_module
from include.indicators.catalogue import CATALOGUE, COLUMNS
from include.indicators.compute import Reason
from include.indicators.due import Due
from include.indicators.panel import PanelError
from include.indicators.table import IndicatorReport, NoBarsError, refresh_indicators
from include.market.calendar import KST
from include.platform.postgres import PostgresServer
from include.warehouse.connection import WarehouseUnreachableError
from tests.adjustments.loading import fetch, load_bars, load_rows
from tests.indicators import published
from tests.indicators.published import SESSIONS, assert_same, bars, load_all, of_sessions, stored, versions

LATER = SESSIONS[-24:]
LONG_AFTER = datetime.combine(SESSIONS[-1] + timedelta(days=9), time(20), KST)


@pytest.fixture(scope="module")
def template(server: PostgresServer, migrated_template: str, without_suites: None) -> str:
    """A warehouse that holds the market but for the sessions ``LATER``, indicators included; to be copied."""
    name = f"template_{secrets.token_hex(6)}"
    dsn = server.create_database(name, template=migrated_template)
    load_all(dsn, of_sessions(bars(), SESSIONS[:-24]))
    refresh_adjustments(dsn)
    report = refresh_indicators(dsn)
    assert report.rows == of_sessions(bars(), SESSIONS[:-24]).num_rows
    server.close_database(name)
    return name


@pytest.fixture
def filled(server: PostgresServer, template: str, without_suites: None) -> Iterator[str]:
    """A copy of ``template``."""
    name = f"warehouse_{secrets.token_hex(6)}"
    yield server.create_database(name, template=template)
    server.drop_database(name)


def refresh(dsn: str) -> IndicatorReport:
    """As the DAGs do: factors, then indicators."""
    refresh_adjustments(dsn)
    return refresh_indicators(dsn)


def corrected(symbol: str, session: date) -> pa.Table:
    """The bars of a session, with other prices for one issue."""
    rows = of_sessions(bars(), [session]).to_pylist()
    for row in rows:
        if row["symbol"] == symbol:
            row |= {"high": row["high"] + 700, "volume": row["volume"] + 12_345}
    return pa.Table.from_pylist(rows, schema=bars().schema)


def changed(before: dict[tuple[str, date], int], after: dict[tuple[str, date], int]) -> set[tuple[str, date]]:
    """Rows that were written again, are new or are gone."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def issues_on(session: date) -> set[str]:
    return set(of_sessions(bars(), [session])["symbol"].to_pylist())


# --- increments


def test_increments_in_any_order_come_to_what_a_full_computation_does(filled: str) -> None:
    """Sessions, corrections of the past, indices and flows as they come, with a split, a listing and a move in them."""
    steps: list[Callable[[], None]] = [
        *(
            lambda days=LATER[start : start + 6]: load_all(filled, of_sessions(bars(), days))
            for start in range(0, 24, 6)
        ),
        lambda: load_bars(filled, corrected("000070", SESSIONS[-40]), LONG_AFTER),
        lambda: load_bars(filled, corrected("000040", SESSIONS[-330]), LONG_AFTER),
        lambda: load_bars(filled, corrected("000090", SESSIONS[5]), LONG_AFTER),
        lambda: published.load_index(filled, SESSIONS[-70:-60], 2, LONG_AFTER),
        lambda: published.load_flows(filled, of_sessions(bars(), SESSIONS[-190:-170])),
        lambda: refresh_adjustments(filled),
    ]
    random.Random(3).shuffle(steps)
    for step in steps:
        step()
        refresh_indicators(filled)
    refresh(filled)
    by_increments = stored(filled)
    report = refresh_indicators(filled, everything=True)
    assert set(report.symbols) == set(published.SYMBOLS)
    assert report.rows == bars().num_rows
    assert_same(by_increments, stored(filled))


def test_a_session_is_computed_of_the_last_ones_only(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_read: list[int] = []
    compute = table_module.compute

    def counted(panel, since):  # type: ignore[no-untyped-def]
        rows_read.append(len(panel.sessions))
        return compute(panel, since)

    monkeypatch.setattr(table_module, "compute", counted)
    before = versions(filled)
    load_all(filled, of_sessions(bars(), LATER[:1]))
    report = refresh(filled)
    assert set(report.symbols) == issues_on(LATER[0])
    assert (report.rows, report.since) == (len(issues_on(LATER[0])), LATER[0])
    assert changed(before, versions(filled)) == {(symbol, LATER[0]) for symbol in issues_on(LATER[0])}
    # About 670 sessions each, but all of the issue that is halted every third one.
    ordinary = len(issues_on(LATER[0])) - 2
    assert 600 * ordinary < sum(rows_read) < 690 * ordinary + 2 * len(SESSIONS)


def test_running_again_writes_nothing(filled: str) -> None:
    states = "SELECT xmin, * FROM derived.indicator_state ORDER BY symbol"
    columns = "SELECT xmin, * FROM derived.indicator_column ORDER BY position"
    before = versions(filled), fetch(filled, states), fetch(filled, columns)
    report = refresh_indicators(filled)
    assert report == IndicatorReport((), (), 0, None)
    assert "up to date" in report.summary()
    assert (versions(filled), fetch(filled, states), fetch(filled, columns)) == before


def test_later_sessions_move_nothing_that_was_there(filled: str) -> None:
    before = stored(filled)
    load_all(filled, of_sessions(bars(), LATER[:6]))
    refresh(filled)
    after = stored(filled)
    assert after.num_rows > before.num_rows
    known = after.filter(pc.less(after["session"], LATER[0]))
    assert known.combine_chunks().equals(before.combine_chunks())


# --- what is computed again, and what is not


def test_a_split_rewrites_the_history_of_its_issue_and_of_no_other(filled: str) -> None:
    until = [day for day in LATER if day < published.SPLIT_ON]
    load_all(filled, of_sessions(bars(), until))
    refresh(filled)
    before = versions(filled)
    load_all(filled, of_sessions(bars(), [published.SPLIT_ON]))
    report = refresh(filled)
    assert report.since == SESSIONS[0]
    rewritten = {(symbol, day) for symbol, day in changed(before, versions(filled)) if day < published.SPLIT_ON}
    assert rewritten == {(symbol, day) for symbol, day in before if symbol == published.SPLIT}


def test_factors_that_change_while_a_run_begins_rewrite_the_whole_issue(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bars of a split are due from its day on, and its factors come before they are read."""
    read_due = table_module.read_due

    def adjusted_first(connection: psycopg.Connection) -> list[Due]:
        refresh_adjustments(filled)
        return read_due(connection)

    load_all(filled, of_sessions(bars(), [day for day in LATER if day <= published.SPLIT_ON]))
    with monkeypatch.context() as patch:
        patch.setattr(table_module, "read_due", adjusted_first)
        refresh_indicators(filled)
    refresh(filled)
    found = stored(filled)
    refresh_indicators(filled, everything=True)
    assert_same(found, stored(filled))


def test_a_formula_that_changed_rewrites_every_issue(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of 5 sessions is made one of 4; its description and its values change together."""
    changed_catalogue = tuple(
        replace(each, parameters={"sessions": 4}) if each.columns[0].name == "sma_5" else each for each in CATALOGUE
    )
    monkeypatch.setattr(formulas, "CATALOGUE", changed_catalogue)
    monkeypatch.setattr(column_table, "CATALOGUE", changed_catalogue)
    [place] = [place for place, each in enumerate(changed_catalogue) if each not in CATALOGUE]
    changed_formulas = [*compute_module._FORMULAS]
    changed_formulas[place] = partial(changed_catalogue[place].kernel, sessions=4)
    monkeypatch.setattr(compute_module, "_FORMULAS", changed_formulas)
    report = refresh_indicators(filled)
    assert (report.rows, report.since) == (of_sessions(bars(), SESSIONS[:-24]).num_rows, SESSIONS[0])
    assert fetch(filled, "SELECT parameters FROM mart.indicator_column WHERE name = 'sma_5'") == [({"sessions": 4},)]
    [[wrong, compared]] = fetch(
        filled,
        "SELECT count(*) FILTER (WHERE abs(sma_5 - mean) > 1e-9 * mean), count(sma_5) FROM ("
        "SELECT stored.sma_5, avg(bar.close) OVER (PARTITION BY symbol ORDER BY session ROWS 3 PRECEDING) AS mean "
        "FROM derived.indicator AS stored JOIN mart.adjusted_daily_bar AS bar USING (symbol, session) WHERE traded"
        ") AS compared",
    )
    assert (wrong, compared > 1_000) == (0, True)
    assert refresh_indicators(filled) == IndicatorReport((), (), 0, None)


@pytest.mark.parametrize("back", [3, 100, 500])
def test_a_correction_rewrites_its_issue_from_its_session_on(filled: str, back: int) -> None:
    session = SESSIONS[-24 - back]
    before = versions(filled)
    load_bars(filled, corrected("000080", session), LONG_AFTER)
    report = refresh(filled)
    assert (report.symbols, report.since) == (("000080",), session)
    assert changed(before, versions(filled)) == {
        (symbol, day) for symbol, day in before if symbol == "000080" and day >= session
    }


def test_an_index_rewrites_the_issues_of_its_market_from_its_session_on(filled: str) -> None:
    session = SESSIONS[-34]
    rows = published.index_rows([session], 2)
    kospi = pc.equal(rows["family"], "KOSPI")
    others = published.index_rows([session]).filter(pc.invert(kospi))
    before = versions(filled)
    published.load_rows(
        filled,
        published.dataset_named("index_bar"),
        "krx_openapi",
        pa.concat_tables([rows.filter(kospi), others]),
        LONG_AFTER,
    )
    assert refresh(filled).symbols == (published.MOVED,)
    assert changed(before, versions(filled)) == {
        (symbol, day) for symbol, day in before if symbol == published.MOVED and day >= session
    }


def test_rows_that_vanish_take_their_indicators_along(filled: str) -> None:
    session = SESSIONS[-34]
    with psycopg.connect(filled) as connection:
        [batch] = connection.execute(
            "INSERT INTO ops.batch (dataset, source, first_session, last_session, status) "
            "VALUES ('daily_bar', 'krx_openapi', %s, %s, 'loaded') RETURNING batch_id",
            [SESSIONS[0], SESSIONS[-1]],
        ).fetchone() or [0]
        connection.execute(
            "WITH gone AS (DELETE FROM market.daily_bar WHERE symbol = '000070' "
            "OR (symbol = '000080' AND session = %s) RETURNING *) "
            "INSERT INTO market.daily_bar_revision SELECT gone.*, now(), %s FROM gone",
            [session, batch],
        )
    before = versions(filled)
    report = refresh(filled)
    assert (report.symbols, report.symbols_removed) == (("000080",), ("000070",))
    after = versions(filled)
    assert not [key for key in after if key[0] == "000070" or key == ("000080", session)]
    assert {(symbol, day) for symbol, day in changed(before, after) if symbol == "000080"} == {
        (symbol, day) for symbol, day in before if symbol == "000080" and day >= session
    }
    assert fetch(filled, "SELECT count(*) FROM derived.indicator_state WHERE symbol = '000070'") == [(0,)]
    assert refresh_indicators(filled) == IndicatorReport((), (), 0, None)


def test_signals_are_told_what_was_written(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        connection.execute("DELETE FROM ops.unsignalled_symbol")
    load_bars(filled, corrected("000080", SESSIONS[-40]), LONG_AFTER)
    load_bars(filled, corrected("000090", SESSIONS[-50]), LONG_AFTER)
    refresh(filled)
    load_bars(filled, corrected("000080", SESSIONS[-30]), LONG_AFTER)
    refresh(filled)
    assert fetch(filled, "SELECT symbol, since FROM ops.unsignalled_symbol ORDER BY symbol") == [
        ("000080", SESSIONS[-40]),
        ("000090", SESSIONS[-50]),
    ]


# --- kills


class Killed(BaseException):
    """As the process ending there."""


def test_a_run_that_was_cut_short_is_taken_up_where_it_was(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(done: int, issues: int) -> None:
        if done >= 3:
            raise Killed

    load_all(filled, of_sessions(bars(), LATER[:4]))
    refresh_adjustments(filled)
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(table_module, "_ROWS_AT_ONCE", 5_000)
        refresh_indicators(filled, on_progress=kill)
    left = {symbol for (symbol,) in fetch(filled, "SELECT symbol FROM ops.indicator_due")}
    assert 0 < len(left) < len(issues_on(LATER[0]))
    assert set(refresh_indicators(filled).symbols) == left
    taken_up = stored(filled)
    refresh_indicators(filled, everything=True)
    assert_same(taken_up, stored(filled))


def test_a_kill_between_two_statements_leaves_the_issue_as_it_was(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = table_module._Run._execute

    def killed_before_the_queue(run, statement, due):  # type: ignore[no-untyped-def]
        if statement is table_module._TAKE_OFF_QUEUE:
            raise Killed
        execute(run, statement, due)

    load_bars(filled, corrected("000080", SESSIONS[-60]), LONG_AFTER)
    before = versions(filled)
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(table_module._Run, "_execute", killed_before_the_queue)
        refresh_indicators(filled)
    assert versions(filled) == before
    assert refresh_indicators(filled).symbols == ("000080",)


def test_a_connection_that_breaks_off_is_told_in_plain_words(filled: str) -> None:
    def break_off(done: int, issues: int) -> None:
        with psycopg.connect(filled, application_name="krxw") as connection:
            [broken] = connection.execute(
                "SELECT count(pg_terminate_backend(pid, 20000)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'krxw'"
            ).fetchone() or [0]
        assert broken

    load_bars(filled, corrected("000080", SESSIONS[-60]), LONG_AFTER)
    with pytest.raises(WarehouseUnreachableError, match="broke off while indicators were written"):
        refresh_indicators(filled, on_progress=break_off)
    assert refresh_indicators(filled).symbols == ("000080",)


# --- bars nothing can be computed of


def test_a_bar_that_is_none_holds_up_its_own_issue_only(filled: str) -> None:
    low_of = "UPDATE market.daily_bar SET low = %s WHERE symbol = '000080' AND session = %s RETURNING high"
    load_all(filled, of_sessions(bars(), LATER[:1]))
    with psycopg.connect(filled) as connection:
        names = "session, open, high, low, close, volume, value_krw, market_cap_krw, listed_shares, change, base_price"
        connection.execute("SELECT ops.ensure_year_partitions('market.etp_daily_bar', %s, %s)", [LATER[0], LATER[0]])
        connection.execute(
            f"INSERT INTO market.etp_daily_bar (symbol, kind, market, {names}, halted, source, batch_id, known_at) "
            f"SELECT symbol, 'ETF', 'KOSPI', {names}, halted, source, batch_id, known_at "
            "FROM market.daily_bar WHERE symbol = '000070' AND session = %s",
            [LATER[0]],
        )
        lows = "SELECT session, low FROM market.daily_bar WHERE symbol = '000080' AND session < %s AND low > 0 "
        [[session, low]] = connection.execute(lows + "ORDER BY session DESC LIMIT 1", [LATER[0]]).fetchall()
        connection.execute(low_of, [10**9, session])
    refresh_adjustments(filled)
    with pytest.raises(PanelError) as refused:
        refresh_indicators(filled)
    assert str(refused.value).splitlines() == [
        f"2 of {len(issues_on(LATER[0]))} issues could not be computed, and are still due; the others are up to date:",
        f"000070 has two bars on {LATER[0]}; 1 rows are so",
        f"000080 has no range of prices on {session}; 1 rows are so",
    ]
    there = fetch(filled, "SELECT symbol FROM derived.indicator WHERE session = %s", LATER[0])
    assert {symbol for (symbol,) in there} == issues_on(LATER[0]) - {"000070", "000080"}
    with psycopg.connect(filled) as connection:
        connection.execute("DELETE FROM market.etp_daily_bar")
        connection.execute(low_of, [low, session])
    assert refresh_indicators(filled).symbols == ("000070", "000080")
    found = stored(filled)
    refresh_indicators(filled, everything=True)
    assert_same(found, stored(filled))


def test_without_bars_there_is_nothing_to_compute_of(warehouse: str) -> None:
    for everything in (False, True):
        with pytest.raises(NoBarsError, match="the warehouse holds no daily bars: load them first"):
            refresh_indicators(warehouse, everything=everything)


# --- what readers see


def test_the_table_its_comments_and_the_catalogue_agree(filled: str) -> None:
    described = fetch(
        filled,
        "SELECT attname, col_description(attrelid, attnum), format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'derived.indicator'::regclass AND attnum > 5 AND NOT attisdropped ORDER BY attnum",
    )
    assert described == [(each.name, f"{each.meaning} [{each.unit}]", "double precision") for each in COLUMNS]
    told = fetch(filled, "SELECT name, unit, warm_up, meaning, flat FROM mart.indicator_column ORDER BY position")
    assert told == [
        (column.name, column.unit, column.warm_up, column.meaning, each.flat)
        for each in CATALOGUE
        for column in each.columns
    ]
    of_table, of_view = (
        [
            name
            for (name,) in fetch(
                filled,
                f"SELECT attname FROM pg_attribute WHERE attrelid = '{relation}'::regclass "
                "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            )
        ]
        for relation in ("derived.indicator", "mart.indicator")
    )
    assert of_view == [*of_table[:2], "name", "market", *of_table[2:]]


def test_a_null_has_its_reason(filled: str) -> None:
    words = {
        Reason.NO_TRADE: "no trade",
        Reason.WARM_UP: "warm-up",
        Reason.FLAT: "flat",
        Reason.NO_INPUT: "no input",
    }
    for column in ("sma_5", "rsi_14", "beta_60", "foreign_net_krw_5"):
        found = dict(
            fetch(
                filled,
                f"SELECT mart.null_reason(traded, traded_sessions, flat, '{column}'), count(*) "
                f"FROM mart.indicator WHERE {column} IS NULL GROUP BY 1",
            )
        )
        assert set(found) <= set(words.values())
        assert found["no trade"] > 10
        assert found["warm-up"] > 10
        if column == "foreign_net_krw_5":
            assert found["no input"] > 1_000
    with psycopg.connect(filled) as connection, pytest.raises(psycopg.errors.RaiseException, match="rsi_15"):
        connection.execute("SELECT mart.null_reason(true, 0::smallint, 0, 'rsi_15')")


def test_flows_are_those_of_the_view(filled: str) -> None:
    [[wrong, compared]] = fetch(
        filled,
        """
        WITH traded AS (
            SELECT stored.symbol, stored.session, foreign_net_krw_5, institution_net_krw_20,
                sum(flow.foreign_net_krw) OVER five AS foreign_5, count(flow.foreign_net_krw) OVER five AS of_5,
                sum(flow.institution_net_krw) OVER twenty AS institution_20,
                count(flow.institution_net_krw) OVER twenty AS of_20,
                foreign_pct_change_20, foreign_pct - lag(foreign_pct, 20) OVER five AS pct_change
            FROM derived.indicator AS stored
            LEFT JOIN mart.net_flow AS flow USING (symbol, session)
            LEFT JOIN market.foreign_holding AS holding USING (symbol, session)
            WHERE traded
            WINDOW five AS (PARTITION BY stored.symbol ORDER BY stored.session ROWS 4 PRECEDING),
                twenty AS (PARTITION BY stored.symbol ORDER BY stored.session ROWS 19 PRECEDING)
        )
        SELECT
            count(*) FILTER (WHERE foreign_net_krw_5 IS DISTINCT FROM CASE WHEN of_5 = 5 THEN foreign_5 END
                OR institution_net_krw_20 IS DISTINCT FROM CASE WHEN of_20 = 20 THEN institution_20 END
                OR abs(foreign_pct_change_20 - pct_change) > 1e-9
                OR (foreign_pct_change_20 IS NULL) <> (pct_change IS NULL)),
            least(count(foreign_net_krw_5), count(pct_change))
        FROM traded
        """,
    )
    assert wrong == 0
    assert compared > 400


def test_a_class_that_did_not_trade_bought_nothing_where_the_source_has_every_class(filled: str) -> None:
    """The portal has no row of a class that did not trade; of a source that has some classes only it says nothing."""
    days = [day for day in SESSIONS if day < published.FLOWS_SINCE][-40:]
    complete, partial_only = "000080", "000090"
    of_both = of_sessions(bars(), days).filter(
        pc.is_in(of_sessions(bars(), days)["symbol"], pa.array([complete, partial_only]))
    )
    whole = [row | {"net_krw": row["net_shares"] * 1_000} for row in published.flow_rows(of_both).to_pylist()]
    absent = {("foreign", days[-3]), ("other_foreign", days[-3]), ("foreign", days[-5]), ("institution", days[-7])}
    flows = [row for row in whole if (row["investor"], row["session"]) not in absent]
    others = [row | {"investor": "individual"} for row in whole if row["investor"] == "foreign"]
    for symbol, source in ((complete, "krx_portal"), (partial_only, "naver")):
        rows = [row for row in flows + others if row["symbol"] == symbol]
        table = pa.Table.from_pylist(rows, schema=published.flow_rows(of_both).schema)
        load_rows(filled, dataset_named("investor_flow"), source, table)
    refresh(filled)
    found = fetch(
        filled,
        "SELECT symbol, session, foreign_net_krw_20, institution_net_krw_20 FROM derived.indicator "
        "WHERE symbol = ANY (%s) AND session BETWEEN %s AND %s AND traded ORDER BY 1, 2",
        [complete, partial_only],
        days[0],
        days[-1],
    )
    of_complete = [row for row in found if row[0] == complete]
    traded = [day for _, day, _, _ in of_complete]
    for _, day, foreign, institution in of_complete[19:]:
        window = traded[traded.index(day) - 19 :][:20]
        of_window = [row for row in flows if row["symbol"] == complete and row["session"] in window]
        assert foreign == sum(row["net_krw"] for row in of_window if row["investor"] != "institution")
        assert institution == sum(row["net_krw"] for row in of_window if row["investor"] == "institution")
    assert len(of_complete) > 25
    assert [row[2:] for row in found if row[0] == partial_only][-1] == (None, None)


def test_a_move_between_markets_is_no_jump_of_the_index(filled: str) -> None:
    """Relative strength over the move is the growth of both indices, each while the issue was on its market."""
    rows = fetch(
        filled,
        """
        SELECT bar.session, bar.close, kospi.close::float8, kosdaq.close::float8, stored.relative_strength_60
        FROM derived.indicator AS stored
        JOIN mart.adjusted_daily_bar AS bar USING (symbol, session)
        JOIN market.index_bar AS kospi ON kospi.session = bar.session AND kospi.index_name = '코스피'
        JOIN market.index_bar AS kosdaq ON kosdaq.session = bar.session AND kosdaq.index_name = '코스닥'
        WHERE stored.symbol = %s AND stored.traded ORDER BY 1
        """,
        published.MOVED,
    )
    every = fetch(
        filled,
        "SELECT bar.session, kospi.close::float8, kosdaq.close::float8 FROM mart.daily_bar AS bar "
        "JOIN market.index_bar AS kospi ON kospi.session = bar.session AND kospi.index_name = '코스피' "
        "JOIN market.index_bar AS kosdaq ON kosdaq.session = bar.session AND kosdaq.index_name = '코스닥' "
        "WHERE bar.symbol = %s AND bar.session < %s ORDER BY 1 DESC LIMIT 1",
        published.MOVED,
        published.MOVED_ON,
    )
    [(_, kospi_before, kosdaq_before)] = every
    first = next(place for place, row in enumerate(rows) if row[0] >= published.MOVED_ON)
    for place in range(first, first + 20):
        _, close, kospi, _, found = rows[place]
        _, earlier, _, kosdaq, _ = rows[place - 60]
        growth = kosdaq_before / kosdaq * kospi / kospi_before
        assert found == pytest.approx(close / earlier / growth - 1, rel=1e-9)


def test_an_issue_without_an_index_has_no_beta_until_it_has_one(filled: str) -> None:
    rows = fetch(
        filled,
        "SELECT session, beta_60 IS NOT NULL FROM derived.indicator WHERE symbol = %s AND traded ORDER BY 1",
        published.PROMOTED,
    )
    since = next(place for place, (day, _) in enumerate(rows) if day >= published.PROMOTED_ON)
    assert [has_value for _, has_value in rows] == [place >= since + 60 for place in range(len(rows))]


def test_a_fund_is_measured_against_kospi(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        [batch] = connection.execute(
            "INSERT INTO ops.batch (dataset, source, first_session, last_session, status) "
            "VALUES ('etp_daily_bar', 'krx_openapi', %s, %s, 'loaded') RETURNING batch_id",
            [SESSIONS[0], SESSIONS[-1]],
        ).fetchone() or [0]
        span = [SESSIONS[0], SESSIONS[-1]]
        connection.execute("SELECT ops.ensure_year_partitions('market.etp_daily_bar', %s, %s)", span)
        names = "session, open, high, low, close, volume, value_krw, market_cap_krw, listed_shares, change, base_price"
        connection.execute(
            f"INSERT INTO market.etp_daily_bar (symbol, kind, market, {names}, halted, source, batch_id, known_at) "
            f"SELECT '069500', 'ETF', 'KOSPI', {names}, halted, source, %s, known_at "
            "FROM market.daily_bar WHERE symbol = '000070'",
            [batch],
        )
    assert refresh_indicators(filled).symbols == ("069500",)
    [[slope, beta]] = fetch(
        filled,
        "SELECT regr_slope(own, index), (SELECT beta_60 FROM derived.indicator WHERE symbol = '069500' "
        "  AND session = max(returns.session)) "
        "FROM (SELECT bar.session, bar.close / lag(bar.close) OVER days - 1 AS own, "
        "    of.close::float8 / lag(of.close::float8) OVER days - 1 AS index "
        "  FROM mart.adjusted_daily_bar AS bar JOIN market.index_bar AS of ON of.session = bar.session "
        "    AND of.index_name = '코스피' "
        "  WHERE bar.symbol = '069500' AND NOT bar.halted "
        "  WINDOW days AS (ORDER BY bar.session) ORDER BY bar.session DESC LIMIT 60) AS returns",
    )
    assert beta == pytest.approx(slope, rel=1e-9)
