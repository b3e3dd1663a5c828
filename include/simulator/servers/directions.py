"""How portals and brokers tell a change from the base price: a sign code (대비부호) and a percentage.

Codes: 1 upper limit, 2 up, 3 flat, 4 lower limit, 5 down.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from include.market.fluctuation import DOWN, FLAT, LOWER_LIMIT, NONE, UP, UPPER_LIMIT
from include.simulator.exchange.rates import rate_in_hundredths

_OF_CODE = {UPPER_LIMIT: "1", UP: "2", FLAT: "3", NONE: "3", LOWER_LIMIT: "4", DOWN: "5"}


def sign_of_bar(bar: Mapping[str, Any]) -> str:
    """The sign code of a daily bar: by the exchange's fluctuation code where it has one, as shares do."""
    code = bar.get("fluctuation_code")
    return sign_of(bar["change"]) if code is None else _OF_CODE[code]


def sign_of(change: int) -> str:
    """The sign code of ``change`` where limits are not told."""
    return "3" if change == 0 else "2" if change > 0 else "5"


def percent(change: int, base: int) -> Decimal:
    """``change`` over ``base`` (both won) in percent, of two decimals."""
    return Decimal(int(rate_in_hundredths(np.array([change]), np.array([base]))[0])).scaleb(-2)
