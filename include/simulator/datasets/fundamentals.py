"""Earnings, book value and dividend per share of the last report, and their ratios to the close.

A report is taken from the prices of the first session of its year (April to March): what the company earns and owns
then is a share of its value, spread over the shares of the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, decimals, integers, quotient, repeated
from include.simulator.exchange.randomness import Stream, bits, scatter

_REPORT_MONTH = 4


@dataclass(frozen=True)
class PerShare:
    """What a report says per share listed today, whole won, of the stocks at ``rows``; 0 where there is nothing."""

    rows: NDArray[np.intp]
    earnings: NDArray[np.int64]
    book: NDArray[np.int64]
    dividend: NDArray[np.int64]


def report_year_start(session: date) -> date:
    """The day the report in force on ``session`` came out."""
    return date(session.year - (session.month < _REPORT_MONTH), _REPORT_MONTH, 1)


def per_share(seed: int, stocks: Stocks, reported: Stocks) -> PerShare:
    """The figures of KOSPI and KOSDAQ common shares; ``reported`` is the first session of the report's year.

    A company listed since then has not reported yet.
    """
    rows = np.flatnonzero(stocks.common & ~stocks.on_konex)
    numbers = stocks.number[rows]
    places = np.minimum(np.searchsorted(reported.number, numbers), len(reported.number) - 1)
    known = reported.number[places] == numbers
    # Thousandths of the value reported, divided before multiplied, stay within 64 bits.
    thousandth = np.where(known, reported.base_value[places] // 1_000, 0)
    words = scatter(seed, Stream.REPORT, report_year_start(stocks.session).year, numbers)
    shares = stocks.figures("listed_shares")[rows]
    earns = bits(words, 0, 8) >= 64
    pays = earns & (bits(words, 8, 8) >= 64)
    earnings = np.where(earns, thousandth * (15 + bits(words, 16, 7)) // shares, 0)
    book = thousandth * (300 + bits(words, 24, 11)) // shares
    dividend = np.where(pays, thousandth * (5 + bits(words, 40, 5)) // shares, 0)
    return PerShare(rows, earnings, book, np.where(dividend >= 10, dividend // 10 * 10, dividend))


def fundamental_table(stocks: Stocks, figures: PerShare) -> pa.Table:
    """The dataset ``fundamental`` of a session. Losses are not shown, and neither is what is not yet reported."""
    rows = figures.rows
    close = stocks.figures("close")[rows]
    has_earnings, has_book = figures.earnings > 0, figures.book > 0
    return dataset_table(
        "fundamental",
        {
            "symbol": stocks.bars["symbol"].take(rows),
            "session": repeated(stocks.session, len(rows)),
            "close": close,
            "eps_krw": integers(figures.earnings, has_earnings),
            "per": decimals(quotient(close * 100, figures.earnings), 2, has_earnings),
            "bps_krw": integers(figures.book, has_book),
            "pbr": decimals(quotient(close * 100, figures.book), 2, has_book),
            "dps_krw": figures.dividend,
            "dividend_yield_pct": decimals(quotient(figures.dividend * 10_000, close), 2),
        },
    )
