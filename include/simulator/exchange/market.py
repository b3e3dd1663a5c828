"""A whole simulated market as Arrow tables, block by block, with its truth."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa

from include.market.calendar import LAST_KNOWN_DAY, NotASessionError, sessions_between
from include.simulator.exchange.exchange import Exchange, Outcome
from include.simulator.exchange.state import MARKETS, State
from include.simulator.exchange.truth import CorporateAction, Happening, Instrument, instruments_of

EARLIEST_FIRST = date(1997, 1, 1)
LATEST_LAST = date(2050, 6, 30)

# The business columns of the daily bars; prices and amounts in won.
SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in {
            "symbol": pa.string(),
            "session": pa.date32(),
            "name": pa.string(),
            "section": pa.string(),
            "market": pa.string(),
            "open": pa.int64(),
            "high": pa.int64(),
            "low": pa.int64(),
            "close": pa.int64(),
            "volume": pa.int64(),
            "value_krw": pa.int64(),
            "market_cap_krw": pa.int64(),
            "listed_shares": pa.int64(),
            "change": pa.int64(),
            "base_price": pa.int64(),
            "fluctuation_code": pa.int16(),
            "halted": pa.bool_(),
        }.items()
    ]
)
_CACHED_BLOCKS = 8
_SESSIONS_PER_CACHED_BLOCK = 64
_MARKET_NAMES = np.array([market.value for market in MARKETS], dtype=object)


class SimulatedMarket:
    """``symbols`` places on a simulated exchange, traded on each session from ``first`` to ``last``.

    The same ``seed``, ``symbols`` and ``first`` give the same rows on any machine; a later ``last`` only adds
    sessions. About ``symbols`` rows a session: a place is empty for some weeks between a delisting and the
    next listing. Memory does not grow with the years, but for the truth, a few hundred bytes per happening.

    Not safe for use by several threads at once.

    Raises:
        ValueError: no symbols, a negative seed, ``first`` before 1997 (earlier price limits are not all
            known), ``last`` after mid-2050 (the calendar's end), or no session between the two.
    """

    def __init__(self, seed: int, symbols: int, first: date, last: date) -> None:
        if symbols < 1 or seed < 0:
            raise ValueError(f"expected symbols >= 1 and seed >= 0, got symbols={symbols}, seed={seed}")
        if first < EARLIEST_FIRST:
            raise ValueError(f"the simulated exchange opens on {EARLIEST_FIRST}, cannot start on {first}")
        if last > LATEST_LAST:
            raise ValueError(f"the simulated exchange closes on {LATEST_LAST}, cannot trade until {last}")
        # Share counts may follow an action after the last session.
        self._all_sessions = sessions_between(first, LAST_KNOWN_DAY)
        self.sessions = [session for session in self._all_sessions if session <= last]
        if not self.sessions:
            raise ValueError(f"no session between {first} and {last}")
        self.seed = seed
        self.symbols = symbols
        self._happenings: list[Happening] = []
        self._recorded = 0
        self._positions = {session: position for position, session in enumerate(self.sessions)}
        self._block_states: list[State | None] = [None]
        self._blocks: OrderedDict[int, list[pa.RecordBatch]] = OrderedDict()

    def iter_blocks(self, sessions_per_block: int = _SESSIONS_PER_CACHED_BLOCK) -> Iterator[pa.Table]:
        """Every row as tables of :data:`SCHEMA`, by session and symbol, so many sessions to a table."""
        exchange = Exchange(self.seed, self.symbols, self._all_sessions)
        writer = _BatchWriter()
        remaining = len(self.sessions)
        while remaining > 0:
            count = min(sessions_per_block, remaining)
            batches = [writer.batch(exchange.state, self._step(exchange)) for _ in range(count)]
            remaining -= count
            yield pa.Table.from_batches(batches, SCHEMA).combine_chunks()

    def session_table(self, session: date) -> pa.Table:
        """The rows of ``session``, of :data:`SCHEMA`, by symbol.

        Simulated forward from the nearest state kept, one per 64 sessions; recent blocks are kept whole.

        Raises:
            NotASessionError: ``session`` is not one of :attr:`sessions`.
        """
        position = self._positions.get(session)
        if position is None:
            raise NotASessionError(
                f"{session} is not a session of this market, {self.sessions[0]} to {self.sessions[-1]}"
            )
        block, offset = divmod(position, _SESSIONS_PER_CACHED_BLOCK)
        return pa.Table.from_batches([self._block(block)[offset]], SCHEMA)

    @property
    def actions(self) -> list[CorporateAction]:
        """Every base price reset up to the last session, in order of session; simulates what was not yet."""
        return [item for item in self._all_happenings() if isinstance(item, CorporateAction)]

    @property
    def instruments(self) -> list[Instrument]:
        """Every share ever listed, by symbol; simulates what was not yet."""
        return instruments_of(self._all_happenings())

    def _all_happenings(self) -> list[Happening]:
        if self._recorded < len(self.sessions):
            exchange = Exchange(self.seed, self.symbols, self._all_sessions)
            for _ in self.sessions:
                self._step(exchange)
        return self._happenings

    def _block(self, wanted: int) -> list[pa.RecordBatch]:
        if wanted in self._blocks:
            self._blocks.move_to_end(wanted)
            return self._blocks[wanted]
        for block in range(min(wanted, len(self._block_states) - 1), wanted + 1):
            batches = self._run_block(block)
        self._blocks[wanted] = batches
        if len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return batches

    def _run_block(self, block: int) -> list[pa.RecordBatch]:
        start = block * _SESSIONS_PER_CACHED_BLOCK
        end = min(start + _SESSIONS_PER_CACHED_BLOCK, len(self.sessions))
        kept = self._block_states[block]
        state = None if kept is None else kept.copy()
        exchange = Exchange(self.seed, self.symbols, self._all_sessions, state, start)
        writer = _BatchWriter()
        batches = [writer.batch(exchange.state, self._step(exchange)) for _ in range(start, end)]
        if len(self._block_states) == block + 1:
            self._block_states.append(exchange.state.copy())
        return batches

    def _step(self, exchange: Exchange) -> Outcome:
        ordinal = exchange.ordinal
        outcome = exchange.step()
        if ordinal == self._recorded:
            self._happenings.extend(outcome.happenings)
            self._recorded += 1
        return outcome


class _BatchWriter:
    """Turns sessions into record batches, making the columns of labels anew only when one changed."""

    def __init__(self) -> None:
        self._order = np.empty(0, np.intp)
        self._labels: list[pa.Array] = []

    def batch(self, state: State, outcome: Outcome) -> pa.RecordBatch:
        if outcome.relabelled or not self._labels:
            self._relabel(state)
        order = self._order
        trading = outcome.trading
        symbol, name, section, market = self._labels
        close, base = trading.close[order], trading.base_price[order]
        shares = state.shares[order]
        day = np.full(len(order), np.datetime64(outcome.session, "D"))
        columns = [
            symbol,
            pa.array(day),
            name,
            section,
            market,
            trading.open[order],
            trading.high[order],
            trading.low[order],
            close,
            trading.volume[order],
            trading.value_krw[order],
            close * shares,
            shares,
            close - base,
            base,
            trading.fluctuation_code[order],
            state.halted[order],
        ]
        return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=SCHEMA)

    def _relabel(self, state: State) -> None:
        slots = np.flatnonzero(state.listed)
        self._order = slots[np.argsort(state.symbol[slots])]
        texts = (state.symbol, state.name, state.section, _MARKET_NAMES[state.market])
        self._labels = [pa.array(text[self._order], pa.string()) for text in texts]
