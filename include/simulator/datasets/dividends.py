"""Cash dividends: who pays when, out of the year's dividend per share."""

from __future__ import annotations

from datetime import date, timedelta
from enum import IntEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.market.calendar import next_session, previous_session
from include.simulator.datasets.fundamentals import PerShare
from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, decimals, repeated
from include.simulator.exchange.randomness import Stream, bits, scatter


class Habit(IntEnum):
    """When a company pays: for the year's end, for each quarter's end, or on a date it sets each year."""

    ANNUAL = 0
    QUARTERLY = 1
    OWN_DATE = 2


# Of eight payers.
_HABITS = np.array([Habit.ANNUAL] * 4 + [Habit.QUARTERLY] * 2 + [Habit.OWN_DATE] * 2)
_FIRST_OWN_DAY = 40
_OWN_DAYS = 256


def dividend_table(seed: int, stocks: Stocks, figures: PerShare) -> pa.Table:
    """The dataset ``dividend`` of a session: the stocks that trade without their dividend from it on."""
    numbers = stocks.number[figures.rows]
    words = scatter(seed, Stream.PAYOUT, 0, numbers)
    habit = _HABITS[bits(words, 0, 3)]
    goes_ex = (habit == Habit.OWN_DATE) & _own_date_reached(seed, stocks.session, numbers)
    if _before_last_session(stocks.session, months=3):
        goes_ex |= habit == Habit.QUARTERLY
    if _before_last_session(stocks.session, months=12):
        goes_ex |= habit == Habit.ANNUAL
    amount = np.where(habit == Habit.QUARTERLY, figures.dividend // 4, figures.dividend)
    paying = np.flatnonzero(goes_ex & (amount > 0))
    delays = 30 + bits(words, 8, 16) % 31
    return dataset_table(
        "dividend",
        {
            "symbol": stocks.bars["symbol"].take(figures.rows[paying]),
            "session": repeated(stocks.session, len(paying)),
            "amount_krw": decimals(amount[paying] * 10_000, 4),
            "split_adjusted": repeated(False, len(paying)),
            "record_on": repeated(next_session(stocks.session), len(paying)),
            "paid_on": pa.array([stocks.session + timedelta(days=int(delay)) for delay in delays[paying]], pa.date32()),
        },
    )


def _before_last_session(session: date, months: int) -> bool:
    """Whether the next session is the last of a period of so many months: the record date of its dividend."""
    record = next_session(session)
    after = next_session(record)
    return record.month % months == 0 and after.month != record.month


def _own_date_reached(seed: int, session: date, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a date of one's own, another one each year, came since the session before."""
    words = scatter(seed, Stream.PAYOUT, session.year, numbers)
    dates = date(session.year, 1, 1).toordinal() + _FIRST_OWN_DAY + bits(words, 0, 16) % _OWN_DAYS
    result: NDArray[np.bool_] = (previous_session(session).toordinal() < dates) & (dates <= session.toordinal())
    return result
