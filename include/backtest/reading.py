"""Every daily bar there is, from the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from include.backtest.errors import MarketChangedError, NothingToTestError
from include.backtest.market_bars import MARKETS, Flags, Floats, MarketBars
from include.indicators.factors import Factor, adjusted_rows
from include.indicators.index_level import INDEX_OF_MARKET, INDICES, KOSPI
from include.indicators.inputs import read_index_levels
from include.indicators.symbol_rows import row_keys, session_days
from include.market.calendar import NotASessionError
from include.trading.rules import SESSIONS_ABSENT
from include.warehouse.connection import connect
from include.warehouse.reading import read_table

# One is received while the server reads another.
_YEARS_AT_ONCE = 2
_BARS_OF_YEAR = """
    SELECT symbol, session, open, high, low, close, base_price, volume, market, kind = 'STOCK' AS taxed
    FROM mart.daily_bar
    WHERE session BETWEEN {first} AND {last}
"""
# By place in ``MARKETS``: the index an issue is measured against, KOSPI where its market has none.
_MEASURED_AGAINST = np.array([INDICES.index(INDEX_OF_MARKET.get(market.value, KOSPI)) for market in MARKETS], np.int8)
_PRICES = ("open", "high", "low", "close", "base_price", "volume")
_SCHEMA = pa.schema(
    {"symbol": pa.string(), "session": pa.date32()}
    | dict.fromkeys(_PRICES, pa.int64())
    | {"market": pa.string(), "taxed": pa.bool_()}
)


def read_market(dsn: str, on_progress: Callable[[int, int], None]) -> MarketBars:
    """Every bar, with the factors of corporate actions, the exchange's sessions and the indices.

    ``on_progress`` is told how many years of bars are read, and how many there are. Bars that come in meanwhile may be
    in it or not.

    Raises:
        NothingToTestError: there is none.
        MarketChangedError: corporate actions were found while the bars were read.
        NotASessionError: there is a bar of a day that is no session.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    factors = _read_factors(dsn)
    bars = _read_bars(dsn, on_progress)
    if _read_factors(dsn) != factors:
        raise MarketChangedError(
            "corporate actions were found, or decided, while bars were read: these may be on two scales. Run it again"
        )
    symbols = pc.unique(bars["symbol"]).sort()
    number = pc.index_in(bars["symbol"], symbols).to_numpy()
    days = session_days(bars)
    # Sorted here: it takes the server ten times as long.
    order = np.argsort(row_keys(number, days), kind="stable")
    names, days = symbols.to_numpy(zero_copy_only=False), days[order]
    offsets = np.concatenate(((0,), np.cumsum(np.bincount(number))))
    with connect(dsn, "analyst") as connection:
        sessions = _sessions(connection, days.min().item(), days.max().item())
        delisted_on = _delisted_on(connection, days.max().item())
    if (unknown := np.flatnonzero(~np.isin(days, sessions))).size:
        name = names[number[order[unknown[0]]]]
        raise NotASessionError(f"{name} has a bar on {days[unknown[0]]}, which is no session of the calendar")
    day = np.searchsorted(sessions, days).astype(np.int32)
    # The tables' checks hold rows to these markets.
    market = pc.index_in(bars["market"], pa.array([market.value for market in MARKETS])).to_numpy()[order]
    taxed = bars["taxed"].to_numpy()[order]
    price_factor, volume_factor = np.ones(len(days)), np.ones(len(days))
    for rows, factor in adjusted_rows(names, offsets, days, factors):
        price_factor[rows], volume_factor[rows] = factor.price_factor, factor.volume_factor
    index_open, index_close = _index_levels(dsn, sessions)
    last = offsets[1:] - 1
    return MarketBars(
        symbols=names,
        offsets=offsets,
        sessions=sessions,
        day=day,
        **{name: bars[name].to_numpy()[order] for name in _PRICES},
        price_factor=price_factor,
        volume_factor=volume_factor,
        market=market.astype(np.int8),
        taxed=taxed,
        index=_MEASURED_AGAINST[market],
        index_open=index_open,
        index_close=index_close,
        gone=_gone(names, day[last], taxed[last], sessions, delisted_on),
    )


def _read_bars(dsn: str, on_progress: Callable[[int, int], None]) -> pa.Table:
    with connect(dsn, "analyst") as connection:
        [(first, last)] = connection.execute(
            "SELECT min(first_session), max(last_session) FROM market.instrument"
        ).fetchall()
    years = () if first is None else range(first.year, last.year + 1)
    bars = _SCHEMA.empty_table()
    with ThreadPoolExecutor(_YEARS_AT_ONCE) as threads:
        for done, of_year in enumerate(threads.map(partial(_read_year, dsn), years), 1):
            bars = pa.concat_tables((bars, of_year))
            on_progress(done, len(years))
    if not bars.num_rows:
        raise NothingToTestError("the warehouse holds no daily bars: load them first, as with `krxw backfill`")
    return bars


def _read_year(dsn: str, year: int) -> pa.Table:
    first, last = sql.Literal(date(year, 1, 1)), sql.Literal(date(year, 12, 31))
    return read_table(dsn, sql.SQL(_BARS_OF_YEAR).format(first=first, last=last), _SCHEMA)


def _read_factors(dsn: str) -> list[Factor]:
    with connect(dsn, "analyst") as connection:
        rows = connection.execute(
            "SELECT symbol, first_session, last_session, price_factor, volume_factor FROM market.adjustment_factor "
            "ORDER BY symbol, first_session"
        ).fetchall()
    return [Factor(*row) for row in rows]


def _sessions(connection: psycopg.Connection, first: date, last: date) -> NDArray[np.datetime64]:
    rows = connection.execute(
        "SELECT session FROM market.session WHERE session BETWEEN %s AND %s ORDER BY session", [first, last]
    ).fetchall()
    return np.array([session for (session,) in rows], "datetime64[D]")


def _delisted_on(connection: psycopg.Connection, last: date) -> dict[str, date]:
    """The latest delisting of each symbol that is listed as delisted by ``last``."""
    rows = connection.execute(
        "SELECT symbol, max(session) FROM market.delisting WHERE session <= %s GROUP BY symbol", [last]
    )
    return dict(rows.fetchall())


def _gone(
    symbols: NDArray[np.object_],
    last_days: NDArray[np.int32],
    are_shares: Flags,
    sessions: NDArray[np.datetime64],
    delisted_on: Mapping[str, date],
) -> Flags:
    """Which issues left the market: those listed as delisted after their last bar, and those without one for a week.

    Shares are measured by the last session that has any, and so are ETFs and ETNs: a dataset that is late says nothing
    of its issues.
    """
    gone = np.zeros(len(symbols), np.bool_)
    for of_kind in (are_shares, ~are_shares):
        gone[of_kind] = last_days[of_kind].max(initial=0) - last_days[of_kind] >= SESSIONS_ABSENT
    for place in np.flatnonzero(~gone).tolist():
        listed = delisted_on.get(symbols[place])
        gone[place] = listed is not None and listed > sessions[last_days[place]].item()
    return gone


def _index_levels(dsn: str, sessions: NDArray[np.datetime64]) -> tuple[Floats, Floats]:
    """Opens and closes of ``INDICES`` on ``sessions``; the close before where an open is not published."""
    numbers = np.arange(len(INDICES), dtype=np.int8)[:, None]
    opens = read_index_levels(dsn, "open").on(numbers, sessions)
    closes = read_index_levels(dsn, "close").on(numbers, sessions)
    opens[:, 1:] = np.where(np.isnan(opens[:, 1:]), closes[:, :-1], opens[:, 1:])
    return opens, closes
