"""What followed signals: bought (or sold) at the next session's open, and looked at so many sessions later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.backtest.fund import Cohorts, CohortSums, Positions
from include.backtest.market_bars import LONGEST_HORIZON, Flags, Floats, MarketBars, Rows

Side = Literal["buy", "sell"]

# Sessions a signal's position is held, its first one included: one is the session after the signal, open to close.
HORIZONS = (1, 5, 20, LONGEST_HORIZON)
# What is worked out of so many stays in the processor's cache.
_ENTRIES_AT_ONCE = 32_768


@dataclass(frozen=True)
class CostRates:
    """Shares of the amount traded that a purchase and a sale cost, by day.

    ``sale`` is by place in ``MARKETS`` and day, ``untaxed_sale`` by day: of ETFs and ETNs. NaN where the tax is not
    known.
    """

    purchase: Floats
    sale: Floats
    untaxed_sale: Floats


@dataclass(frozen=True)
class Outcomes:
    """Results of the signals that could be followed and whose horizon is over, one element each.

    ``signal_day`` and ``exit_day`` are places in the sessions of the bars, ``market``, on the exit, in ``MARKETS``.
    ``returns`` are of a purchase and its sale after costs; of a signal to sell they are what the sale spared: minus the
    return of holding on, without costs. ``excess`` is ``returns`` over the index's from the entry's open to the exit's
    close, for a sale over holding the index; NaN where there is no index.

    ``cohorts`` are the same positions session by session. ``signals`` counts all there were, ``unfilled`` those that
    could not be followed (halted, no bar, opened at the limit, a sale whose tax is not known), ``pending`` those whose
    horizon is not over.
    """

    signal_day: NDArray[np.int32]
    exit_day: NDArray[np.int32]
    market: NDArray[np.int8]
    returns: Floats
    excess: Floats
    cohorts: Cohorts
    signals: int
    unfilled: int
    pending: int


@dataclass(frozen=True)
class Entries:
    """Signals that could be followed and the rows on which they are, with what does not depend on how long.

    ``price`` is the adjusted open (won), ``index`` the place of the index and ``index_open`` its level then. The counts
    are as in :class:`Outcomes`; ``pending`` are those of the last session.
    """

    signals: Rows
    rows: Rows
    price: Floats
    index: NDArray[np.int8]
    index_open: Floats
    counted: int
    unfilled: int
    pending: int


def follow(bars: MarketBars, signals: Rows, side: Side) -> Entries:
    """The entries of ``signals``, rows of ``bars``: the next session of the exchange, at its open, or never."""
    has_row = signals + 1 < bars.symbol_end[signals]
    rows = np.where(has_row, signals + 1, signals)
    at_limit = bars.opens_at_upper_limit if side == "buy" else bars.opens_at_lower_limit
    next_day = has_row & (bars.day[rows] == bars.day[signals] + 1)
    entered = next_day & bars.traded[rows] & ~at_limit[rows]
    pending = bars.day[signals] == len(bars.sessions) - 1
    rows = rows[entered]
    index = bars.index[rows]
    return Entries(
        signals=signals[entered],
        rows=rows,
        price=bars.open[rows] * bars.price_factor[rows],
        index=index,
        index_open=bars.index_open[index, bars.day[rows]],
        counted=len(signals),
        unfilled=int(np.count_nonzero(~entered & ~pending)),
        pending=int(np.count_nonzero(pending)),
    )


def outcomes(bars: MarketBars, entries: Entries, side: Side, horizon: int, costs: CostRates) -> Outcomes:
    """What came of ``entries`` after ``horizon`` sessions, the entry's own included.

    A purchase is sold at the close of that session; where the issue does not trade then, or closes at its lower limit,
    at the first later close where that is not so. Of an issue that is delisted before, the last close counts.
    """
    sign = 1 if side == "buy" else -1
    sums = CohortSums(bars, horizon, sign)
    blocks: list[_Closed] = []
    for start in range(0, max(len(entries.rows), 1), _ENTRIES_AT_ONCE):
        blocks.append(_close(bars, entries, slice(start, start + _ENTRIES_AT_ONCE), side, horizon, costs))
        sums.add(blocks[-1].positions)
    growth = np.concatenate([block.growth for block in blocks])
    return Outcomes(
        signal_day=np.concatenate([block.positions.signal_day for block in blocks]),
        exit_day=np.concatenate([block.exit_day for block in blocks]),
        market=np.concatenate([block.positions.market for block in blocks]),
        returns=sign * (growth - 1),
        excess=sign * (growth - np.concatenate([block.index_growth for block in blocks])),
        cohorts=sums.cohorts(),
        signals=entries.counted,
        unfilled=entries.unfilled + sum(block.tax_unknown for block in blocks),
        pending=entries.pending + sum(block.pending for block in blocks),
    )


class _Closed(NamedTuple):
    """Positions after their horizon, and how many are not closed: the tax on the sale is not known, or it is to come.

    ``growth`` and ``index_growth`` are what came of one won paid, and of one held in the index.
    """

    positions: Positions
    exit_day: NDArray[np.int32]
    growth: Floats
    index_growth: Floats
    tax_unknown: int
    pending: int


def _close(bars: MarketBars, entries: Entries, block: slice, side: Side, horizon: int, costs: CostRates) -> _Closed:
    """What came of some of ``entries``."""
    signals, rows = entries.signals[block], entries.rows[block]
    exits, is_over = _exits(bars, signals, rows, horizon, side)
    purchase, sale = _costs(bars, rows, exits, side, costs)
    known = ~np.isnan(sale)
    chosen = is_over & known
    exits, rows, sale = exits[chosen], rows[chosen], sale[chosen]
    exit_day = bars.day[exits]
    paid = entries.price[block][chosen] * (1 + purchase[chosen])
    return _Closed(
        positions=Positions(
            entries=rows,
            exits=exits,
            entry_growth=bars.adjusted_close[rows] / paid,
            sale=sale,
            signal_day=bars.day[signals[chosen]],
            market=bars.market[exits],
        ),
        exit_day=exit_day,
        growth=bars.adjusted_close[exits] * (1 - sale) / paid,
        index_growth=bars.index_close[entries.index[block][chosen], exit_day] / entries.index_open[block][chosen],
        tax_unknown=int(np.count_nonzero(is_over & ~known)),
        pending=int(np.count_nonzero(~is_over)),
    )


def _costs(bars: MarketBars, rows: Rows, exits: Rows, side: Side, costs: CostRates) -> tuple[Floats, Floats]:
    """Shares of the amount that the purchases and the sales cost; nothing for what a sale spares."""
    if side == "sell":
        return np.zeros(len(exits)), np.zeros(len(exits))
    day = bars.day[exits]
    sale = np.where(bars.taxed[exits], costs.sale[bars.market[exits], day], costs.untaxed_sale[day])
    return costs.purchase[bars.day[rows]], sale


def _exits(bars: MarketBars, signals: Rows, rows: Rows, horizon: int, side: Side) -> tuple[Rows, Flags]:
    """The rows on which positions entered on ``rows`` are left, and whether the horizon is over."""
    wanted_day = bars.day[signals] + horizon
    ends = bars.symbol_end[signals]
    last_day = bars.day[ends - 1]
    gone = bars.is_gone[signals]
    exits = np.where(wanted_day > last_day, ends, np.minimum(signals + horizon, ends - 1))
    # Without a missing bar a day on is a row on; where one is missing, the first row not before the day is sought.
    for place in np.flatnonzero((wanted_day <= last_day) & (bars.day[np.minimum(exits, ends - 1)] != wanted_day)):
        days = bars.day[rows[place] : ends[place]]
        exits[place] = rows[place] + np.searchsorted(days, wanted_day[place])
    exits = (bars.next_traded if side == "sell" else bars.next_sellable)[exits]
    beyond = exits >= ends
    # Delisted before: the last row on which the issue traded, at the earliest the entry.
    exits = np.where(beyond, bars.last_traded[ends - 1], exits)
    return exits, ~beyond | gone
