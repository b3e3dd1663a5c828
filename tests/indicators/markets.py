"""Made-up markets as panels: prices that walk, stand still, jump and halt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from include.indicators.panel import Panel

Floats = NDArray[np.float64]
FIRST_DAY = np.datetime64("2010-01-04")


def plain(close: Floats, high: Floats | None = None, low: Floats | None = None, volume: Floats | None = None) -> Panel:
    """One symbol that trades every session; what is not given is of no importance."""
    count = len(close)
    nothing = np.full(count, np.nan)
    return Panel(
        symbols=np.array(["005930"], object),
        offsets=np.array([0, count]),
        sessions=FIRST_DAY + np.arange(count),
        high=close if high is None else high,
        low=close if low is None else low,
        close=close,
        volume=np.full(count, 1_000.0) if volume is None else volume,
        index_close=nothing,
        foreign_net_krw=nothing,
        institution_net_krw=nothing,
        foreign_pct=nothing,
        first_obv=np.array([np.nan]),
    )


def market(seed: int, lengths: tuple[int, ...], *, halts: bool = False, still: float = 0.0) -> Panel:
    """Symbols with so many sessions each, all up to the same last one.

    Their volatility goes from less than a tick a day to the daily limit. With ``halts`` one session in twenty is
    without trading, in runs; ``still`` is the share of sessions on which the price and its range do not move.
    """
    random = np.random.default_rng(seed)
    return join([_symbol(random, f"{number:05d}0", length, halts, still) for number, length in enumerate(lengths)])


def join(panels: list[Panel]) -> Panel:
    """One panel of all symbols."""
    lengths = [len(panel.sessions) for panel in panels]
    names = ("symbols", "sessions", "high", "low", "close", "volume", "index_close", "foreign_net_krw")
    names += ("institution_net_krw", "foreign_pct", "first_obv")
    columns = {name: np.concatenate([getattr(panel, name) for panel in panels]) for name in names}
    return Panel(offsets=np.concatenate(((0,), np.cumsum(lengths))), **columns)


def only(panel: Panel, symbol: int, first: int, last: int, first_obv: float = float("nan")) -> Panel:
    """The rows ``first`` to ``last`` (excluded) of one symbol, counted within it."""
    one = list(panel.blocks(1))[symbol]
    rows = slice(first, last)
    cut = {name: getattr(one, name)[rows] for name in ("sessions", "high", "low", "close", "volume", "index_close")}
    cut |= {name: getattr(one, name)[rows] for name in ("foreign_net_krw", "institution_net_krw", "foreign_pct")}
    count = len(cut["sessions"])
    return replace(one, offsets=np.array([0, count]), **cut, first_obv=np.array([first_obv]))


def _symbol(random: np.random.Generator, symbol: str, length: int, halts: bool, still: float) -> Panel:
    volatility = 10 ** random.uniform(-3.5, -1)
    start = 10 ** random.uniform(2.5, 6)
    moves = random.normal(random.uniform(-0.1, 0.1) * volatility, volatility, length).clip(-0.3, 0.3)
    quiet = random.random(length) < still
    quiet |= _runs(random, length, 40) if still else False
    moves[quiet] = 0
    tick = max(round(start / 1000), 1)
    close = np.maximum(np.round(start * np.exp(np.cumsum(moves)) / tick), 1) * tick * random.choice([1, 0.2, 0.200717])
    reach = np.where(quiet, 0, random.integers(0, 4, (2, length))) * tick
    high, low = close + reach[0], np.maximum(close - reach[1], close / 2)
    volume = np.round(10 ** random.uniform(0, 7, length))
    if halts:
        gone = _runs(random, length, 10)
        high[gone] = low[gone] = np.nan
        carried = np.maximum.accumulate(np.where(gone, 0, np.arange(length)))
        close, volume = close[carried], np.where(gone, 0, volume)
    index = 2_000 * np.exp(np.cumsum(random.normal(0, 0.01, length)))
    return replace(
        plain(close, high, low, volume),
        symbols=np.array([symbol], object),
        sessions=FIRST_DAY + 5_000 - length + np.arange(length),
        index_close=index,
        foreign_net_krw=np.round(random.normal(0, 1e9, length)),
        institution_net_krw=np.round(random.normal(0, 1e9, length)),
        foreign_pct=np.round(random.uniform(0, 100, length), 2),
    )


def _runs(random: np.random.Generator, length: int, longest: int) -> NDArray[np.bool_]:
    found = np.zeros(length, np.bool_)
    for start in random.integers(0, length, max(length // (10 * longest), 1)):
        found[start : start + random.integers(1, longest + 1)] = True
    return found
