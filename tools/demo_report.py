"""What the demo shows at its end: what landed, a split, and where to go from there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import psycopg
from psycopg import sql
from rich.table import Table
from rich.text import Text

from include.adjustments.report import Week
from include.datasets.registry import datasets
from include.platform.airflow_client import AirflowEndpoint
from include.settings import Settings
from include.simulator.exchange.truth import ActionKind, CorporateAction

_LANDED = """
    SELECT (SELECT count(*) FROM mart.session_coverage WHERE dataset = 'daily_bar' AND outcome = 'loaded'),
           (SELECT sum(rows_quarantined) FROM mart.session_coverage WHERE dataset = 'daily_bar'),
           count(*), count(DISTINCT symbol), min(session), max(session),
           (SELECT coalesce(sum(rows_inserted + rows_updated), 0) FROM ops.batch WHERE started_at > %(since)s)
    FROM market.daily_bar
"""
_DATASET = """
    SELECT count(*), min(session), max(session), string_agg(DISTINCT source, ', '),
           (SELECT count(*) FROM mart.session_coverage WHERE dataset = %(dataset)s AND outcome = 'loaded')
    FROM {table}
"""
_ACTIONS = """
    SELECT symbol, ex_date FROM mart.corporate_action
    WHERE status IN ('applied', 'noted') AND symbol IN (SELECT symbol FROM market.daily_bar)
"""
_AROUND = """
    SELECT raw.session, raw.close, raw.change, raw.base_price, adjusted.price_factor,
           adjusted.close, adjusted.change_rate
    FROM market.daily_bar AS raw JOIN mart.adjusted_daily_bar AS adjusted USING (symbol, session)
    WHERE symbol = %(symbol)s
      AND session IN ((SELECT session FROM market.daily_bar WHERE symbol = %(symbol)s AND session < %(day)s
                       ORDER BY session DESC LIMIT 2)
                      UNION ALL
                      (SELECT session FROM market.daily_bar WHERE symbol = %(symbol)s AND session >= %(day)s
                       ORDER BY session LIMIT 2))
    ORDER BY session
"""


_SIGNALS = """
    SELECT symbol, side, round(strength)::int, title, reason FROM mart.signal_today WHERE priority = 'high'
    ORDER BY strength DESC, symbol, strategy LIMIT 6
"""
_DERIVED = {
    "rows of derived.indicator": "SELECT count(*) FROM derived.indicator",
    "signals": "SELECT count(*) FROM mart.signal",
    "signals of the new session": "SELECT count(*) FROM mart.signal_today",
    "hits of screens on it": "SELECT coalesce(sum(hits), 0) FROM mart.screen_run WHERE session = "
    "(SELECT max(session) FROM mart.screen_run)",
    "strategies tested over all history": "SELECT count(DISTINCT strategy) FROM mart.backtest",
}
_BOOK = """
    SELECT equity_krw, total_return, trades, fees_krw + taxes_krw, holdings FROM mart.paper_performance
    WHERE book = %s ORDER BY session DESC LIMIT 1
