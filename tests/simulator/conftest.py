from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from include.simulator.exchange.market import SimulatedMarket

SEED = 11
SYMBOLS = 400


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    """Spans the tick reform, the first-day reform, KOSDAQ GLOBAL and the first letter codes."""
    return SimulatedMarket(SEED, SYMBOLS, date(2021, 1, 4), date(2025, 6, 30))


@pytest.fixture(scope="session")
def old_market() -> SimulatedMarket:
    """Spans the limit of 15% to 30% and the opening of KONEX."""
    return SimulatedMarket(SEED, SYMBOLS, date(2013, 1, 2), date(2016, 12, 29))


@pytest.fixture(scope="session")
def bars_table(market: SimulatedMarket) -> pa.Table:
    return pa.concat_tables(market.iter_blocks())


@pytest.fixture(scope="session", params=["market", "old_market"])
def any_market(request: pytest.FixtureRequest) -> SimulatedMarket:
    chosen: SimulatedMarket = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture(scope="session")
def bars(any_market: SimulatedMarket) -> pd.DataFrame:
    """All rows by symbol and session, with the symbol's previous close and share count (0 at its first)."""
    frame = pa.concat_tables(any_market.iter_blocks()).to_pandas()
    frame = frame.sort_values(["symbol", "session"], ignore_index=True)
    by_symbol = frame.groupby("symbol")
    frame["previous_close"] = by_symbol["close"].shift(fill_value=0)
    frame["previous_shares"] = by_symbol["listed_shares"].shift(fill_value=0)
    return frame


@pytest.fixture(scope="session")
def special_days(any_market: SimulatedMarket) -> pd.DataFrame:
    """Symbol and session of first days, liquidation trading and the like, where other limits hold or none."""
    days = []
    # What is liquidated at the end is delisted after it.
    later = any_market.sessions[-1] + timedelta(days=21)
    longer = SimulatedMarket(any_market.seed, any_market.symbols, any_market.sessions[0], later)
    sessions = longer.sessions
    position = {session: index for index, session in enumerate(sessions)}
    for instrument in longer.instruments:
        if instrument.offer_price is not None:
            days.append((instrument.symbol, instrument.listed, "first day"))
        if instrument.delisted is not None and instrument.successor is None:
            end = position[instrument.delisted]
            days += [(instrument.symbol, session, "liquidation") for session in sessions[end - 7 : end]]
    # Nor does a limit hold around a base that was left at a price of old shares.
    for action in longer.actions:
        if action.base_price == action.previous_close and action.share_ratio != 1:
            days.append((action.symbol, action.ex_date, "unmarked"))
    return pd.DataFrame(days, columns=["symbol", "session", "special"])
