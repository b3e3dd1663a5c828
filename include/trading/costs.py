"""What a trade costs: the broker's fee on both sides, and the taxes on a sale by date, market and product.

The securities transaction tax (증권거래세) is that of the Securities Transaction Tax Act, at the rates article 5 of its
Enforcement Decree sets for each market; the special tax for rural development (농어촌특별세) is 0.15% of sales on KOSPI
and nothing elsewhere. Both are taken from the seller. They are due when shares change hands, which is settlement,
the second session after the trade: a rate that holds from 1 January holds for trades of December's last two sessions.

Sources by settlement date, all in the press of the time:

- 1994-07-01, the rural tax beside 0.35%: Hankyung 1994-07-01. 1995-07-18, 0.30%: Hankyung 1996-04-10.
- 1996-04-03, 0.15%: Hankyung 1997-01-06; by Hankyung 1996-04-10 it was 1 April, so two sessions may be taxed too high.
- KOSDAQ 0.5% as over the counter and 0.3% by the Act's amendment: Hankyung 1996-07-24; from 1996-08-14: Hankyung
  1997-01-06.
- KONEX 0.3% until 2019, and the rates of 2019-06-03: ETNews and Hankook Ilbo 2019-05-21; for trades from 2019-05-30:
  the depository's notice of 2019-05-27.
- 2021, for trades from 2020-12-29: Edaily 2020-12-29, with the exchange's explanation. 2023 to 2025, for trades from
  2024-12-27: Hanyang Securities' notice of 2024-12-26.
- 2026: Donga 2025-12-01, on the draft of the Enforcement Decree.

ETFs and ETNs are no shares and their sale is not taxed. Not modelled: sales on KOSPI at or below par were free of the
tax in 1995 (Hankyung 1995-05-18), until when is not known here.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from include.market.symbols import Market

Product = Literal["STOCK", "ETF", "ETN"]

_WHOLE = 100_000
_MILLION = 1_000_000


class UnknownTaxError(ValueError):
    """No rate is known for the market on the session."""


class TaxRates(NamedTuple):
    """Rates from a trade's session on, in 1/100,000 of the amount sold; ``settled_from`` is the law's own date."""

    traded_from: date
    settled_from: date
    transaction: int
    rural: int


_KOSPI = (
    TaxRates(date(1994, 6, 29), date(1994, 7, 1), 350, 150),
    TaxRates(date(1995, 7, 14), date(1995, 7, 18), 300, 150),
    TaxRates(date(1996, 4, 1), date(1996, 4, 3), 150, 150),
    TaxRates(date(2019, 5, 30), date(2019, 6, 3), 100, 150),
    TaxRates(date(2020, 12, 29), date(2021, 1, 1), 80, 150),
    TaxRates(date(2022, 12, 28), date(2023, 1, 1), 50, 150),
    TaxRates(date(2023, 12, 27), date(2024, 1, 1), 30, 150),
    TaxRates(date(2024, 12, 27), date(2025, 1, 1), 0, 150),
    TaxRates(date(2025, 12, 29), date(2026, 1, 1), 50, 150),
)
_KOSDAQ = (
    TaxRates(date(1996, 6, 28), date(1996, 7, 1), 500, 0),
    TaxRates(date(1996, 8, 12), date(1996, 8, 14), 300, 0),
    TaxRates(date(2019, 5, 30), date(2019, 6, 3), 250, 0),
    TaxRates(date(2020, 12, 29), date(2021, 1, 1), 230, 0),
    TaxRates(date(2022, 12, 28), date(2023, 1, 1), 200, 0),
    TaxRates(date(2023, 12, 27), date(2024, 1, 1), 180, 0),
    TaxRates(date(2024, 12, 27), date(2025, 1, 1), 150, 0),
    TaxRates(date(2025, 12, 29), date(2026, 1, 1), 200, 0),
)
_KONEX = (
    TaxRates(date(2013, 6, 27), date(2013, 7, 1), 300, 0),
    TaxRates(date(2019, 5, 30), date(2019, 6, 3), 100, 0),
)
TAX_RATES = {
    Market.KOSPI: _KOSPI,
    Market.KOSDAQ: _KOSDAQ,
    Market.KOSDAQ_GLOBAL: _KOSDAQ,
    Market.KONEX: _KONEX,
}


@lru_cache(maxsize=8_192)
def tax_rates(market: Market, session: date) -> TaxRates:
    """The rates on shares of ``market`` sold in ``session``.

    Raises:
        UnknownTaxError: before the rates that are known: KOSPI 1994-06-29, KOSDAQ 1996-06-28, KONEX 2013-06-27.
    """
    in_force = [rates for rates in TAX_RATES[market] if rates.traded_from <= session]
    if not in_force:
        first = TAX_RATES[market][0].traded_from
        raise UnknownTaxError(f"no tax on sales on {market.value} is known for {session}: the rates start {first}")
    return in_force[-1]


def sales_tax(amount: int, market: Market, product: Product, session: date) -> int:
    """Both taxes on ``amount`` won of sales, each cut off to the won.

    Raises:
        UnknownTaxError: see :func:`tax_rates`.
    """
    if product != "STOCK":
        return 0
    rates = tax_rates(market, session)
    return amount * rates.transaction // _WHOLE + amount * rates.rural // _WHOLE


def broker_fee(amount: int, fee_pct: float) -> int:
    """The broker's fee on ``amount`` won bought or sold, cut off to the won; the rate counts to a 10,000th percent."""
    return amount * _per_million(fee_pct) // _MILLION


def affordable_shares(cash: int, price: int, fee_pct: float) -> int:
    """How many shares at ``price`` won ``cash`` pays for, the fee included."""
    return cash * _MILLION // (price * (_MILLION + _per_million(fee_pct)))


def _per_million(fee_pct: float) -> int:
    return round(fee_pct * 10_000)
