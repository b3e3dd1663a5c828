"""``derived.signal`` holds what the strategies say of the indicators, whichever way these came in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from include.adjustments.refresh import refresh_adjustments
from include.indicators.compute import compute
from include.indicators.panel import Panel
from include.indicators.table import refresh_indicators
from include.market.calendar import KST
from include.platform.postgres import PostgresServer
from include.signals import table
from include.signals.catalogue import CATALOGUE
from include.signals.evaluate import evaluate
from include.signals.history import History, LookAheadError
from include.signals.strategy import Scale, Strategy, StrategyError, priority_of
from include.signals.table import NoIndicatorsError, SignalReport, refresh_signals
from include.simulator.exchange.market import SimulatedMarket
from include.warehouse.reading import read_batches
from tests.adjustments.loading import evening_of, fetch, load_bars, of_dataset

MARKET = SimulatedMarket(seed=31, symbols=25, first=date(2019, 1, 2), last=date(2020, 6, 30))
ROWS = of_dataset(pa.concat_tables(MARKET.iter_blocks()))
LATE = 12
STANDING = (
    "SELECT symbol, session, strategy, strategy_version, side, strength, priority, reason, close, known_at "
    "FROM derived.signal WHERE withdrawn_at IS NULL ORDER BY symbol, session, strategy"
)
EVERYTHING = "SELECT signal::text FROM derived.signal ORDER BY symbol, session, strategy"


def rows_of(sessions: Sequence[date]) -> pa.Table:
    return ROWS.filter(pa.array(np.isin(ROWS["session"].to_numpy(), np.array(sessions, "datetime64[D]"))))


def load(dsn: str, rows: pa.Table, fetched_at: datetime | None = None) -> None:
    load_bars(dsn, rows, fetched_at)
    refresh_adjustments(dsn)
    refresh_indicators(dsn)


def execute(dsn: str, statement: str, *parameters: object) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statement.encode(), parameters)


def buy_net(dsn: str, symbol: str, sessions: Sequence[date], known_at: datetime) -> None:
    """Foreigners buy for a fortune."""
    with psycopg.connect(dsn) as connection:
        span = [min(sessions), max(sessions)]
        connection.execute("SELECT ops.ensure_year_partitions('market.investor_flow', %s, %s)", span)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO market.investor_flow (symbol, session, investor, net_krw, source, batch_id, known_at) "
                "VALUES (%s, %s, 'foreign', 1000000000000, 'test', 1, %s)",
                [(symbol, session, known_at) for session in sessions],
            )


@pytest.fixture(scope="module")
def template(server: PostgresServer, migrated_template: str, without_suites: None) -> Iterator[str]:
    """A database with bars, indicators and signals but for the last sessions, to be copied."""
    name = f"signals_{secrets.token_hex(6)}"
    dsn = server.create_database(name, template=migrated_template)
    load(dsn, rows_of(MARKET.sessions[:-LATE]))
    refresh_signals(dsn)
    server.close_database(name)
    yield name
    server.drop_database(name)


@pytest.fixture
def filled(server: PostgresServer, template: str) -> Iterator[str]:
    """A copy of the template."""
    name = f"warehouse_{secrets.token_hex(6)}"
    yield server.create_database(name, template=template)
    server.drop_database(name)


def test_the_table_holds_what_the_strategies_say_of_adjusted_bars(warehouse: str, without_suites: None) -> None:
    flows_known = datetime(2020, 6, 30, 21, tzinfo=KST)
    symbol = str(ROWS["symbol"][0])
    buy_net(warehouse, symbol, MARKET.sessions, flows_known)
    load(warehouse, ROWS)
    report = refresh_signals(warehouse)
    query = sql.SQL(
        "SELECT symbol, session, open, high, low, close, volume, "
        "CASE WHEN symbol = {} THEN 1e12 END AS foreign_net_krw "
        "FROM mart.adjusted_daily_bar ORDER BY symbol, session"
    ).format(sql.Literal(symbol))
    with read_batches(warehouse, query) as batches:
        bars = pa.Table.from_batches(list(batches))
    panel = Panel.from_arrow(bars)
    history = History.of(panel, bars["open"].cast(pa.float64()).to_numpy(), compute(panel))
    known = dict(fetch(warehouse, "SELECT symbol || session, known_at FROM mart.daily_bar"))
    closes = dict(fetch(warehouse, "SELECT symbol || session, close FROM mart.daily_bar"))
    expected = []
    for hits in evaluate(history, CATALOGUE):
        strategy = hits.strategy
        for row, strength, reason in zip(
            hits.rows, hits.strengths.round(2).tolist(), strategy.reasons(history, hits.rows), strict=True
        ):
            place = str(history.symbols[history.symbol_index(row)]), history.sessions[row].astype(object)
            bar = place[0] + str(place[1])
            known_at = flows_known if strategy.of_flows else known[bar]
            said = (strategy.name, strategy.version, strategy.side, strength, priority_of(strength), reason)
            expected.append((*place, *said, closes[bar], known_at))
    found = fetch(warehouse, STANDING)
    assert [row[:3] for row in found] == [row[:3] for row in sorted(expected)]
    for row, other in zip(found, sorted(expected), strict=True):
        assert row[5] == pytest.approx(other[5], abs=0.015)
        assert (*row[:5], *row[6:]) == (*other[:5], *other[6:])
    assert report.added == len(found) > 3_000
    assert len(report.strategies_evaluated_anew) == len(CATALOGUE)
    assert [row[0] for row in fetch(warehouse, "SELECT strategy FROM derived.signal WHERE symbol = %s", symbol)].count(
        "foreign_accumulation"
    )


def test_day_by_day_gives_what_all_history_gives(filled: str) -> None:
    late = MARKET.sessions[-LATE:]
    added = 0
    for sessions in (late[:1], late[1:2], late[2:]):
        load(filled, rows_of(sessions))
        added += refresh_signals(filled).added
    assert added > 100
    found = fetch(filled, EVERYTHING)
    assert refresh_signals(filled) == SignalReport(0, 0, 0, 0, ())
    anew = refresh_signals(filled, everything=True)
    assert (anew.added, anew.changed, anew.withdrawn) == (0, 0, 0)
    assert anew.symbols > 20
    assert fetch(filled, EVERYTHING) == found
    assert fetch(filled, "SELECT count(*) FROM derived.signal WHERE withdrawn_at IS NOT NULL") == [(0,)]
    assert fetch(filled, "SELECT max(known_at) < now() - interval '1 year' FROM derived.signal") == [(True,)]


def test_without_indicators_a_refresh_fails_and_strategies_wait(warehouse: str) -> None:
    for _ in range(2):
        with pytest.raises(NoIndicatorsError, match=r"no indicators are in the warehouse, .* run the DAG indicators"):
            refresh_signals(warehouse)
    versions = "SELECT DISTINCT evaluated_version, checked_version FROM derived.strategy"
    assert fetch(warehouse, versions) == [(None, None)]


def _task(number: int, first: date, through: date | None) -> table._Task:
    return table._Task(f"{number:06d}", first, first, through, None, None)


@given(
    st.lists(
        st.tuples(st.dates(date(1990, 1, 1), date(2026, 1, 1)), st.integers(0, 9_000), st.booleans()), max_size=60
    ),
    st.dates(date(1990, 1, 1), date(2000, 1, 1)),
    st.integers(50, 20_000),
)
def test_blocks_hold_all_tasks_once_and_a_bounded_number_of_rows(
    spans: list[tuple[date, int, bool]], earliest: date, at_once: int
) -> None:
    tasks = [
        _task(number, first if short else date.min, first + timedelta(days=days))
        for number, (first, days, short) in enumerate(spans)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "_ROWS_AT_ONCE", at_once)
        blocks = table._blocks(tasks, earliest)
    assert sorted(task.symbol for block in blocks for task in block) == [task.symbol for task in tasks]
    for block in blocks:
        first = max(min(task.first for task in block), earliest)
        weekdays = [np.busday_count(first, max(task.through or first, first)) for task in block]
        # So many days of a week are sessions, but for the odd days of a span and its last one.
        assert len(block) == 1 or sum(weekdays) <= at_once + 4 * len(block)


def test_an_issue_to_be_read_whole_does_not_drag_the_others_along() -> None:
    last, earliest = date(2026, 8, 14), date(1995, 5, 2)
    late = [_task(number, date(2026, 2, 2), last) for number in range(2_700)]
    whole = _task(9_999, date.min, last)
    blocks = table._blocks([*late, whole, _task(10_000, date.min, None)], earliest)
    beside = next(len(block) for block in blocks if whole in block)
    assert beside * (last - earliest).days * 5 // 7 < table._ROWS_AT_ONCE + 8_000
    assert len(blocks) < 6
    assert len(table._blocks([whole] * 1_000, earliest)[0]) == 24
    assert table._blocks([], earliest) == []


def test_today_is_the_newest_session_looked_at_the_strongest_first(filled: str) -> None:
    load(filled, rows_of(MARKET.sessions[-LATE : -LATE + 1]))
    refresh_signals(filled)
    found = fetch(filled, "SELECT session, strength, priority, title, name FROM mart.signal_today")
    assert found
    assert {row[0] for row in found} == {MARKET.sessions[-LATE]}
    strengths = [row[1] for row in found]
    assert strengths == sorted(strengths, reverse=True)
    assert all((row[1] >= 70) == (row[2] == "high") and row[3] and row[4] for row in found)


def _steady_symbol() -> str:
    """One that is there from the first to the last session."""
    counts = ROWS["symbol"].value_counts().to_pylist()
    return min(each["values"] for each in counts if each["counts"] == len(MARKET.sessions))


def test_a_correction_withdraws_what_it_takes_away_and_touches_nothing_else(filled: str) -> None:
    surge = "SELECT symbol, session FROM mart.signal WHERE strategy = 'volume_surge_up' ORDER BY session DESC LIMIT 1"
    [(symbol, session)] = fetch(filled, surge)
    assert isinstance(session, date)
    before = dict(fetch(filled, "SELECT (symbol, session, strategy)::text, signal::text FROM derived.signal"))
    standing = fetch(filled, STANDING)
    published = rows_of([session])
    corrected = [
        row | {"volume": row["volume"] // 20, "value_krw": row["value_krw"] // 20} if row["symbol"] == symbol else row
        for row in published.to_pylist()
    ]
    corrected_at = evening_of(MARKET.sessions[-1])
    load(filled, pa.Table.from_pylist(corrected, published.schema), corrected_at)
    report = refresh_signals(filled)
    assert report.symbols == 1
    assert report.withdrawn > 0
    after = dict(fetch(filled, "SELECT (symbol, session, strategy)::text, signal::text FROM derived.signal"))
    assert before.keys() <= after.keys()
    rewritten = fetch(
        filled,
        "SELECT DISTINCT symbol, session >= %s FROM derived.signal WHERE (symbol, session, strategy)::text = ANY (%s)",
        session,
        [key for key in after if after[key] != before.get(key)],
    )
    assert rewritten == [(symbol, True)]
    [[withdrawn]] = fetch(filled, "SELECT count(*) FROM derived.signal WHERE withdrawn_at IS NOT NULL")
    assert withdrawn == report.withdrawn
    # What the correction brought could not be known on the evening of its session.
    brought = fetch(
        filled,
        "SELECT session, known_at > now() - interval '1 hour' FROM mart.signal WHERE known_at >= %s",
        corrected_at,
    )
    assert len(brought) == report.added + report.changed
    assert all(found_just_now or day == session for day, found_just_now in brought)

    load(filled, published, corrected_at + timedelta(days=1))
    back = refresh_signals(filled)
    assert (back.added, back.withdrawn) == (report.withdrawn, report.added)
    assert [row[:5] for row in fetch(filled, STANDING)] == [row[:5] for row in standing]


def test_signals_without_indicators_are_withdrawn(filled: str) -> None:
    symbol = _steady_symbol()
    [[held]] = fetch(filled, "SELECT count(*) FROM mart.signal WHERE symbol = %s", symbol)
    with psycopg.connect(filled) as connection:
        connection.execute("DELETE FROM derived.indicator WHERE symbol = %s", [symbol])
        connection.execute("INSERT INTO ops.unsignalled_symbol VALUES (%s, %s)", [symbol, date.min])
    assert refresh_signals(filled) == SignalReport(1, 0, 0, held, ())
    assert fetch(filled, "SELECT FROM mart.signal WHERE symbol = %s", symbol) == []
    assert fetch(filled, "SELECT FROM derived.signal_state WHERE symbol = %s", symbol) == []
    assert fetch(filled, "SELECT FROM ops.unsignalled_symbol") == []


def test_a_new_version_is_evaluated_over_all_history_and_touches_no_other_strategy(filled: str) -> None:
    others = fetch(filled, f"SELECT * FROM ({STANDING}) AS standing WHERE strategy <> 'desk_sell'")
    sells = len(fetch(filled, "SELECT FROM mart.signal WHERE strategy = 'desk_sell'"))
    [old] = [strategy for strategy in CATALOGUE if strategy.name == "desk_sell"]
    new = replace(old, version=2, condition=lambda history: history.above("rsi_14", 75))
    strategies = [new if strategy is old else strategy for strategy in CATALOGUE]
    report = refresh_signals(filled, strategies=strategies)
    assert report.strategies_evaluated_anew == ("desk_sell",)
    assert (report.added, report.changed + report.withdrawn) == (0, sells)
    assert report.changed > 0
    assert fetch(filled, f"SELECT * FROM ({STANDING}) AS standing WHERE strategy <> 'desk_sell'") == others
    versions = "SELECT strategy_version, max(known_at) < %s FROM mart.signal WHERE strategy = 'desk_sell' GROUP BY 1"
    assert fetch(filled, versions, datetime(2021, 1, 1, tzinfo=UTC)) == [(2, True)]
    assert refresh_signals(filled, strategies=strategies) == SignalReport(0, 0, 0, 0, ())


def test_signals_of_a_strategy_no_longer_declared_are_withdrawn(filled: str) -> None:
    sells = len(fetch(filled, "SELECT FROM mart.signal WHERE strategy = 'desk_sell'"))
    rest = [strategy for strategy in CATALOGUE if strategy.name != "desk_sell"]
    assert refresh_signals(filled, strategies=rest).withdrawn == sells
    assert fetch(filled, "SELECT name FROM derived.strategy WHERE retired_at IS NOT NULL") == [("desk_sell",)]
    assert refresh_signals(filled).added == sells


CHEAT = Strategy(
    name="cheat",
    version=1,
    title="Cheat",
    family="none",
    side="buy",
    memory=0,
    condition=lambda history: np.roll(history["close"], -1) > history["close"],
    words="`close` of the session after is higher",
    strength=(Scale("close", 0, 1e6, "`close`"),),
    reason="close {close}",
    source="A crystal ball",
)


def test_a_strategy_that_looks_ahead_is_refused(filled: str) -> None:
    found = fetch(filled, EVERYTHING)
    with pytest.raises(LookAheadError, match="strategy 'cheat' looks ahead"):
        refresh_signals(filled, strategies=[*CATALOGUE, CHEAT])
    assert fetch(filled, EVERYTHING) == found


def test_a_strategy_that_looks_further_back_than_it_says_is_refused(filled: str) -> None:
    forgetful = replace(
        CHEAT,
        name="forgetful",
        memory=20,
        condition=lambda history: history.began(history.above("close", history.highest("high", 20))),
    )
    found = fetch(filled, EVERYTHING)
    with pytest.raises(StrategyError, match="'forgetful' looks further back than its memory of 20 sessions"):
        refresh_signals(filled, strategies=[*CATALOGUE, forgetful])
    assert fetch(filled, EVERYTHING) == found


def test_a_strategy_is_checked_when_there_are_sessions_that_can_show_it(warehouse: str, without_suites: None) -> None:
    """With a few sessions all seems well; with more it is caught, and what it said is taken back."""
    checked = "SELECT checked_version FROM derived.strategy WHERE name IN ('cheat', 'always')"
    always = replace(CHEAT, name="always", condition=lambda history: history.above("close", 0))
    load(warehouse, rows_of(MARKET.sessions[:1]))
    refresh_signals(warehouse, strategies=[CHEAT, always])
    assert fetch(warehouse, "SELECT DISTINCT strategy FROM mart.signal ORDER BY 1") == [("always",), ("cheat",)]
    assert fetch(warehouse, checked) == [(None,), (None,)]
    load(warehouse, rows_of(MARKET.sessions[1:60]))
    with pytest.raises(LookAheadError, match="strategy 'cheat' looks ahead"):
        refresh_signals(warehouse, strategies=[CHEAT, always])
    assert fetch(warehouse, "SELECT DISTINCT strategy FROM mart.signal") == [("always",)]
    assert refresh_signals(warehouse, strategies=[always]).added > 0
    assert fetch(warehouse, "SELECT name, checked_version FROM derived.strategy ORDER BY name") == [
        ("always", 1),
        ("cheat", None),
    ]


def test_what_is_queued_while_a_run_goes_on_is_not_lost(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the reading of the queue and the taking off it: by another transaction that is done, or not yet."""
    load(filled, rows_of(MARKET.sessions[-LATE:]))
    queue = "SELECT symbol FROM ops.unsignalled_symbol ORDER BY symbol"
    done, going_on, *_ = (symbol for (symbol,) in fetch(filled, queue))
    again = "UPDATE ops.unsignalled_symbol SET since = since WHERE symbol = %s"
    read = table._tasks
    with psycopg.connect(filled) as other:

        def tasks_read_and_queued_again(*of: object, **how: object) -> list[table._Task]:
            tasks = read(*of, **how)  # type: ignore[arg-type]
            execute(filled, again, done)
            other.execute(again.encode(), [going_on])
            return tasks

        with monkeypatch.context() as patch:
            patch.setattr(table, "_tasks", tasks_read_and_queued_again)
            refresh_signals(filled)
        assert fetch(filled, queue) == sorted([(done,), (going_on,)])
        other.commit()
    assert refresh_signals(filled).symbols == 2
    assert fetch(filled, queue) == []


def test_a_run_that_dies_is_taken_up_by_the_next(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load(filled, rows_of(MARKET.sessions[-LATE:]))
    monkeypatch.setattr(table, "_blocks", lambda tasks, _: [tasks[at : at + 10] for at in range(0, len(tasks), 10)])

    def die(done: int, total: int) -> None:
        assert total == queued
        if done == 20:
            raise KeyboardInterrupt

    [[queued]] = fetch(filled, "SELECT count(*) FROM ops.unsignalled_symbol")
    with pytest.raises(KeyboardInterrupt):
        refresh_signals(filled, on_block=die)
    assert fetch(filled, "SELECT count(*) FROM ops.unsignalled_symbol") == [(queued - 20,)]
    assert refresh_signals(filled).symbols == queued - 20
    whole = refresh_signals(filled, everything=True)
    assert (whole.added, whole.changed, whole.withdrawn) == (0, 0, 0)
