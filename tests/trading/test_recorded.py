"""Orders against recorded whole-market sessions: what the exchange published bounds every fill."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pytest

from include.market.symbols import Market
from include.market.ticks import tick_size
from include.trading.fills import Bar, Fill, Refusal, buy_at_open, sell_at_open, sell_at_stop
from include.trading.rules import Rules

RULES = Rules(slippage_ticks=3)
UPPER_LIMIT, LOWER_LIMIT = 4, 5


@pytest.mark.samples
@pytest.mark.parametrize("year", [2022, 2024])
def test_every_fill_is_possible_and_locked_issues_have_none(samples: Path, year: int) -> None:
    convert = csv.ConvertOptions(column_types={"Code": pa.string(), "Date": pa.date32()}, strings_can_be_null=False)
    rows = csv.read_csv(samples / "marcap" / f"marcap-{year}.csv.gz", convert_options=convert)
    # A third of the rows is enough, and takes a third of the time.
    rows = rows.take(list(range(0, rows.num_rows, 3)))
    columns = ("Date", "Market", "Open", "High", "Low", "Close", "Changes", "Volume", "ChangeCode")
    seen: Counter[str] = Counter()
    for session, market, *numbers, code in zip(*(rows[name].to_pylist() for name in columns), strict=True):
        opened, high, low, close, change, volume = map(int, numbers)
        halted = not opened and not volume
        bar = Bar(opened, high, low, close, close - change, volume, Market(market), "STOCK", halted)
        bought, sold = buy_at_open(bar, 10, session, RULES), sell_at_open(bar, 10, session, RULES)
        stopped = sell_at_stop(bar, close * 0.999, 10, session, RULES)
        for fill in (bought, sold, stopped):
            if isinstance(fill, Fill):
                assert volume > 0
                assert low <= fill.price <= high
                assert fill.price % tick_size(fill.price, bar.market, session) == 0
                assert 0 < fill.shares <= max(volume * 0.05, 1)
        if volume and opened == high == low == close:
            if code == UPPER_LIMIT:
                assert bought is Refusal.LIMIT_LOCKED, bar
                seen["upper"] += 1
            if code == LOWER_LIMIT:
                assert sold is Refusal.LIMIT_LOCKED, bar
                seen["lower"] += 1
        seen[str(bought)] += isinstance(bought, Refusal)
    assert seen["upper"] > 0
    assert seen["halted"] > 100
    # No session of these windows lies between two prices of the grid.
    assert seen["off_grid"] == 0
