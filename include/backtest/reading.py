"""The whole market from the warehouse, some issues at a time: raw bars to trade on and panels to compute of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from include.backtest.errors import MarketChangedError, NothingToTestError
from include.backtest.market_bars import MARKETS, Flags, Floats, MarketBars
from include.indicators.due import EVERYTHING, Due
from include.indicators.index_level import INDEX_OF_MARKET, INDICES, KOSPI, IndexCloses
from include.indicators.inputs import read_index_closes, read_inputs
from include.indicators.panel import VALUES, Panel
from include.market.calendar import NotASessionError
from include.warehouse.connection import connect
from include.warehouse.reading import read_batches

_ISSUES_AT_ONCE = 100
# Read while one is worked on: the server takes longer to read a block than it takes to find its signals.
_BLOCKS_AHEAD = 2
# An issue without a bar on so many of the latest sessions is taken for delisted.
_SESSIONS_ABSENT = 5
_BARS = """
    SELECT
        bar.symbol, bar.session, bar.open, bar.high, bar.low, bar.close, bar.base_price, bar.volume, bar.market,
        bar.kind = 'STOCK' AS taxed, coalesce(factor.price_factor, 1) AS price_factor
    FROM mart.daily_bar AS bar
    LEFT JOIN market.adjustment_factor AS factor
        ON factor.symbol = bar.symbol AND bar.session BETWEEN factor.first_session AND factor.last_session
    WHERE bar.symbol = ANY ({symbols}::text[]) AND bar.session <= {last}
"""
_INDICES = """
    SELECT index_name, session, open::double precision AS open, close::double precision AS close
    FROM market.index_bar
    WHERE (index_name, family) IN ({indices})
    ORDER BY session
"""
_PRICES = ("open", "high", "low", "close", "base_price", "volume")
_SCHEMA = pa.schema(
    {"symbol": pa.string(), "session": pa.date32()}
    | dict.fromkeys(_PRICES, pa.int64())
    | {"market": pa.string(), "taxed": pa.bool_(), "price_factor": pa.float64()}
)
_INDEX_SCHEMA = pa.schema(
    {"index_name": pa.string(), "session": pa.date32(), "open": pa.float64(), "close": pa.float64()}
)


@dataclass(frozen=True)
class Issues:
    """Which issues there are to read, in order, and up to which session: what comes in later is left out."""

    symbols: tuple[str, ...]
    last: date


@dataclass(frozen=True)
class Block:
    """Some issues with all their bars, by symbol and session, and the panel of the same rows."""

    rows: pa.Table
    panel: Panel

    @property
    def adjusted_open(self) -> Floats:
        """By row (won); NaN where the issue did not trade."""
        opened = _adjusted(self.rows, "open")
        return np.where(opened > 0, opened, np.nan)


def read_issues(dsn: str) -> Issues:
    """All issues that ever had a bar, and the latest session.

    Raises:
        NothingToTestError: there is none.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "analyst") as connection:
        symbols = [symbol for (symbol,) in connection.execute("SELECT symbol FROM market.instrument")]
        [(last,)] = connection.execute("SELECT max(last_session) FROM market.instrument").fetchall()
    if not symbols:
        raise NothingToTestError("the warehouse holds no daily bars: load them first, as with `krxw backfill`")
    return Issues(tuple(sorted(symbols)), last)


