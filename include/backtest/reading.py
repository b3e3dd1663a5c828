"""The whole market from the warehouse, some issues at a time: raw bars to trade on and panels to compute of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from include.backtest.errors import NothingToTestError
from include.backtest.market_bars import MARKETS, Floats, MarketBars
from include.indicators.due import EVERYTHING, Due
from include.indicators.index_level import INDEX_OF_MARKET, INDICES, KOSPI
from include.indicators.inputs import read_index_closes, read_inputs
from include.indicators.panel import Panel
from include.warehouse.connection import connect
from include.warehouse.reading import read_batches

_ISSUES_AT_ONCE = 100
_BARS = """
    SELECT
        bar.symbol, bar.session, bar.open, bar.high, bar.low, bar.close, bar.base_price, bar.volume, bar.market,
        bar.kind = 'STOCK' AS taxed, coalesce(factor.price_factor, 1) AS price_factor
    FROM mart.daily_bar AS bar
    LEFT JOIN market.adjustment_factor AS factor
        ON factor.symbol = bar.symbol AND bar.session BETWEEN factor.first_session AND factor.last_session
    WHERE bar.symbol = ANY ({symbols}::text[])
    ORDER BY bar.symbol, bar.session
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
class Block:
    """Some issues with all their bars, by symbol and session, and the panel of the same rows."""

    rows: pa.Table
    panel: Panel

    @property
    def adjusted_open(self) -> Floats:
        """By row (won); NaN where the issue did not trade."""
        opened = self.rows["open"].to_numpy().astype(np.float64)
        return np.where(opened > 0, opened * self.rows["price_factor"].to_numpy(), np.nan)


def read_symbols(dsn: str) -> list[str]:
    """All issues that ever had a bar, in order.

    Raises:
        NothingToTestError: there is none.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "analyst") as connection:
        symbols = [symbol for (symbol,) in connection.execute("SELECT symbol FROM market.instrument ORDER BY 1")]
    if not symbols:
        raise NothingToTestError("the warehouse holds no daily bars: load them first, as with `krxw backfill`")
    return sorted(symbols)


def read_blocks(dsn: str, symbols: Sequence[str]) -> Iterator[Block]:
    """The bars of ``symbols``, which are in order, some issues at a time.

    Raises:
        PanelError: the warehouse holds a bar of which nothing can be computed.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    closes = read_index_closes(dsn)
    for first in range(0, len(symbols), _ISSUES_AT_ONCE):
        asked = symbols[first : first + _ISSUES_AT_ONCE]
        due = [Due(symbol, EVERYTHING, "", False, None, np.nan) for symbol in asked]
        panel = read_inputs(dsn, due, closes).panel
        if panel is not None:
            query = sql.SQL(_BARS).format(symbols=sql.Literal(list(asked)))
            yield Block(_read(dsn, query, _SCHEMA), panel)


def assemble(dsn: str, blocks: Sequence[Block]) -> MarketBars:
    """The market of all ``blocks``, with the exchange's sessions and the indices.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    rows = pa.concat_tables([block.rows for block in blocks])
    panels = [block.panel for block in blocks]
    lengths = np.concatenate([np.diff(panel.offsets) for panel in panels])
    days = rows["session"].to_numpy().astype("datetime64[D]")
    sessions = _sessions(dsn, days.min().item(), days.max().item())
    market = _places(rows["market"], [market.value for market in MARKETS]).astype(np.int8)
    index_open, index_close = _indices(dsn, sessions)
    index_of = np.array([INDICES.index(INDEX_OF_MARKET.get(market.value, KOSPI)) for market in MARKETS], np.int8)
    return MarketBars(
        symbols=np.concatenate([panel.symbols for panel in panels]),
        offsets=np.concatenate(((0,), np.cumsum(lengths))),
        sessions=sessions,
        day=np.searchsorted(sessions, days).astype(np.int32),
        **{name: rows[name].to_numpy() for name in _PRICES},
        price_factor=rows["price_factor"].to_numpy(),
        market=market,
        taxed=rows["taxed"].to_numpy(),
        index=index_of[market],
        index_open=index_open,
        index_close=index_close,
    )


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
    days = rows["session"].to_numpy().astype("datetime64[D]")
    known = np.isin(days, sessions)
    place = np.searchsorted(sessions, days[known])
    levels = np.full((2, len(INDICES), len(sessions)), np.nan)
    for level, name in zip(levels, ("open", "close"), strict=True):
        level[number[known], place] = rows[name].to_numpy()[known]
    opens, closes = levels
    missing = np.isnan(opens[:, 1:])
    opens[:, 1:][missing] = closes[:, :-1][missing]
    return opens, closes


def _places(values: pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.int64]:
    """The place of each value in ``names``, which the tables' checks hold them to."""
    found: NDArray[np.int64] = pc.index_in(values, pa.array(names)).to_numpy().astype(np.int64)
    return found


def _read(dsn: str, query: sql.Composable, schema: pa.Schema) -> pa.Table:
    with read_batches(dsn, query) as batches:
        return pa.Table.from_batches(batches, schema)
