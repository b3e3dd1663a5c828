"""The exchange's master of a session, and its delistings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.market.instruments import InstrumentKind
from include.market.symbols import isin
from include.simulator.datasets.etps import ProductState
from include.simulator.datasets.products import Product, product_name
from include.simulator.datasets.stocks import Stocks, symbol_numbers
from include.simulator.datasets.tables import dataset_table, decimals, repeated
from include.simulator.exchange.names import SPAC, latin_name, product_symbol
from include.simulator.exchange.randomness import Stream, bits, scatter
from include.simulator.exchange.truth import Instrument

_PAR_VALUES = np.array([100, 200, 500, 500, 500, 500, 1_000, 2_500, 5_000, 5_000, 500, 500, 500, 500, 500, 0])
_REASONS = (
    "해산 사유 발생",
    "감사의견 의견거절",
    "자본전액잠식",
    "상장폐지유예기간종료",
    "기업의 계속성 및 경영의 투명성 등을 종합적으로 고려하여 상장폐지기준에 해당한다고 결정",
)
_RECODED_REASON = "단축코드 변경"
_FUND_REASON = "수익증권 신탁기간의 만료 또는 전액 중도 환수"
_EARLIEST_LISTING = date(1975, 1, 4)
# What follows the short name in the full one.
_SUFFIXES = {
    InstrumentKind.COMMON: "보통주",
    InstrumentKind.PREFERRED: "1우선주",
    InstrumentKind.SPAC: "기업인수목적 주식회사",
    InstrumentKind.REIT: "위탁관리부동산투자회사",
}


def listing_days(seed: int, instruments: Sequence[Instrument], first: date) -> dict[str, date]:
    """The day each share was listed; before ``first``, the simulation's first session, for those it began with."""
    symbols = [instrument.symbol for instrument in instruments]
    words = scatter(seed, Stream.MASTER, 0, symbol_numbers(pa.array(symbols)) // 36)
    earlier = bits(words, 0, 20) % ((first - _EARLIEST_LISTING).days) + 1
    return {
        instrument.symbol: instrument.listed if instrument.listed > first else first - timedelta(days=int(days))
        for instrument, days in zip(instruments, earlier, strict=True)
    }


def instrument_table(
    seed: int,
    stocks: Stocks,
    listed: Mapping[str, date],
    split: Mapping[str, Fraction],
    slots: Sequence[Product],
    state: ProductState,
    bars: pa.Table,
) -> pa.Table:
    """The dataset ``instrument`` of a session; ``bars`` are those of its products.

    ``split`` has the shares one share has been split into, or consolidated, until then; 1 where there was nothing.
    A par value follows these alone: new shares and reductions are of the par value there is.
    """
    shares = _shares(seed, stocks, listed, split)
    return pa.concat_tables([shares, _products(stocks.session, slots, state, bars)]).combine_chunks()


def delisting_table(
    seed: int,
    session: date,
    gone: Sequence[Instrument],
    listed: Mapping[str, date],
    slots: Sequence[Product],
    state: ProductState,
) -> pa.Table:
    """The dataset ``delisting`` of a session: ``gone`` are its shares, ``state`` tells of funds."""
    numbers = symbol_numbers(pa.array([instrument.symbol for instrument in gone], pa.string()))
    reasons = bits(scatter(seed, Stream.MASTER, 0, numbers // 36), 30, 8) % len(_REASONS)
    rows = [
        {
            "symbol": instrument.symbol,
            "name": instrument.names[-1][1],
            "market": instrument.markets[-1][1].value,
            "security_group": "주권",
            "listed_on": listed[instrument.symbol],
            "reason": _REASONS[reason] if instrument.successor is None else _RECODED_REASON,
            "successor_symbol": instrument.successor,
        }
        for instrument, reason in zip(gone, reasons, strict=True)
    ]
    rows += [
        {
            "symbol": product_symbol(closure.number),
            "name": product_name(slots[closure.slot], closure.number),
            "market": "KOSPI",
            "security_group": "수익증권",
            "listed_on": closure.listed_on,
            "reason": _FUND_REASON,
            "successor_symbol": None,
        }
        for closure in state.closed
        if slots[closure.slot].kind == "ETF"
    ]
    names = ("symbol", "name", "market", "security_group", "listed_on", "reason", "successor_symbol")
    columns = {name: [row[name] for row in rows] for name in names}
    return dataset_table("delisting", columns | {"session": repeated(session, len(rows))})


def _shares(seed: int, stocks: Stocks, listed: Mapping[str, date], split: Mapping[str, Fraction]) -> pa.Table:
    symbols = stocks.bars["symbol"].to_pylist()
    names = stocks.bars["name"].to_pylist()
    kinds = _kinds(seed, stocks)
    first_par = _PAR_VALUES[bits(scatter(seed, Stream.MASTER, 0, stocks.issuer), 20, 4)].tolist()
    # In ten-thousandths of a won.
    par = np.array(
        [int(value * 10_000 / split.get(symbol, 1)) for value, symbol in zip(first_par, symbols, strict=True)]
    )
    return dataset_table(
        "instrument",
        {
            "symbol": symbols,
            "session": repeated(stocks.session, len(symbols)),
            "isin": [isin(symbol) for symbol in symbols],
            "name": names,
            "full_name": [
                name.removesuffix("우") + _SUFFIXES[kind]
                if kind is InstrumentKind.PREFERRED
                else name + _SUFFIXES[kind]
                for name, kind in zip(names, kinds, strict=True)
            ],
            "english_name": [f"{latin_name(name)} Co., Ltd." for name in names],
            "market": stocks.bars["market"],
            "kind": [kind.value for kind in kinds],
            "section": stocks.bars["section"],
            "listed_on": pa.array([listed[symbol] for symbol in symbols], pa.date32()),
            # Some issues have none.
            "par_value": decimals(par, 4, par > 0),
            "listed_shares": stocks.bars["listed_shares"],
        },
    )


def _kinds(seed: int, stocks: Stocks) -> list[InstrumentKind]:
    """SPACs are called so; of the others one company in 64 is a REIT. None of either has preferred shares."""
    special = bits(scatter(seed, Stream.MASTER, 0, stocks.issuer), 24, 6)
    alone = ~np.isin(stocks.issuer, stocks.issuer[~stocks.common])
    spac = np.asarray(pc.match_substring(stocks.bars["name"], SPAC))
    places = np.select([~stocks.common, spac, alone & (special == 0)], [1, 3, 2])
    kinds = (InstrumentKind.COMMON, InstrumentKind.PREFERRED, InstrumentKind.REIT, InstrumentKind.SPAC)
    return [kinds[place] for place in places]


def _products(session: date, slots: Sequence[Product], state: ProductState, bars: pa.Table) -> pa.Table:
    symbols = bars["symbol"].to_pylist()
    by_symbol = {product_symbol(int(number)): slot for slot, number in enumerate(state.number)}
    order = [by_symbol[symbol] for symbol in symbols]
    names = bars["name"].to_pylist()
    count = len(symbols)
    return dataset_table(
        "instrument",
        {
            "symbol": symbols,
            "session": repeated(session, count),
            "isin": [isin(symbol) for symbol in symbols],
            "name": names,
            "full_name": [
                f"{name} 증권상장지수투자신탁" if slots[slot].kind == "ETF" else name
                for name, slot in zip(names, order, strict=True)
            ],
            "english_name": [latin_name(name) for name in names],
            "market": bars["market"],
            "kind": [slots[slot].kind.lower() for slot in order],
            "section": bars["section"],
            "listed_on": pa.array([date.fromordinal(int(state.listed_on[slot])) for slot in order], pa.date32()),
            "par_value": repeated(None, count),
            "listed_shares": bars["listed_shares"],
        },
    )
