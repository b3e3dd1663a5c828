"""What KIS tells of an issue beside its quote, as of its latest session: valuation, and what foreigners hold."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from include.crawlers.broker.answer import Answer
from include.crawlers.broker.datasets import QuoteCrawler, Row
from include.crawlers.broker.interface import Broker, Quote
from include.crawlers.source import Chunk
from include.datasets import foreign_holding, fundamental
from include.outcomes import Malformed

_HUNDREDTH = Decimal("0.01")


class FundamentalCrawler(QuoteCrawler):
    """Valuation ratios. KIS writes a loss as a negative figure, where the exchange shows none; it has no dividends."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, fundamental.DATASET)

    def row(self, quote: Quote, answer: Answer, symbol: str, chunk: Chunk) -> Row | None:
        """The figures; those that are not positive are left out, and so is an issue without a report."""
        output = answer.part("output")
        eps, bps = _whole(output, "eps"), _whole(output, "bps")
        per, pbr = output.decimal("per"), output.decimal("pbr")
        if (eps, bps) == (0, 0):
            return None
        return {
            "symbol": symbol,
            "session": chunk.first,
            "close": quote.price,
            "eps_krw": eps if eps > 0 else None,
            "per": per if per > 0 else None,
            "bps_krw": bps if bps > 0 else None,
            "pbr": pbr if pbr > 0 else None,
        }


class ForeignHoldingCrawler(QuoteCrawler):
    """Shares held by foreigners. ``hts_frgn_ehrt`` is how much of their limit that is (외국인 소진율)."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, foreign_holding.DATASET)

    def row(self, quote: Quote, answer: Answer, symbol: str, chunk: Chunk) -> Row:
        """The holding; its share of the listed shares is computed, to the hundredth the exchange publishes."""
        output = answer.part("output")
        held, listed = output.whole("frgn_hldn_qty"), output.whole("lstn_stcn")
        if listed <= 0:
            raise Malformed(f"{output.where}: lstn_stcn is {listed}, expected a number of shares")
        return {
            "symbol": symbol,
            "session": chunk.first,
            "foreign_shares": held,
            "foreign_pct": (Decimal(100 * held) / listed).quantize(_HUNDREDTH, ROUND_HALF_UP),
            "listed_shares": listed,
            "limit_used_pct": output.decimal("hts_frgn_ehrt"),
        }


def _whole(output: Answer, name: str) -> int:
    """The field ``name``, won written with decimals that are all 0."""
    value = output.decimal(name)
    if value != int(value):
        raise Malformed(f"{output.where}: {name} is {value}, expected whole won")
    return int(value)
