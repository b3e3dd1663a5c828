"""What indicators are computed of, from the warehouse: adjusted bars, indices, flows and foreign holdings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from include.datasets.investor_flow import DATASET as INVESTOR_FLOW
from include.indicators.catalogue import CATALOGUE, LOOKBACK
from include.indicators.due import Due
from include.indicators.index_level import INDEX_OF_MARKET, INDICES, NO_INDEX, IndexLevels, index_level, index_number
from include.indicators.panel import Panel
from include.indicators.symbol_rows import row_keys, session_days, symbol_runs
from include.indicators.windows import Flags, Floats
from include.market.investors import Investor
from include.warehouse.reading import read_table

_FLOWS = ("foreign_net_krw", "institution_net_krw", "foreign_pct")
# Traded sessions before the first one asked for that indicators of flows look back.
_FLOW_MEMORY = max(indicator.memory or 0 for indicator in CATALOGUE if set(indicator.inputs) & set(_FLOWS))
_FOREIGN = (Investor.FOREIGN.value, Investor.OTHER_FOREIGN.value)
# They give every class that traded an issue: one without a row did not.
_COMPLETE_SOURCES = tuple(source for source in INVESTOR_FLOW.sources if source not in INVESTOR_FLOW.partial_sources)

_BARS = """
    SELECT symbol, session, high, low, close, volume, market
    FROM mart.adjusted_daily_bar
    WHERE symbol = ANY ({symbols}) AND session >= {first}
"""
# Each issue's own sessions, by the key: what is asked for is a small part of these tables.
_FLOWS_OF_ISSUES = """
    SELECT asked.symbol, flow.session, flow.foreign_net_krw, flow.institution_net_krw
    FROM unnest({symbols}, {firsts}) AS asked (symbol, first)
    CROSS JOIN LATERAL (
        SELECT
            session,
            coalesce(
                sum(net_krw) FILTER (WHERE investor = ANY ({foreign})), {if_absent}
            )::double precision AS foreign_net_krw,
            coalesce(
                sum(net_krw) FILTER (WHERE investor = {institution}), {if_absent}
            )::double precision AS institution_net_krw
        FROM market.investor_flow
        WHERE symbol = asked.symbol AND session >= asked.first AND session >= {first}
        GROUP BY session
    ) AS flow
"""
_HOLDINGS_OF_ISSUES = """
    SELECT asked.symbol, holding.session, holding.foreign_pct
    FROM unnest({symbols}, {firsts}) AS asked (symbol, first)
    CROSS JOIN LATERAL (
        SELECT session, foreign_pct::double precision AS foreign_pct
        FROM market.foreign_holding
        WHERE symbol = asked.symbol AND session >= asked.first AND session >= {first}
    ) AS holding
"""
_INDEX_LEVELS = """
    SELECT index_name, session, {price}::double precision AS level
    FROM market.index_bar
    WHERE (index_name, family) IN ({indices})
"""

_KEY = {"symbol": pa.string(), "session": pa.date32()}
_BAR_SCHEMA = pa.schema(
    _KEY | {name: pa.float64() for name in ("high", "low", "close", "volume")} | {"market": pa.string()}
)
_FLOW_SCHEMA = pa.schema(_KEY | {name: pa.float64() for name in _FLOWS[:2]})
_HOLDING_SCHEMA = pa.schema(_KEY | {name: pa.float64() for name in _FLOWS[2:]})
_INDEX_SCHEMA = pa.schema({"index_name": pa.string(), "session": pa.date32(), "level": pa.float64()})


@dataclass(frozen=True)
class Inputs:
    """A panel of issues that are due, in its order; ``panel`` is None where none has a bar.

    ``without_bars`` have none to compute of; ``short`` have bars, but of those read too few before ``since``.
    """

    panel: Panel | None
    of_panel: tuple[Due, ...]
    without_bars: tuple[Due, ...]
    short: tuple[Due, ...]


def read_index_levels(dsn: str, price: Literal["open", "close"] = "close") -> IndexLevels:
    """All opens or closes of the indices that issues are measured against.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    names = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(index.name), sql.Literal(index.family)) for index in INDICES
    )
    rows = read_table(dsn, sql.SQL(_INDEX_LEVELS).format(price=sql.Identifier(price), indices=names), _INDEX_SCHEMA)
    days, place = np.unique(session_days(rows), return_inverse=True)
    levels = np.full((len(INDICES), len(days)), np.nan)
    number = pc.index_in(rows["index_name"], pa.array([index.name for index in INDICES])).to_numpy()
    levels[number, place] = rows["level"].to_numpy()
    return IndexLevels(days, levels)


