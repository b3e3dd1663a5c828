"""Pages of a backtest for people: one of all strategies, and one of each with its equity curve."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from include.backtest.charts import equity_chart, spark_line
from include.backtest.outcomes import HORIZONS
from include.backtest.processes import map_in_processes
from include.backtest.results import PortfolioResult, SliceResult
from include.backtest.statistics import MINIMUM_SAMPLE
from include.market.calendar import KST
from include.signals.strategy import Strategy


def _percent(value: float, digits: int = 1, *, sign: bool = False) -> str:
    # Adding zero takes the sign from a zero.
    rounded = round(100 * value, digits) + 0
    return f"{rounded:{'+' if sign else ''}.{digits}f}%"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _code(words: str) -> Markup:
    """Names between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(words))))  # noqa: S704


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
_TEMPLATES.filters |= {"percent": _percent, "whole": _whole, "code": _code}


def write_pages(
    folder: Path,
    span: tuple[date, date],
    strategies: Sequence[Strategy],
    slices: Sequence[SliceResult],
    portfolios: Sequence[PortfolioResult],
    computed_at: datetime,
) -> Path:
    """Write ``index.html`` and a page per strategy into ``folder``; where the index is."""
    folder.mkdir(parents=True, exist_ok=True)
    of_strategy: defaultdict[str, list[SliceResult]] = defaultdict(list)
    for found in slices:
        of_strategy[found.strategy].append(found)
    drawn = zip(portfolios, map_in_processes(_draw, portfolios), strict=True)
    by_strategy = {portfolio.strategy: (portfolio, charts) for portfolio, charts in drawn}
    nothing = None, _Charts("", "")
    shown = [
        _shown(strategy, of_strategy[strategy.name], *by_strategy.get(strategy.name, nothing))
        for strategy in strategies
    ]
    about = {
        "run": {
            "first_session": span[0],
            "last_session": span[1],
            "computed_at": f"{computed_at.astimezone(KST):%Y-%m-%d %H:%M} in Seoul",
        },
        "horizons": HORIZONS,
        "minimum": MINIMUM_SAMPLE,
    }
    for strategy in shown:
        page = _TEMPLATES.get_template("strategy.html").render(strategy=strategy, **about)
        (folder / f"{strategy['name']}.html").write_text(page, encoding="utf-8")
    capital = portfolios[0].capital_krw if portfolios else 0
    index = _TEMPLATES.get_template("index.html").render(strategies=shown, capital=capital, **about)
    path = folder / "index.html"
    path.write_text(index, encoding="utf-8")
    return path


class _Charts(NamedTuple):
    equity: str
    spark: str


def _draw(portfolio: PortfolioResult) -> _Charts:
    equity = equity_chart(portfolio.sessions, portfolio.equity_krw, portfolio.index_close)
    return _Charts(equity, spark_line(portfolio.equity_krw))


def _shown(
    strategy: Strategy, slices: Sequence[SliceResult], portfolio: PortfolioResult | None, charts: _Charts
) -> dict[str, Any]:
    """What the templates show of a strategy."""
    parts: dict[str, dict[str, dict[int, dict[str, Any]]]] = {"all": {}, "year": {}, "market": {}}
    for found in slices:
        figures = vars(found.statistics) | {
            "results": found.statistics.count,
            "signals": found.signals,
            "unfilled": found.unfilled,
            "pending": found.pending,
        }
        parts[found.slice_by].setdefault(found.slice, {})[found.horizon] = figures
    overall = parts["all"]["all"]
    return {
        "name": strategy.name,
        "title": strategy.title,
        "version": strategy.version,
        "side": strategy.side,
        "words": strategy.words,
        "signals": overall[HORIZONS[0]]["signals"],
        "overall": overall,
        "by_year": dict(sorted(parts["year"].items())),
        "by_market": parts["market"],
        "portfolio": portfolio,
        "chart": charts.equity,
        "spark": charts.spark,
    }
