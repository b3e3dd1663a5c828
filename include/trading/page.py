"""The tables of ``docs/paper-book.md``: the rules with their defaults, and the taxes.

``python -m include.trading.page`` writes them into the page, between its marks.
"""

from __future__ import annotations

from collections.abc import Sequence

from include.market.symbols import Market
from include.settings import PROJECT_ROOT
from include.trading.costs import TAX_RATES
from include.trading.rules import Rules

PAGE = PROJECT_ROOT / "docs" / "paper-book.md"

_MEANINGS = {
    "max_holdings": "positions held at most; each is bought for an equal part of the equity",
    "stop_loss_pct": "sold this far below the entry",
    "target_pct": "sold this far above the entry",
    "max_holding_sessions": "sold at the open after so many evenings",
    "daily_loss_limit_pct": "nothing is bought after a session that lost at least this much of the equity",
    "slippage_ticks": "ticks worse than the open or the stop",
    "participation_pct": "share of the session's volume an order takes at most",
    "fee_pct": "broker's fee, on each side",
}
_PER_PERCENT = 1_000


def with_tables(page: str) -> str:
    """``page`` with its tables as the code has them today."""
    for name, table in (("rules", _rules()), ("taxes", _taxes())):
        mark, end = f"<!-- {name}: generated -->", f"<!-- end of {name} -->"
        before, after = page.split(mark)[0], page.split(end)[1]
        page = f"{before}{mark}\n\n{table}\n{end}{after}"
    return page


def _rules() -> str:
    rows = [
        (f"`{name}`", "none" if value is None else f"{value:g}", _MEANINGS[name])
        for name, value in Rules().to_dict().items()
    ]
    return _table(("rule", "default", "meaning"), rows)


def _taxes() -> str:
    rows = []
    for market in (Market.KOSPI, Market.KOSDAQ, Market.KONEX):
        for rates in TAX_RATES[market]:
            transaction, rural = rates.transaction / _PER_PERCENT, rates.rural / _PER_PERCENT
            dates = (str(rates.traded_from), str(rates.settled_from))
            amounts = (f"{transaction:.2f}%", f"{rural:.2f}%", f"{transaction + rural:.2f}%")
            rows.append((market.value, *dates, *amounts))
    return _table(("market", "trades from", "settled from", "transaction tax", "rural tax", "in all"), rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
