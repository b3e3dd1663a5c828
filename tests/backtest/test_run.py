"""Backtests through the warehouse, on both databases."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date

import numpy as np
import psycopg
import pytest

from include.adjustments.refresh import refresh_adjustments
from include.backtest import finding, following, reading
from include.backtest.errors import MarketChangedError, NothingToTestError
from include.backtest.finding import Found, find_signals
from include.backtest.following import follow_signals
from include.backtest.market_bars import MarketBars
from include.backtest.outcomes import HORIZONS
from include.backtest.reading import read_market
from include.backtest.results import SliceResult
from include.backtest.run import BacktestReport, run_backtests
from include.backtest.statistics import Statistics
from include.indicators.factors import Factor
from include.indicators.table import refresh_indicators
from include.market.calendar import NotASessionError
from include.platform.postgres import PostgresServer
from include.settings import Settings, load_settings
from include.signals.catalogue import strategy_named
from include.signals.table import refresh_signals
from include.simulator.exchange.market import SimulatedMarket
from tests.adjustments.loading import fetch, load_bars, of_dataset

FIRST, LAST = date(2021, 1, 4), date(2022, 6, 30)
STRATEGIES = tuple(
    map(strategy_named, ("ma20_breakout", "rsi_overbought", "desk_buy", "desk_sell", "foreign_accumulation"))
)


@dataclass(frozen=True)
class Trial:
    """A warehouse whose strategies were tested, and what was found on the way."""

    settings: Settings
    report: BacktestReport
    bars: MarketBars
    found: list[Found]
    slices: list[SliceResult]

    def fetch(self, query: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        return fetch(self.settings.warehouse_dsn, query)


@pytest.fixture(scope="module")
def trial(server: PostgresServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A small market, with an index over its second half; foreigners buy a few issues in every other month."""
    name = f"warehouse_{secrets.token_hex(6)}"
    dsn = server.create_database(name, template=migrated_template)
    home = tmp_path_factory.mktemp("backtest")
    settings = load_settings({"KRXW_HOME": str(home), "KRXW_WAREHOUSE_DSN": dsn})
    for block in SimulatedMarket(3, 40, FIRST, LAST).iter_blocks():
        load_bars(dsn, of_dataset(block))
    refresh_adjustments(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT ops.ensure_year_partitions('market.index_bar', %s, %s)", [FIRST, LAST])
        connection.execute(
            "INSERT INTO market.index_bar (index_name, family, session, open, close, source, batch_id, known_at) "
            "SELECT '코스피', 'KOSPI', session, 2000, 2000 + extract(day FROM session), 'test', 0, now() "
            "FROM market.session WHERE session BETWEEN '2021-10-01' AND %s",
            [LAST],
        )
        connection.execute("SELECT ops.ensure_year_partitions('market.investor_flow', %s, %s)", [FIRST, LAST])
        connection.execute(
            "INSERT INTO market.investor_flow (symbol, session, investor, net_krw, source, batch_id, known_at) "
            "SELECT symbol, session, 'foreign', 1e12 * (extract(month FROM session)::integer % 2), 'test', 0, now() "
            "FROM market.daily_bar WHERE symbol IN (SELECT symbol FROM market.instrument ORDER BY symbol LIMIT 12)"
        )
    bars = read_market(dsn, lambda *_: None)
    with pytest.MonkeyPatch.context() as patch:
        # What is kept by the run below was found of all issues at once.
        patch.setattr(finding, "_ISSUES_AT_ONCE", 7)
        found = find_signals(dsn, bars, STRATEGIES, lambda *_: None)
    slices = [each for of_slices, _ in follow_signals(bars, found) for each in of_slices]
    yield Trial(settings, run_backtests(settings, STRATEGIES), bars, found, slices)
    server.drop_database(name)


def test_tables_hold_what_was_found(trial: Trial) -> None:
    names = [field.name for field in fields(Statistics) if field.name != "count"]
    expected = {
        (each.strategy, each.horizon, each.slice_by, each.slice): (
            each.statistics.count,
            *(getattr(each.statistics, name) for name in names),
        )
        for each in trial.slices
    }
    stored = trial.fetch(
        f"SELECT strategy, horizon, slice_by, slice, results, {', '.join(names)} FROM derived.backtest"
    )
    assert {row[:4]: row[4:] for row in stored} == expected


def test_results_bear_title_and_side_though_signals_were_never_kept(trial: Trial) -> None:
    shown = trial.fetch("SELECT DISTINCT strategy, title, side FROM mart.backtest")
    assert sorted(shown) == sorted((each.name, each.title, each.side) for each in STRATEGIES)


def test_another_run_replaces_what_was_found(trial: Trial) -> None:
    query = "SELECT strategy, horizon, slice_by, slice, results, mean_return FROM derived.backtest ORDER BY 1, 2, 3, 4"
    before = trial.fetch(query)
    assert run_backtests(trial.settings, STRATEGIES) == trial.report
    assert trial.fetch(query) == before


def test_every_signal_has_a_result_or_a_reason(trial: Trial) -> None:
    wholes = [each for each in trial.slices if each.slice_by == "all"]
    assert [each.horizon for each in wholes] == [*HORIZONS] * len(STRATEGIES)
    for each in wholes:
        assert each.signals == each.statistics.count + (each.unfilled or 0) + (each.pending or 0)


def test_parts_make_the_whole(trial: Trial) -> None:
    counts: Counter[tuple[str, int, str]] = Counter()
    for each in trial.slices:
        counts[each.strategy, each.horizon, each.slice_by] += each.statistics.count
    for (strategy, horizon, _), count in counts.items():
        assert count == counts[strategy, horizon, "all"]


def test_excess_is_told_of_results_whose_index_is_known(trial: Trial) -> None:
    rows = trial.fetch(
        "SELECT slice, mean_excess FROM derived.backtest WHERE slice_by = 'year' AND horizon = 1 AND results > 100"
    )
    assert {slice_ for slice_, excess in rows if excess is not None} == {"2021", "2022"}


def test_portfolios_have_a_curve_over_all_sessions(trial: Trial) -> None:
    curves = trial.fetch("SELECT strategy, min(session), max(session), count(*) FROM mart.backtest_equity GROUP BY 1")
    sessions = trial.bars.sessions
    span = sessions[0].item(), sessions[-1].item(), len(sessions)
    assert sorted(curves) == [(name, *span) for name in ("desk_buy", "foreign_accumulation", "ma20_breakout")]


def test_signals_are_those_of_the_table(trial: Trial) -> None:
    dsn, bars = trial.settings.warehouse_dsn, trial.bars
    refresh_indicators(dsn)
    refresh_signals(dsn, strategies=STRATEGIES)
    here = set()
    for each in trial.found:
        numbers = np.searchsorted(bars.offsets, each.rows, side="right") - 1
        sessions = bars.sessions[bars.day[each.rows]].tolist()
        here |= {(*place, each.strategy.name) for place in zip(bars.symbols[numbers], sessions, strict=True)}
    assert {name for *_, name in here} == {strategy.name for strategy in STRATEGIES}
    assert here == set(trial.fetch("SELECT symbol, session, strategy FROM mart.signal"))


def test_pages_tell_of_every_strategy(trial: Trial) -> None:
    page = trial.report.page.read_text(encoding="utf-8")
    for strategy in STRATEGIES:
        assert f'href="{strategy.name}.html">{strategy.title}<' in page
        own = trial.report.page.with_name(f"{strategy.name}.html").read_text(encoding="utf-8")
        assert f"<h1>{strategy.title} " in own
        assert ("As a portfolio" in own) == (strategy.side == "buy")
        assert ">2021<" in own


def test_portfolios_listen_to_strategies_there_are() -> None:
    for name in itertools.chain(*following._LISTENS_TO.items()):
        strategy_named(name)


def test_an_empty_warehouse_is_told(settings: Settings) -> None:
    with pytest.raises(NothingToTestError, match="krxw backfill"):
        run_backtests(settings)


def test_a_bar_of_a_day_that_is_no_session_is_told(warehouse: str) -> None:
    last = date(2021, 1, 15)
    for block in SimulatedMarket(3, 10, FIRST, last).iter_blocks():
        load_bars(warehouse, of_dataset(block))
    for sessions in ([last], [FIRST, last]):
        with psycopg.connect(warehouse) as connection:
            connection.execute("DELETE FROM market.session WHERE session = ANY (%s)", [sessions])
        with pytest.raises(NotASessionError, match=f"has a bar on {sessions[0]}, which is no session"):
            read_market(warehouse, lambda *_: None)


def test_corporate_actions_found_meanwhile_end_the_reading(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = [Factor("000000", FIRST, LAST, 0.5, 2.0)]
    factors = iter([earlier, []])
    monkeypatch.setattr(reading, "_read_factors", lambda _: next(factors))
    with pytest.raises(MarketChangedError, match="Run it again"):
        read_market(trial.settings.warehouse_dsn, lambda *_: None)
