"""Who bought and who sold: each issue's volume and turnover, dealt out twice among the eleven classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.market.investors import CLASSES, INSTITUTIONS, Investor
from include.simulator.datasets.stocks import Stocks, symbol_numbers
from include.simulator.datasets.tables import dataset_table, repeated, texts
from include.simulator.exchange.randomness import Stream, bits, scatter

Matrix = NDArray[np.int64]

_INVESTORS = tuple(Investor)
_PLACES = {investor: place for place, investor in enumerate(_INVESTORS)}
_CLASS_PLACES = [_PLACES[investor] for investor in CLASSES]
_INSTITUTION_PLACES = [_PLACES[investor] for investor in INSTITUTIONS]
# Usual shares of turnover; individuals take what the others leave.
_WEIGHTS = {
    Investor.SECURITIES: 30,
    Investor.INSURANCE: 6,
    Investor.INVESTMENT_TRUST: 14,
    Investor.PRIVATE_FUND: 12,
    Investor.BANK: 2,
    Investor.OTHER_FINANCE: 2,
    Investor.PENSION: 22,
    Investor.OTHER_CORPORATION: 16,
    Investor.FOREIGN: 160,
    Investor.OTHER_FOREIGN: 4,
}
_INDIVIDUAL_WEIGHT = 64 * 256
_COLUMNS = ("sell_shares", "buy_shares", "net_shares", "sell_krw", "buy_krw", "net_krw")


@dataclass(frozen=True)
class Flows:
    """Sold and bought, in shares and won: a row per issue, a column per member of ``Investor``."""

    sell_shares: Matrix
    buy_shares: Matrix
    sell_krw: Matrix
    buy_krw: Matrix

    def columns(self, rows: NDArray[np.intp], investors: NDArray[np.intp]) -> dict[str, Matrix]:
        """The datasets' quantities at the given places of the matrices."""
        picked = {name: getattr(self, name)[rows, investors] for name in _COLUMNS if not name.startswith("net")}
        picked |= {f"net_{unit}": picked[f"buy_{unit}"] - picked[f"sell_{unit}"] for unit in ("shares", "krw")}
        return {name: picked[name] for name in _COLUMNS}

    def summed(self, members: NDArray[np.bool_]) -> Flows:
        """The sum of some issues, as one row."""
        sides = (self.sell_shares, self.buy_shares, self.sell_krw, self.buy_krw)
        return Flows(*(side[members].sum(axis=0, keepdims=True) for side in sides))


def stock_flows(seed: int, stocks: Stocks) -> Flows:
    """The flows of every stock of a session."""
    return _dealt(seed, stocks.session, stocks.number, stocks.figures("volume"), stocks.figures("value_krw"))


def product_flows(seed: int, session: date, bars: pa.Table) -> Flows:
    """The flows of exchange-traded products, from their daily ``bars``."""
    numbers = symbol_numbers(bars["symbol"])
    return _dealt(seed, session, numbers, bars["volume"].to_numpy(), bars["value_krw"].to_numpy())


def investor_flow_table(stocks: Stocks, flows: Flows) -> pa.Table:
    """The dataset ``investor_flow`` of a session: the classes that traded, the subtotal and the total."""
    rows, investors = np.nonzero((flows.sell_shares > 0) | (flows.buy_shares > 0))
    return dataset_table(
        "investor_flow",
        {
            "symbol": stocks.bars["symbol"].take(rows),
            "session": repeated(stocks.session, len(rows)),
            "investor": texts(tuple(investor.value for investor in _INVESTORS), investors),
            **flows.columns(rows, investors),
        },
    )


def market_investor_flow_table(stocks: Stocks, flows: Flows, products: Flows) -> pa.Table:
    """The dataset ``market_investor_flow`` of a session; ``products`` are the flows of its ETFs.

    A market has all its rows, those of classes that did not trade included, unless nothing is listed on it.
    """
    members: Mapping[str, tuple[Flows, NDArray[np.bool_]]] = {
        "KOSPI": (flows, stocks.on_kospi),
        "KOSDAQ": (flows, stocks.on_kosdaq),
        "KONEX": (flows, stocks.on_konex),
        "ETF": (products, np.ones(len(products.buy_shares), np.bool_)),
    }
    tables = []
    count = len(_INVESTORS)
    for market, (issues, listed) in members.items():
        if listed.any():
            rows, investors = np.zeros(count, np.intp), np.arange(count)
            columns = issues.summed(listed).columns(rows, investors)
            labels = {
                "market": repeated(market, count),
                "session": repeated(stocks.session, count),
                "investor": [investor.value for investor in _INVESTORS],
            }
            tables.append(dataset_table("market_investor_flow", labels | columns))
    return pa.concat_tables(tables).combine_chunks()


def _dealt(
    seed: int, session: date, numbers: NDArray[np.int64], volume: NDArray[np.int64], value: NDArray[np.int64]
) -> Flows:
    (sell_shares, sell_krw), (buy_shares, buy_krw) = (
        _side(seed, session.toordinal() * 2 + side, numbers, volume, value) for side in (0, 1)
    )
    return Flows(sell_shares, buy_shares, sell_krw, buy_krw)


def _side(
    seed: int, key: int, numbers: NDArray[np.int64], volume: NDArray[np.int64], value: NDArray[np.int64]
) -> tuple[Matrix, Matrix]:
    """Shares and won of one side, by class, with subtotal and total; individuals take the remainders."""
    weights = np.zeros((len(numbers), len(_INVESTORS)), np.int64)
    for investor, usual in _WEIGHTS.items():
        words = scatter(seed, Stream.FLOW, key * 16 + _PLACES[investor], numbers)
        # A quarter of the classes stay away from a stock on a day.
        present = bits(words, 8, 2) > 0
        weights[:, _PLACES[investor]] = np.where(present, usual * bits(words, 0, 8), 0)
    share = np.maximum(volume, 1)
    everyone = weights.sum(axis=1) + _INDIVIDUAL_WEIGHT
    shares = volume[:, None] * weights // everyone[:, None]
    # value x shares / volume, in parts that stay within 64 bits.
    whole, rest = value // share, value % share
    won = whole[:, None] * shares + rest[:, None] * shares // share[:, None]
    for matrix, total in ((shares, volume), (won, value)):
        matrix[:, _PLACES[Investor.INDIVIDUAL]] = total - matrix[:, _CLASS_PLACES].sum(axis=1)
        matrix[:, _PLACES[Investor.INSTITUTION]] = matrix[:, _INSTITUTION_PLACES].sum(axis=1)
        matrix[:, _PLACES[Investor.TOTAL]] = total
    return shares, won
