"""The portfolio files of ETFs: what one creation unit holds, cash included, as the exchange publishes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from include.simulator.datasets.baskets import CREATION_UNIT, EMPTY
from include.simulator.datasets.etps import ProductState
from include.simulator.datasets.indices import INDICES, KOSDAQ_150, KOSPI_200, KRX_300
from include.simulator.datasets.products import Product, Strategy
from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, decimals, repeated
from include.simulator.exchange.names import product_symbol
from include.simulator.exchange.randomness import Stream, bits, draw

CASH_COMPONENT = "KRD010010001"
CASH_NAME = "원화예금"
_FOREIGN_NAMES = (
    "APPLE INC",
    "MICROSOFT CORP",
    "NVIDIA CORP",
    "AMAZON.COM INC",
    "META PLATFORMS INC",
    "ALPHABET INC-CL A",
    "BROADCOM INC",
    "TESLA INC",
    "JPMORGAN CHASE & CO",
    "ELI LILLY & CO",
    "VISA INC",
    "EXXON MOBIL CORP",
)
_BONDS = (
    ("KR103501GE00", "국고03500-3306(23-5)"),
    ("KR103502GD99", "국고03250-5309(23-7)"),
    ("KR101501DDB9", "국민주택1종23-11"),
    ("KR310101GDC5", "통안03540-2602-02"),
    ("KR6005931DC3", "산금23신이0300"),
    ("", "예금담보부증권 3M"),
)
# What a point of a futures contract is worth, in won.
_CONTRACTS = {KOSPI_200: 250_000, KOSDAQ_150: 10_000, KRX_300: 50_000}
_CASH_SHARE = 128


@dataclass(frozen=True)
class _Position:
    """``shares`` in hundredths and ``weight`` in hundredths of a percent; None where not published."""

    component: str
    name: str
    kind: str
    shares: int | None
    value_krw: int | None
    weight: int | None


def etf_holding_table(seed: int, stocks: Stocks, slots: Sequence[Product], state: ProductState) -> pa.Table:
    """The dataset ``etf_holding`` of a session: positions by value, then cash."""
    names = dict(zip(stocks.number.tolist(), _labels(stocks), strict=True))
    funds = {
        product_symbol(int(state.number[slot])): slot for slot, product in enumerate(slots) if product.kind == "ETF"
    }
    rows: list[tuple[str, int, _Position]] = []
    for fund, slot in sorted(funds.items()):
        product = slots[slot]
        total = int(state.nav[slot]) * CREATION_UNIT // 100
        match product.strategy:
            case Strategy.STOCKS:
                positions = _stocks(state, slot, names)
            case Strategy.FUTURES:
                positions = _futures(product, state.levels.published(product.index), total, stocks.session)
            case Strategy.FOREIGN:
                positions = _foreign_shares(seed, int(state.number[slot]), total, stocks.session)
            case Strategy.BONDS:
                positions = _bonds(seed, int(state.number[slot]), total, stocks.session)
        rows += [(fund, place, position) for place, position in enumerate(positions, start=1)]
    return _table(stocks.session, rows)


def _labels(stocks: Stocks) -> list[tuple[str, str]]:
    return list(zip(stocks.bars["symbol"].to_pylist(), stocks.bars["name"].to_pylist(), strict=True))


def _stocks(state: ProductState, slot: int, names: Mapping[int, tuple[str, str]]) -> list[_Position]:
    baskets = state.baskets
    worth = baskets.shares[slot] * baskets.close[slot]
    cash = int(baskets.cash[slot])
    total = int(worth.sum()) + cash
    held = [place for place in np.argsort(-worth, kind="stable").tolist() if baskets.stock[slot, place] != EMPTY]
    positions = [
        _Position(*names[number], "stock", shares * 100, value, _weight(value, total))
        for number, shares, value in zip(
            baskets.stock[slot, held].tolist(), baskets.shares[slot, held].tolist(), worth[held].tolist(), strict=True
        )
    ]
    return [*positions, _cash(cash, total)]


def _futures(product: Product, level: int, total: int, session: date) -> list[_Position]:
    """Contracts worth a multiple of the fund, sold short by an inverse one, and the fund's money as cash."""
    point = _CONTRACTS[product.index]
    # The level is in hundredths of a point, contracts in hundredths of one.
    contracts = product.multiple * total * 10_000 // (level * point)
    value = contracts * level * point // 10_000
    expiry = session.year * 12 + session.month + (-session.month % 3) - 1
    name = f"{INDICES[product.index][0]} F {expiry // 12}{expiry % 12 + 1:02d}"
    return [_Position("", name, "other", contracts, value, None), _cash(total, total)]


def _foreign_shares(seed: int, number: int, total: int, session: date) -> list[_Position]:
    positions = tuple(("", name) for name in _FOREIGN_NAMES)
    return _weighed(seed, positions, number, total, session)


def _bonds(seed: int, number: int, total: int, session: date) -> list[_Position]:
    return _weighed(seed, _BONDS, number, total, session)


def _weighed(
    seed: int, securities: Sequence[tuple[str, str]], number: int, total: int, session: date
) -> list[_Position]:
    """Securities the simulated exchange has no price of, by weights of the fund's own that it sets each month."""
    month = session.year * 12 + session.month
    words = draw(seed, Stream.BASKET, month << 32 | number, len(securities))
    weights, shares = 256 + bits(words, 0, 11), 100 + bits(words, 16, 20)
    values = (total * weights // int(weights.sum() * _CASH_SHARE // (_CASH_SHARE - 1))).tolist()
    positions = [
        _Position(component, name, "other", count, value, _weight(value, total))
        for (component, name), count, value in zip(securities, shares.tolist(), values, strict=True)
    ]
    return [*positions, _cash(total - sum(values), total)]


def _cash(value: int, total: int) -> _Position:
    return _Position(CASH_COMPONENT, CASH_NAME, "cash", None, value, _weight(value, total))


def _weight(value: int, total: int) -> int:
    return (20_000 * value + total) // (2 * total)


def _table(session: date, rows: Sequence[tuple[str, int, _Position]]) -> pa.Table:
    positions = [position for _, _, position in rows]
    return dataset_table(
        "etf_holding",
        {
            "fund": [fund for fund, _, _ in rows],
            "session": repeated(session, len(rows)),
            "position": pa.array([place for _, place, _ in rows], pa.int16()),
            "component": [position.component for position in positions],
            "name": [position.name for position in positions],
            "kind": [position.kind for position in positions],
            "shares": _decimals([position.shares for position in positions], 2),
            "value_krw": [position.value_krw for position in positions],
            # Published in hundredths of a percent.
            "weight_pct": _decimals([position.weight for position in positions], 2).cast(pa.decimal128(18, 4)),
            "complete": repeated(True, len(rows)),
        },
    )


def _decimals(units: Sequence[int | None], scale: int) -> pa.Array:
    known = np.array([value is not None for value in units])
    return decimals(np.array([value or 0 for value in units], np.int64), scale, known)