def read_inputs(dsn: str, due: Sequence[Due], closes: IndexLevels) -> Inputs:
    """What the indicators of ``due`` are computed of: all with a ``first`` to read from, or none.

    ``closes`` are of the indices that issues are measured against.

    Raises:
        PanelError: the warehouse holds bars of which nothing can be computed; ``faults`` has the issues.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    by_symbol = {each.symbol: each for each in due}
    bars = _read_bars(dsn, due)
    bars, short = _without_short(bars, by_symbol)
    symbols, offsets = symbol_runs(bars)
    read = {*symbols.tolist(), *(each.symbol for each in short)}
    without_bars = tuple(each for each in due if each.symbol not in read)
    of_panel = tuple(by_symbol[symbol] for symbol in symbols)
    if not of_panel:
        return Inputs(None, (), without_bars, short)
    flows_from = _first_flows(bars, offsets, of_panel)
    first_obv = np.repeat([each.first_obv for each in of_panel], np.diff(offsets))
    panel = Panel.from_arrow(bars.append_column("first_obv", pa.array(first_obv)))
    panel = with_inputs(dsn, panel, _index_of_market(bars["market"]), closes, flows_from)
    return Inputs(panel, of_panel, without_bars, short)


def with_inputs(
    dsn: str, panel: Panel, index: NDArray[np.int8], closes: IndexLevels, flows_from: NDArray[np.datetime64]
) -> Panel:
    """``panel`` of bars alone, with levels of the indices, and with the flows and foreign holdings that are read to it.

    Args:
        dsn: the warehouse (libpq URI).
        panel: adjusted bars.
        index: by row, the place of its index in ``INDICES``, or ``NO_INDEX``.
        closes: of these indices.
        flows_from: by symbol, the first session whose flows and holdings are read.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    inputs: dict[str, Any] = {"index_close": index_level(panel.offsets, panel.sessions, index, panel.traded, closes)}
    keys = row_keys(np.repeat(np.arange(len(panel.symbols)), np.diff(panel.offsets)), panel.sessions)
    for query, schema in ((_FLOWS_OF_ISSUES, _FLOW_SCHEMA), (_HOLDINGS_OF_ISSUES, _HOLDING_SCHEMA)):
        found = read_table(dsn, _asked(query, panel.symbols.tolist(), flows_from), schema)
        number = pc.index_in(found["symbol"], pa.array(panel.symbols, pa.string())).to_numpy()
        found_keys = row_keys(number, session_days(found))
        for name in schema.names[len(_KEY) :]:
            inputs[name] = _aligned(keys, found_keys, found[name].to_numpy())
    return replace(panel, **inputs)


def _read_bars(dsn: str, due: Sequence[Due]) -> pa.Table:
    """The bars of ``due``, each from its own ``first`` on, by symbol and session.

    They come partition by partition, each in this order: sorting them here takes a tenth of what it takes the server.
    """
    starts = {each.symbol: each.first or date.min for each in due}
    symbols = sorted(starts)
    query = sql.SQL(_BARS).format(symbols=_texts(symbols), first=sql.Literal(min(starts.values())))
    bars = read_table(dsn, query, _BAR_SCHEMA)
    first = np.array([starts[symbol] for symbol in symbols], "datetime64[D]")
    number = pc.index_in(bars["symbol"], pa.array(symbols, pa.string())).to_numpy()
    days = session_days(bars)
    wanted = np.flatnonzero(days >= first[number])
    order = np.argsort(row_keys(number[wanted], days[wanted]), kind="stable")
    return bars.take(pa.array(wanted[order]))


