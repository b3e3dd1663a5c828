"""What indicators are computed of, from the warehouse: adjusted bars, indices, flows and foreign holdings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from include.datasets.investor_flow import DATASET as INVESTOR_FLOW
from include.indicators.catalogue import CATALOGUE, LOOKBACK
from include.indicators.due import Due
from include.indicators.index_level import INDEX_OF_MARKET, INDICES, NO_INDEX, IndexCloses, index_level
from include.indicators.panel import Panel
from include.indicators.windows import Flags, Floats
from include.market.investors import Investor
from include.warehouse.reading import read_batches

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
_INDEX_CLOSES = """
    SELECT index_name, session, close::double precision AS close
    FROM market.index_bar
    WHERE (index_name, family) IN ({indices})
    ORDER BY session
"""

_KEY = {"symbol": pa.string(), "session": pa.date32()}
_BAR_SCHEMA = pa.schema(
    _KEY | {name: pa.float64() for name in ("high", "low", "close", "volume")} | {"market": pa.string()}
)
_FLOW_SCHEMA = pa.schema(_KEY | {name: pa.float64() for name in _FLOWS[:2]})
_HOLDING_SCHEMA = pa.schema(_KEY | {name: pa.float64() for name in _FLOWS[2:]})
_INDEX_SCHEMA = pa.schema({"index_name": pa.string(), "session": pa.date32(), "close": pa.float64()})


@dataclass(frozen=True)
class Inputs:
    """A panel of issues that are due, in its order; ``panel`` is None where none has a bar.

    ``without_bars`` have none to compute of; ``short`` have bars, but of those read too few before ``since``.
    """

    panel: Panel | None
    of_panel: tuple[Due, ...]
    without_bars: tuple[Due, ...]
    short: tuple[Due, ...]


def read_index_closes(dsn: str) -> IndexCloses:
    """All closes of the indices that issues are measured against.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    names = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(index.name), sql.Literal(index.family)) for index in INDICES
    )
    rows = _read(dsn, sql.SQL(_INDEX_CLOSES).format(indices=names), _INDEX_SCHEMA)
    if not rows.num_rows:
        return IndexCloses(np.array([], "datetime64[D]"), np.empty((len(INDICES), 0)))
    days, place = np.unique(_days(rows["session"]), return_inverse=True)
    closes = np.full((len(INDICES), len(days)), np.nan)
    number = pc.index_in(rows["index_name"], pa.array([index.name for index in INDICES])).to_numpy()
    closes[number, place] = rows["close"].to_numpy()
    return IndexCloses(days, closes)