"""


def datasets_table(connection: psycopg.Connection) -> Table:
    """Every dataset: how much of it is there, of which days, and where it came from."""
    table = Table("dataset", "rows", "sessions", "first", "last", "sources", box=None, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
    for quantity in table.columns[1:3]:
        quantity.justify = "right"
    for dataset in datasets().values():
        query = sql.SQL(_DATASET).format(table=sql.Identifier(*dataset.table.split(".")))
        [row] = connection.execute(query, {"dataset": dataset.name}).fetchall()
        rows, first, last, sources, sessions = row
        table.add_row(dataset.name, f"{rows:,}", f"{sessions:,}", str(first), str(last), sources)
    return table


def landed_table(connection: psycopg.Connection, truth: Sequence[CorporateAction], since: datetime) -> Table:
    """What is in the warehouse, what ``since`` changed, and whether ``truth`` was found and nothing else."""
    [row] = connection.execute(_LANDED, {"since": since}).fetchall()
    sessions, quarantined, rows, symbols, first, last, changed = row
    found = set(connection.execute(_ACTIONS).fetchall())
    true = {(action.symbol, action.ex_date) for action in truth}
    table = Table("What landed", "", box=None, pad_edge=False)
    table.add_row("sessions", f"{sessions:,}  ({first} to {last})")
    table.add_row("rows of market.daily_bar", f"{rows:,}")
    table.add_row("rows new or corrected in this run", f"{changed:,}" if changed else "no row changed")
    table.add_row("symbols, delisted ones included", f"{symbols:,}")
    table.add_row("rows in quarantine", f"{quarantined:,}")
    table.add_row(
        "corporate actions found",
        f"{len(found & true)} of the {len(true)} the exchange made, {len(found - true)} others",
    )
    return table


def split_table(connection: psycopg.Connection, truth: Sequence[CorporateAction]) -> Table:
    """The latest split, adjusted: two sessions before it and two from it on."""
    split = max((action for action in truth if action.kind is ActionKind.SPLIT), key=lambda action: action.ex_date)
    table = Table(
        *("session", "raw close", "change", "base price", "factor", "adjusted close", "return"),
        title=f"{split.symbol}, split {split.share_ratio}:1 on {split.ex_date}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for column in table.columns[1:]:
        column.justify = "right"
    around = connection.execute(_AROUND, {"symbol": split.symbol, "day": split.ex_date})
    for session, close, change, base, factor, adjusted, rate in around:
        table.add_row(
            str(session),
            *(f"{close:,}", f"{change:+,}", f"{base:,}", f"{factor:.6f}", f"{adjusted:,.2f}", f"{rate:+.2%}"),
            style="bold" if session == split.ex_date else None,
        )
    return table


def signals_table(connection: psycopg.Connection) -> Table:
    """The strongest signals of the new session."""
    table = Table(
        *("symbol", "side", "strength", "strategy", "reason"),
        title="The strongest signals of the new session",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for symbol, side, strength, title, reason in connection.execute(_SIGNALS):
        table.add_row(symbol, side, str(strength), title, reason)
    return table


def derived_table(connection: psycopg.Connection, book: str) -> Table:
    """How much follows from the bars, and how the paper book has fared."""
    table = Table("What follows", "", box=None, pad_edge=False)
    for title, query in _DERIVED.items():
        [(count,)] = connection.execute(query.encode()).fetchall()
        table.add_row(title, f"{count:,}")
    [(equity, total_return, trades, costs, holdings)] = connection.execute(_BOOK, [book]).fetchall()
    table.add_row(
        f"paper book '{book}'",
        f"{equity:,} won ({total_return:+.1%}), {trades} trades, {costs:,} won of costs, {holdings} holdings",
    )
    return table


def what_next(settings: Settings, endpoint: AirflowEndpoint, source_url: str, session: date) -> Text:
    """Reports, SQL to try, how to break the source, and where the UI is."""
    krxw = ".venv/bin/krxw"
    fault = '{"endpoint": "*", "kind": "maintenance_html"}'
    return Text("\n").join(
        [
            _section(
                "Reports",
                f"data quality   {settings.reports / 'data_docs' / 'index.html'}",
                f"actions        {settings.reports / 'corporate_actions' / f'{Week.of(session)}.html'}",
                f"backtests      {settings.reports / 'backtests' / 'index.html'}",
                f"cold storage   {settings.cold_url}/dataset=daily_bar/year={session.year}/_manifest.json",
            ),
            _section(
                "Try",
                f"{krxw} actions list --from {session.year}-01-01",
                f"{krxw} query \"SELECT * FROM mart.market_overview WHERE session = '{session}'\"",
                f"{krxw} query \"SELECT * FROM mart.net_flow WHERE session = '{session}' LIMIT 5\"",
                f"{krxw} query \"SELECT * FROM mart.etf_holding_change WHERE session = '{session}' LIMIT 10\"",
                f'{krxw} query "SELECT * FROM mart.instrument_event ORDER BY session DESC LIMIT 10"',
                f'{krxw} query "SELECT * FROM mart.latest_quote LIMIT 5"',
                f'{krxw} query "SELECT symbol, name, strategy, strength, reason FROM mart.signal_today LIMIT 10"',
                f"{krxw} screen run value_with_foreign_buying",
                f"{krxw} book show quarter",
                f"{krxw} verify",
            ),
            _section(
                "Break a source: from now on KRX Open API is under maintenance",
                f"curl -X POST {source_url}/control/fault -d '{fault}'",
                "Trigger daily_bars in the UI: the exchange's portal answers instead, and an alarm says so:",
                f'{krxw} query "SELECT dataset, session, kind, message FROM mart.open_alarm"',
                "The portal is on the next port: with it broken too, sectors, which only it publishes, turns red.",
                "Mend a source and trigger again: the alarm closes itself.",
                f"curl -X DELETE {source_url}/control/fault",
            ),
            _section(
                "Airflow",
                f"{endpoint.url}   user {endpoint.username}   password {endpoint.password}",
                "All DAGs go on with every session from now on. `make down` stops everything.",
                "All of it is made up: before real data, `make clean`.",
            ),
        ]
    )


def _section(title: str, *lines: str) -> Text:
    return Text.assemble((f"{title}\n", "bold"), *(f"  {line}\n" for line in lines))