def _without_short(bars: pa.Table, by_symbol: dict[str, Due]) -> tuple[pa.Table, tuple[Due, ...]]:
    """``bars`` without issues that need more of them before ``since`` than were read, and these."""
    symbols, offsets = symbol_runs(bars)
    due = [by_symbol[symbol] for symbol in symbols]
    before = _traded_before_since(bars, offsets, due)
    short = tuple(
        each
        for each, count in zip(due, before.tolist(), strict=True)
        if not np.isnan(each.first_obv) and count < LOOKBACK
    )
    if not short:
        return bars, ()
    lacking = pa.array([each.symbol for each in short], pa.string())
    return bars.filter(pc.invert(pc.is_in(bars["symbol"], lacking))), short


def _index_of_market(market: pa.ChunkedArray) -> NDArray[np.int8]:
    """The index of each row's market, counted in ``INDICES``."""
    markets = list(INDEX_OF_MARKET)
    numbers = np.array([*map(index_number, markets), NO_INDEX], np.int8)
    found: NDArray[np.int8] = numbers[pc.fill_null(pc.index_in(market, pa.array(markets)), len(markets)).to_numpy()]
    return found


def _first_flows(bars: pa.Table, offsets: NDArray[np.int64], due: Sequence[Due]) -> NDArray[np.datetime64]:
    """The first session of each issue whose flows bear on a result asked for."""
    traded_rows = np.flatnonzero(_traded(bars))
    before = _traded_before_since(bars, offsets, due)
    rows = offsets[:-1].copy()
    first_traded = np.searchsorted(traded_rows, offsets[:-1])
    enough = before > _FLOW_MEMORY
    rows[enough] = traded_rows[first_traded[enough] + before[enough] - _FLOW_MEMORY]
    return session_days(bars)[rows]


def _traded_before_since(bars: pa.Table, offsets: NDArray[np.int64], due: Sequence[Due]) -> NDArray[np.int64]:
    """How many traded sessions of each issue were read before its ``since``."""
    if not due:
        return np.zeros(0, np.int64)
    since = np.array([each.since for each in due], "datetime64[D]")
    earlier = session_days(bars) < np.repeat(since, np.diff(offsets))
    return np.add.reduceat(earlier & _traded(bars), offsets[:-1], dtype=np.int64)


def _asked(query: str, symbols: Sequence[str], firsts: NDArray[np.datetime64]) -> sql.Composed:
    return sql.SQL(query).format(
        symbols=_texts(symbols),
        firsts=sql.SQL("{}::date[]").format(sql.Literal([str(day) for day in firsts])),
        first=sql.Literal(firsts.min().astype(object)),
        foreign=_texts(_FOREIGN),
        if_absent=sql.SQL("CASE WHEN bool_or(source = ANY ({})) THEN 0 END").format(_texts(_COMPLETE_SOURCES)),
        institution=sql.SQL("{}::text").format(sql.Literal(Investor.INSTITUTION.value)),
    )


def _aligned(keys: NDArray[np.int64], found: NDArray[np.int64], values: Floats) -> Floats:
    """``values`` of the rows of the same key, NaN for the others; ``keys`` are in order."""
    aligned = np.full(len(keys), np.nan)
    places = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
    there = keys[places] == found
    aligned[places[there]] = values[there]
    return aligned


def _traded(bars: pa.Table) -> Flags:
    traded: Flags = bars["high"].is_valid().to_numpy()
    return traded


def _texts(values: Sequence[str]) -> sql.Composed:
    return sql.SQL("{}::text[]").format(sql.Literal(list(values)))
