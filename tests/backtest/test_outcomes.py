"""What followed a signal: hand-made cases, and every drawn market against a walk from session to session."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import include.backtest.fund
import include.backtest.outcomes
from include.backtest.market_bars import MARKETS, MarketBars
from include.backtest.outcomes import HORIZONS, CostRates, Outcomes, Side, follow, outcomes
from include.market.limits import PriceRange, limit_prices
from include.market.symbols import Market
from tests.backtest.markets import Bar, bars, no_costs, steady

PRICES = [10_000, 10_100, 10_200, 10_300, 10_400, 10_500, 10_600]


def follow_all(
    market: MarketBars, rows: list[int], side: Side, horizon: int, costs: CostRates | None = None
) -> Outcomes:
    """Results of signals on ``rows``."""
    signals = np.array(rows, np.int64)
    costs = costs or no_costs(len(market.sessions))
    return outcomes(market, follow(market, signals, side), side, horizon, costs)


def test_a_signal_is_bought_at_the_next_open_and_sold_at_the_close_of_the_last_session_held() -> None:
    market = bars({"A": [(0, 100, 100, 100), (1, 110, 115, 100), (2, 120, 125, 115), (3, 130, 135, 125)]}, 4)
    assert follow_all(market, [0], "buy", 1).returns == pytest.approx([115 / 110 - 1])
    assert follow_all(market, [0], "buy", 2).returns == pytest.approx([125 / 110 - 1])


def test_costs_are_those_of_the_days_traded_and_of_the_market() -> None:
    sale = np.zeros((len(MARKETS), 7))
    sale[MARKETS.index(Market.KOSPI), 3] = 0.0025
    purchase = np.zeros(7)
    purchase[1] = 0.001
    found = follow_all(bars({"A": steady(PRICES)}, 7), [0], "buy", 3, CostRates(purchase, sale, np.zeros(7)))
    assert found.returns == pytest.approx([10_300 * 0.9975 / (10_100 * 1.001) - 1])


def test_a_signal_to_sell_is_worth_what_it_spared() -> None:
    found = follow_all(bars({"A": steady(PRICES)}, 7), [0], "sell", 3)
    assert found.returns == pytest.approx([1 - 10_300 / 10_100])


def test_excess_is_over_the_index_from_the_same_open_to_the_same_close() -> None:
    index = [(100.0, 101.0), (102.0, 103.0), (104.0, 105.0)]
    market = bars({"A": steady(PRICES[:3])}, 3, index=index)
    bought, sold = follow_all(market, [0], "buy", 2), follow_all(market, [0], "sell", 2)
    assert bought.excess == pytest.approx([10_200 / 10_100 - 105 / 102])
    assert sold.excess == pytest.approx(-bought.excess)


def test_a_split_between_entry_and_exit_is_no_loss() -> None:
    market = bars({"A": [(0, 5_000, 5_000, 5_000), (1, 5_000, 5_000, 5_000), (2, 1_000, 1_100, 1_000)]}, 3)
    market.price_factor[:2] = 0.2
    assert follow_all(market, [0], "buy", 2).returns == pytest.approx([0.1])


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ((1, 0, 100, 100), "halted"),
        ((1, 130, 130, 100), "opened at the upper limit"),
        ((2, 100, 100, 100), "no bar on the next session"),
    ],
)
def test_what_cannot_be_bought_is_counted_and_not_followed(entry: Bar, why: str) -> None:
    market = bars({"A": [(0, 100, 100, 100), entry, (3, 100, 100, 100), (4, 100, 100, 100)]}, 5)
    found = follow_all(market, [0], "buy", 1)
    assert (len(found.returns), found.signals, found.unfilled, found.pending) == (0, 1, 1, 0), why


def test_what_opens_at_the_lower_limit_can_be_bought_and_not_sold() -> None:
    market = bars({"A": [(0, 10_000, 10_000, 10_000), (1, 7_000, 7_100, 10_000), (2, 7_100, 7_100, 7_100)]}, 3)
    assert len(follow_all(market, [0], "buy", 2).returns) == 1
    assert follow_all(market, [0], "sell", 2).unfilled == 1


def test_a_purchase_that_cannot_be_sold_on_its_day_is_sold_at_the_next_close_it_can() -> None:
    rows: list[Bar] = [(0, 10_000, 10_000, 10_000), (1, 10_000, 10_000, 10_000)]
    rows += [(2, 7_500, 7_000, 10_000), (3, 0, 7_000, 7_000), (4, 6_000, 6_100, 7_000)]
    found = follow_all(bars({"A": rows}, 5), [0], "buy", 2)
    assert found.returns == pytest.approx([6_100 / 10_000 - 1])
    assert found.exit_day.tolist() == [4]


def test_what_is_delisted_counts_with_its_last_close() -> None:
    rows: list[Bar] = [(0, 100, 100, 100), (1, 100, 100, 100), (2, 50, 10, 100), (3, 0, 10, 10)]
    found = follow_all(bars({"A": rows, "B": steady(PRICES)}, 7, gone={"A"}), [0], "buy", 5)
    assert found.returns == pytest.approx([-0.9])


def test_what_only_lacks_its_last_bars_is_waited_for() -> None:
    found = follow_all(bars({"A": steady(PRICES)[:4], "B": steady(PRICES)}, 7), [0, 3], "buy", 5)
    assert (len(found.returns), found.pending, found.unfilled) == (0, 1, 1)


def test_a_sale_whose_tax_is_not_known_has_no_result() -> None:
    sale = np.full((len(MARKETS), 7), np.nan)
    found = follow_all(bars({"A": steady(PRICES)}, 7), [0], "buy", 3, CostRates(np.zeros(7), sale, np.zeros(7)))
    assert (len(found.returns), found.unfilled, found.pending) == (0, 1, 0)


def test_what_is_still_listed_waits_for_its_horizon() -> None:
    market = bars({"A": steady(PRICES)}, 7)
    found = follow_all(market, [0, 1, 2, 6], "buy", 5)
    assert (found.returns.tolist(), found.pending, found.unfilled) == (
        pytest.approx([10_500 / 10_100 - 1, 10_600 / 10_200 - 1]),
        2,
        0,
    )


@st.composite
def drawn_markets(draw: st.DrawFn) -> MarketBars:
    """A few issues with halts, missing sessions, limits, listings and delistings."""
    days = draw(st.integers(5, 25))
    symbols: dict[str, list[Bar]] = {}
    for name in "ABC"[: draw(st.integers(1, 3))]:
        first = draw(st.integers(0, days - 3))
        last = draw(st.integers(first + 1, days - 1))
        close, own = 10_000, []
        for day in range(first, last + 1):
            what = draw(st.sampled_from(("trade", "trade", "trade", "halt", "missing", "up", "down")))
            base = close
            limits = limit_prices(base, Market.KOSPI, np.datetime64("2024-01-02").item())
            if what == "missing" and own:
                continue
            if what == "halt":
                own.append((day, 0, close, base))
                continue
            opened = {"up": limits.upper, "down": limits.lower}.get(what) or draw(st.integers(9_000, 11_000))
            opened = min(max(opened, limits.lower), limits.upper)
            close = draw(st.sampled_from((opened, limits.lower, limits.upper, base)))
            own.append((day, opened, close, base))
        symbols[name] = own
    return bars(symbols, days, gone=draw(st.sets(st.sampled_from(sorted(symbols)))))


@given(drawn_markets(), st.sampled_from(HORIZONS), st.sampled_from(("buy", "sell")))
def test_results_are_those_of_a_walk_from_session_to_session(market: MarketBars, horizon: int, side: Side) -> None:
    rows = list(range(len(market)))
    found = follow_all(market, rows, side, horizon)
    walked = [walk(market, row, side, horizon) for row in rows]
    results = [result for result in walked if not isinstance(result, str)]
    assert found.returns == pytest.approx(results)
    assert found.unfilled == walked.count("unfilled")
    assert found.pending == walked.count("pending")


@given(drawn_markets(), st.sampled_from(HORIZONS), st.sampled_from(("buy", "sell")))
def test_the_growths_of_a_position_multiply_to_its_result(market: MarketBars, horizon: int, side: Side) -> None:
    for row in range(len(market)):
        found = follow_all(market, [row], side, horizon)
        if len(found.returns):
            sign = 1 if side == "buy" else -1
            assert found.cohorts.counts.sum() == 1
            growth = np.prod(1 + sign * found.cohorts.sums.sum(axis=(0, 1)))
            assert sign * (growth - 1) == pytest.approx(found.returns[0], abs=1e-12)


@given(drawn_markets(), st.sampled_from(HORIZONS), st.sampled_from(("buy", "sell")))
def test_cohorts_are_the_sum_of_their_positions(market: MarketBars, horizon: int, side: Side) -> None:
    rows = list(range(len(market)))
    together = follow_all(market, rows, side, horizon).cohorts
    alone = [follow_all(market, [row], side, horizon).cohorts for row in rows]
    assert np.array_equal(together.counts, sum(each.counts for each in alone))
    assert together.sums == pytest.approx(sum(each.sums for each in alone), abs=1e-12)


@given(drawn_markets(), st.sampled_from(HORIZONS), st.sampled_from(("buy", "sell")))
def test_how_many_are_worked_out_at_once_changes_nothing(market: MarketBars, horizon: int, side: Side) -> None:
    rows = list(range(len(market)))
    whole = follow_all(market, rows, side, horizon)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(include.backtest.outcomes, "_ENTRIES_AT_ONCE", 7)
        patch.setattr(include.backtest.fund, "_POSITIONS_AT_ONCE", 3)
        parts = follow_all(market, rows, side, horizon)
    for name in ("signal_day", "exit_day", "market", "returns", "excess", "unfilled", "pending"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), name)
    assert np.array_equal(parts.cohorts.counts, whole.cohorts.counts)
    assert parts.cohorts.sums == pytest.approx(whole.cohorts.sums, abs=1e-12)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_a_fund_that_follows_a_stock_every_session_earns_what_the_stock_does(horizon: int) -> None:
    closes = (10_000 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, 200)))).round().astype(int)
    # Each session opens where the one before closed, and so does the fund's entry.
    opens = [closes[0], *closes[:-1]]
    days = [(day, int(opens[day]), int(close), int(opens[day])) for day, close in enumerate(closes)]
    market = bars({"A": days}, 200)
    found = follow_all(market, list(range(199)), "buy", horizon)
    earned = found.cohorts.fund_returns()
    own = closes[1:] / closes[:-1] - 1
    # From the session on which the fund is invested whole, to the last on which it still is.
    whole = slice(horizon - 1, 199 - horizon + 1)
    assert earned[whole] == pytest.approx(own[whole], abs=1e-12)


def walk(market: MarketBars, row: int, side: Side, horizon: int) -> float | str:
    """The result of one signal, as told in words by :func:`outcomes`."""
    number = int(np.searchsorted(market.offsets, row, side="right")) - 1
    own = {int(market.day[place]): place for place in range(market.offsets[number], market.offsets[number + 1])}
    signal_day, last_session = int(market.day[row]), len(market.sessions) - 1
    if signal_day == last_session:
        return "pending"
    entry = own.get(signal_day + 1)
    if entry is None or market.open[entry] == 0:
        return "unfilled"
    limits = limits_of(market, entry)
    if market.open[entry] == (limits.upper if side == "buy" else limits.lower):
        return "unfilled"
    for day in range(signal_day + horizon, max(own) + 1):
        place = own.get(day)
        if place is None or market.open[place] == 0:
            continue
        if side == "buy" and market.close[place] == limits_of(market, place).lower:
            continue
        return result_of(market, entry, place, side)
    if not market.gone[number]:
        return "pending"
    traded = [place for place in own.values() if market.open[place] > 0]
    return result_of(market, entry, max(traded), side)


def limits_of(market: MarketBars, row: int) -> PriceRange:
    return limit_prices(int(market.base_price[row]), Market.KOSPI, market.sessions[market.day[row]].item())


def result_of(market: MarketBars, entry: int, place: int, side: Side) -> float:
    growth = market.close[place] / market.open[entry]
    return float(growth - 1 if side == "buy" else 1 - growth)