def read_blocks(dsn: str, issues: Issues) -> Iterator[Block]:
    """The bars of ``issues``, some issues at a time.

    Raises:
        MarketChangedError: bars came in, or went, between the queries of a block.
        PanelError: the warehouse holds a bar of which nothing can be computed.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    closes = read_index_closes(dsn)
    with ThreadPoolExecutor(_BLOCKS_AHEAD) as beside:
        coming: deque[Future[Block | None]] = deque()
        for first in range(0, len(issues.symbols), _ISSUES_AT_ONCE):
            asked = issues.symbols[first : first + _ISSUES_AT_ONCE]
            coming.append(beside.submit(_read_block, dsn, asked, issues.last, closes))
            if len(coming) > _BLOCKS_AHEAD and (block := coming.popleft().result()) is not None:
                yield block
        for waiting in coming:
            if (block := waiting.result()) is not None:
                yield block


def _read_block(dsn: str, symbols: Sequence[str], last: date, closes: IndexCloses) -> Block | None:
    """None where there are no bars up to ``last``."""
    due = [Due(symbol, EVERYTHING, "", False, None, np.nan) for symbol in symbols]
    panel = read_inputs(dsn, due, closes).panel
    if panel is None or (panel := _up_to(panel, last)) is None:
        return None
    rows = _read_bars(dsn, symbols, last)
    same_rows = np.array_equal(_days(rows), panel.sessions)
    if not same_rows or not np.allclose(_adjusted(rows, "close"), panel.close, rtol=1e-9):
        raise MarketChangedError(
            f"bars or factors of {symbols[0]} to {symbols[-1]} changed while they were read; run the backtest again"
        )
    return Block(rows, panel)


def _up_to(panel: Panel, last: date) -> Panel | None:
    """``panel`` without later sessions; None where nothing is left."""
    kept = panel.sessions <= np.datetime64(last, "D")
    if kept.all():
        return panel
    counts = np.add.reduceat(kept, panel.offsets[:-1], dtype=np.int64)
    there = counts > 0
    if not there.any():
        return None
    return Panel(
        panel.symbols[there],
        np.concatenate(((0,), np.cumsum(counts[there]))),
        panel.sessions[kept],
        **{name: getattr(panel, name)[kept] for name in VALUES},
        first_obv=panel.first_obv[there],
    )


def _read_bars(dsn: str, symbols: Sequence[str], last: date) -> pa.Table:
    """All bars of ``symbols`` up to ``last``, by symbol and session: sorting takes the server ten times as long."""
    query = sql.SQL(_BARS).format(symbols=sql.Literal(list(symbols)), last=sql.Literal(last))
    rows = _read(dsn, query, _SCHEMA)
    return rows.take(pa.array(np.lexsort((_days(rows), _places(rows["symbol"], symbols)))))


def assemble(dsn: str, rows: Sequence[pa.Table]) -> MarketBars:
    """The market of all ``rows``, each by symbol and session, with the exchange's sessions and the indices.

    Raises:
        NotASessionError: there is a bar of a day that is no session.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    bars = pa.concat_tables(rows)
    runs = pc.run_end_encode(bars["symbol"].combine_chunks())
    offsets = np.concatenate(((0,), runs.run_ends.to_numpy().astype(np.int64)))
    days = _days(bars)
    sessions = _sessions(dsn, days.min().item(), days.max().item())
    if not (known := np.isin(days, sessions)).all():
        row = int(np.flatnonzero(~known)[0])
        raise NotASessionError(f"{bars['symbol'][row]} has a bar on {days[row]}, which is no session of the calendar")
    day = np.searchsorted(sessions, days).astype(np.int32)
    taxed = bars["taxed"].to_numpy()
    market = _places(bars["market"], [market.value for market in MARKETS]).astype(np.int8)
    index_open, index_close = _indices(dsn, sessions)
    index_of = np.array([INDICES.index(INDEX_OF_MARKET.get(market.value, KOSPI)) for market in MARKETS], np.int8)
    symbols = runs.values.to_numpy(zero_copy_only=False)
    return MarketBars(
        symbols=symbols,
        offsets=offsets,
        sessions=sessions,
        day=day,
        **{name: bars[name].to_numpy() for name in _PRICES},
        price_factor=bars["price_factor"].to_numpy(),
        market=market,
        taxed=taxed,
        index=index_of[market],
        index_open=index_open,
        index_close=index_close,
        gone=_gone(dsn, symbols, day[offsets[1:] - 1], taxed[offsets[1:] - 1], sessions),
    )


def _gone(
    dsn: str,
    symbols: NDArray[np.object_],
    last_days: NDArray[np.int32],
    are_shares: Flags,
    sessions: NDArray[np.datetime64],
) -> Flags:
    """Which issues left the market: those listed as delisted after their last bar, and those without one for a week.

    Shares are measured by the last session that has any, and so are ETFs and ETNs: a dataset that is late says nothing
    of its issues.
    """
    with connect(dsn, "analyst") as connection:
        listed: dict[str, date] = dict(
            connection.execute(
                "SELECT symbol, max(session) FROM market.delisting WHERE session <= %s GROUP BY symbol",
                [sessions[-1].item()],
            ).fetchall()
        )
    gone = np.zeros(len(symbols), np.bool_)
    for of_kind in (are_shares, ~are_shares):
        gone[of_kind] = last_days[of_kind].max(initial=0) - last_days[of_kind] >= _SESSIONS_ABSENT
    for place in np.flatnonzero(~gone).tolist():
        delisted_on = listed.get(symbols[place])
        gone[place] = delisted_on is not None and delisted_on > sessions[last_days[place]].item()
    return gone


def _sessions(dsn: str, first: date, last: date) -> NDArray[np.datetime64]:
    with connect(dsn, "analyst") as connection:
        rows = connection.execute(
            "SELECT session FROM market.session WHERE session BETWEEN %s AND %s ORDER BY session", [first, last]
        ).fetchall()
    return np.array([session for (session,) in rows], "datetime64[D]")


def _indices(dsn: str, sessions: NDArray[np.datetime64]) -> tuple[Floats, Floats]:
    """Opens and closes of ``INDICES`` on ``sessions``; the close before where an open is not published."""
    names = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(index.name), sql.Literal(index.family)) for index in INDICES
    )
    rows = _read(dsn, sql.SQL(_INDICES).format(indices=names), _INDEX_SCHEMA)
    number = _places(rows["index_name"], [index.name for index in INDICES])
    days = _days(rows)
    known = np.isin(days, sessions)
    place = np.searchsorted(sessions, days[known])
    levels = np.full((2, len(INDICES), len(sessions)), np.nan)
    for level, name in zip(levels, ("open", "close"), strict=True):
        level[number[known], place] = rows[name].to_numpy()[known]
    opens, closes = levels
    missing = np.isnan(opens[:, 1:])
    opens[:, 1:][missing] = closes[:, :-1][missing]
    return opens, closes


def _adjusted(rows: pa.Table, price: str) -> Floats:
    adjusted: Floats = rows[price].to_numpy().astype(np.float64) * rows["price_factor"].to_numpy()
    return adjusted


def _days(rows: pa.Table) -> NDArray[np.datetime64]:
    days: NDArray[np.datetime64] = rows["session"].to_numpy().astype("datetime64[D]")
    return days


def _places(values: pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.int64]:
    """The place of each value in ``names``, which the tables' checks hold them to."""
    found: NDArray[np.int64] = pc.index_in(values, pa.array(names)).to_numpy().astype(np.int64)
    return found


def _read(dsn: str, query: sql.Composable, schema: pa.Schema) -> pa.Table:
    with read_batches(dsn, query) as batches:
        return pa.Table.from_batches(batches, schema)
