"""Investor classes as the exchange publishes them: eleven, a subtotal and the total.

Codes are those of the exchange's data portal (``invstTpCd``); names are Korean as published there.
"""

from __future__ import annotations

from enum import Enum


class Investor(Enum):
    """An investor class, the subtotal of institutions, or the total."""

    SECURITIES = "securities"
    INSURANCE = "insurance"
    INVESTMENT_TRUST = "investment_trust"
    PRIVATE_FUND = "private_fund"
    BANK = "bank"
    OTHER_FINANCE = "other_finance"
    PENSION = "pension"
    INSTITUTION = "institution"
    OTHER_CORPORATION = "other_corporation"
    INDIVIDUAL = "individual"
    FOREIGN = "foreign"
    OTHER_FOREIGN = "other_foreign"
    TOTAL = "total"


INSTITUTIONS = (
    Investor.SECURITIES,
    Investor.INSURANCE,
    Investor.INVESTMENT_TRUST,
    Investor.PRIVATE_FUND,
    Investor.BANK,
    Investor.OTHER_FINANCE,
    Investor.PENSION,
)
CLASSES = (
    *INSTITUTIONS,
    Investor.OTHER_CORPORATION,
    Investor.INDIVIDUAL,
    Investor.FOREIGN,
    Investor.OTHER_FOREIGN,
)

PORTAL_CODES = {
    "1000": Investor.SECURITIES,
    "2000": Investor.INSURANCE,
    "3000": Investor.INVESTMENT_TRUST,
    "3100": Investor.PRIVATE_FUND,
    "4000": Investor.BANK,
    "5000": Investor.OTHER_FINANCE,
    "6000": Investor.PENSION,
    "7050": Investor.INSTITUTION,
    "7100": Investor.OTHER_CORPORATION,
    "8000": Investor.INDIVIDUAL,
    "9000": Investor.FOREIGN,
    "9001": Investor.OTHER_FOREIGN,
    "9999": Investor.TOTAL,
}
KOREAN_NAMES = {
    "금융투자": Investor.SECURITIES,
    "보험": Investor.INSURANCE,
    "투신": Investor.INVESTMENT_TRUST,
    "사모": Investor.PRIVATE_FUND,
    "은행": Investor.BANK,
    "기타금융": Investor.OTHER_FINANCE,
    "연기금 등": Investor.PENSION,
    "기관합계": Investor.INSTITUTION,
    "기타법인": Investor.OTHER_CORPORATION,
    "개인": Investor.INDIVIDUAL,
    "외국인": Investor.FOREIGN,
    "기타외국인": Investor.OTHER_FOREIGN,
    "전체": Investor.TOTAL,
}