def read_inputs(dsn: str, due: Sequence[Due], indices: IndexCloses) -> Inputs:
    """What the indicators of ``due`` are computed of: all with a ``first`` to read from, or none.

    Raises:
        PanelError: the warehouse holds bars of which nothing can be computed; ``faults`` has the issues.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    by_symbol = {each.symbol: each for each in due}
    bars = _read_bars(dsn, due)
    bars, short = _without_short(bars, by_symbol)
    symbols, _ = _runs(bars)
    read = {*symbols, *(each.symbol for each in short)}
    without_bars = tuple(each for each in due if each.symbol not in read)
    of_panel = tuple(by_symbol[symbol] for symbol in symbols)
    if not of_panel:
        return Inputs(None, (), without_bars, short)
    return Inputs(_panel(dsn, bars, of_panel, indices), of_panel, without_bars, short)


def _read_bars(dsn: str, due: Sequence[Due]) -> pa.Table:
    """The bars of ``due``, each from its own ``first`` on, by symbol and session.

    They come partition by partition, each in this order: sorting them here takes a tenth of what it takes the server.
    """
    starts = {each.symbol: each.first or date.min for each in due}
    symbols = sorted(starts)
    query = sql.SQL(_BARS).format(symbols=_texts(symbols), first=sql.Literal(min(starts.values())))
    bars = _read(dsn, query, _BAR_SCHEMA)
    first = np.array([starts[symbol] for symbol in symbols], "datetime64[D]")
    number = pc.index_in(bars["symbol"], pa.array(symbols, pa.string())).to_numpy()
    days = _days(bars["session"])
    wanted = np.flatnonzero(days >= first[number])
    order = np.argsort(_keys(number[wanted], days[wanted]), kind="stable")
    return bars.take(pa.array(wanted[order]))


def _without_short(bars: pa.Table, by_symbol: dict[str, Due]) -> tuple[pa.Table, tuple[Due, ...]]:
    """``bars`` without issues that need more of them before ``since`` than were read, and these."""
    symbols, offsets = _runs(bars)
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


def _panel(dsn: str, bars: pa.Table, due: Sequence[Due], indices: IndexCloses) -> Panel:
    symbols, offsets = _runs(bars)
    sessions = _days(bars["session"])
    traded = _traded(bars)
    index = _index_of_market(bars["market"])
    columns = {
        "symbol": bars["symbol"],
        "session": bars["session"],
        **{name: bars[name] for name in ("high", "low", "close", "volume")},
        "index_close": pa.array(index_level(offsets, sessions, index, traded, indices)),
        "first_obv": pa.array(np.repeat([each.first_obv for each in due], np.diff(offsets))),
    }
    firsts = _first_flows(bars, offsets, due)
    numbers = pa.array(symbols, pa.string())
    keys = _keys(np.repeat(np.arange(len(symbols)), np.diff(offsets)), sessions)
    for query, schema in ((_FLOWS_OF_ISSUES, _FLOW_SCHEMA), (_HOLDINGS_OF_ISSUES, _HOLDING_SCHEMA)):
        found = _read(dsn, _asked(query, symbols, firsts), schema)
        number = pc.index_in(found["symbol"], numbers).to_numpy()
        found_keys = _keys(number, _days(found["session"]))
        for name in schema.names[len(_KEY) :]:
            columns[name] = pa.array(_aligned(keys, found_keys, found[name].to_numpy()))
    return Panel.from_arrow(pa.table(columns))


def _index_of_market(market: pa.ChunkedArray) -> NDArray[np.int8]:
    """The index of each row's market, counted in ``INDICES``."""
    markets = pa.array(list(INDEX_OF_MARKET))
    numbers = np.array([*map(INDICES.index, INDEX_OF_MARKET.values()), NO_INDEX], np.int8)
    found: NDArray[np.int8] = numbers[pc.fill_null(pc.index_in(market, markets), len(markets)).to_numpy()]
    return found


def _first_flows(bars: pa.Table, offsets: NDArray[np.int64], due: Sequence[Due]) -> NDArray[np.datetime64]:
    """The first session of each issue whose flows bear on a result asked for."""
    traded_rows = np.flatnonzero(_traded(bars))
    before = _traded_before_since(bars, offsets, due)
    rows = offsets[:-1].copy()
    first_traded = np.searchsorted(traded_rows, offsets[:-1])
    enough = before > _FLOW_MEMORY
    rows[enough] = traded_rows[first_traded[enough] + before[enough] - _FLOW_MEMORY]
    return _days(bars["session"])[rows]


def _traded_before_since(bars: pa.Table, offsets: NDArray[np.int64], due: Sequence[Due]) -> NDArray[np.int64]:
    """How many traded sessions of each issue were read before its ``since``."""
    if not due:
        return np.zeros(0, np.int64)
    since = np.array([each.since for each in due], "datetime64[D]")
    earlier = _days(bars["session"]) < np.repeat(since, np.diff(offsets))
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


def _keys(numbers: NDArray[np.integer], days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """A number for each issue and day, in their order."""
    return numbers.astype(np.int64) * 1_000_000 + days.astype(np.int64)


def _runs(bars: pa.Table) -> tuple[list[str], NDArray[np.int64]]:
    """The issues in the order of their rows, and where each one's begin and the last one's end."""
    runs = pc.run_end_encode(bars["symbol"].combine_chunks())
    return runs.values.to_pylist(), np.concatenate(((0,), runs.run_ends.to_numpy().astype(np.int64)))


def _traded(bars: pa.Table) -> Flags:
    traded: Flags = bars["high"].is_valid().to_numpy()
    return traded


def _days(sessions: pa.ChunkedArray) -> NDArray[np.datetime64]:
    days: NDArray[np.datetime64] = sessions.to_numpy().astype("datetime64[D]")
    return days


def _texts(values: Sequence[str]) -> sql.Composed:
    return sql.SQL("{}::text[]").format(sql.Literal(list(values)))


def _read(dsn: str, query: sql.Composable, schema: pa.Schema) -> pa.Table:
    with read_batches(dsn, query) as batches:
        return pa.Table.from_batches(batches, schema)
