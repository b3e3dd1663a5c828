"""What each fault is, and what has to come of it: for every source of every dataset, and where it differs, why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.datasets.registry import datasets
from include.simulator.servers.faults import ANY_ENDPOINT, Fault, FaultKind

SIMULATED_SOURCES = ("krx_openapi", "krx_portal", "naver", "yfinance", "kis", "kiwoom")
# What comes of a fault that leaves no trace in what is read, and of one that looks like the truth.
AS_WITHOUT = "loaded"
NOT_TOLD = "taken for true"
MEANINGLESS = "-"


@dataclass(frozen=True)
class Case:
    """A fault as it is tried, what it is in words, and the outcome it has unless an exception says otherwise."""

    name: str
    kind: FaultKind
    meaning: str
    outcome: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def slow(self) -> bool:
        """Whether the answer is long in coming."""
        return self.kind in {FaultKind.TIMEOUT, FaultKind.SLOW_DRIP}

    def fault(self, endpoint: str) -> Fault:
        """The fault at ``endpoint``, until it is cleared."""
        return Fault(endpoint, self.kind, **self.options)


@dataclass(frozen=True)
class Pair:
    """A dataset, the source asked for it, and the endpoint that fails there."""

    dataset: str
    source: str
    endpoint: str = ANY_ENDPOINT

    @property
    def name(self) -> str:
        """How tests and the page name it."""
        return self.source if self.endpoint == ANY_ENDPOINT else f"{self.source} {self.endpoint}"


@dataclass(frozen=True)
class Exemption:
    """Another outcome than the case's own, in the pairs that match (None: any), and why it is right."""

    case: str
    outcome: str
    reason: str
    datasets: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    endpoint: str | None = None

    def covers(self, pair: Pair, case: Case) -> bool:
        """Whether it is about ``pair`` under ``case``."""
        return (
            case.name == self.case
            and (self.datasets is None or pair.dataset in self.datasets)
            and (self.sources is None or pair.source in self.sources)
            and (self.endpoint is None or pair.endpoint == self.endpoint)
        )


CASES = (
    Case("http_500", FaultKind.HTTP_500, "Every request is answered 500", "source_down"),
    Case("http_429", FaultKind.HTTP_429, "Every request is answered 429, without `Retry-After`", "rate_limited"),
    Case(
        "http_429 for an hour",
        FaultKind.HTTP_429,
        "The same with `Retry-After: 3600`, longer than a run waits",
        "rate_limited",
        {"retry_after": 3600},
    ),
    Case("timeout", FaultKind.TIMEOUT, "No answer comes", "source_down", {"seconds": 3}),
    Case("slow_drip", FaultKind.SLOW_DRIP, "The answer comes byte by byte, too slowly", "source_down", {"seconds": 3}),
    Case("truncated_body", FaultKind.TRUNCATED_BODY, "The answer is cut off", "source_down"),
    Case("maintenance_html", FaultKind.MAINTENANCE_HTML, "Status 200 and a page about maintenance", "malformed"),
    Case("logout", FaultKind.LOGOUT, "The login or the token has ended, and a new one does not help", "auth_required"),
    Case("empty_list", FaultKind.EMPTY_LIST, "Well-formed answers without rows", "not_published"),
    Case("yesterdays_data", FaultKind.YESTERDAYS_DATA, "The previous session's answer", "not_published"),
    Case("stale_copy", FaultKind.STALE_COPY, "The previous session's figures under today's date", "not_published"),
    Case(
        "partial_market",
        FaultKind.PARTIAL_MARKET,
        "Half the rows; where symbols are asked for one by one, half of them have none",
        "coverage_drop",
    ),
    Case("renamed_column", FaultKind.RENAMED_COLUMN, "A field has another name", "malformed"),
    Case("missing_column", FaultKind.MISSING_COLUMN, "A field is missing", "malformed"),
    Case("wrong_encoding", FaultKind.WRONG_ENCODING, "Another encoding than declared", "malformed"),
    Case("comma_strings", FaultKind.COMMA_STRINGS, "Plain numbers written as texts with separators", "malformed"),
    Case("duplicate_rows", FaultKind.DUPLICATE_ROWS, "The first row of each answer once more", "malformed"),
    Case("layout_changed", FaultKind.LAYOUT_CHANGED, "The same content in another form", "malformed"),
)

# Endpoints asked after another one, which a fault everywhere never reaches.
_SECOND_ENDPOINTS = (
    Pair("etf_holding", "krx_portal", "MDCSTAT05001"),
    Pair("etf_holding", "naver", "etfAnalysis"),
)
PAIRS = (
    *(
        Pair(dataset.name, source)
        for dataset in datasets().values()
        for source in dataset.sources
        if source in SIMULATED_SOURCES
    ),
    *_SECOND_ENDPOINTS,
)

_DATED = "The rows are dated, and of another day than asked for."
_ASKED_AGAIN = "The runs of the next sessions ask for this one again."
_UNDATED = f"Such an answer may well be the truth: rows hold no figure that changes every session. {_ASKED_AGAIN}"
_WRITTEN_SO = "This is how the page writes its numbers anyway."
_KEYED = "The answer has one place for each row: a second copy of it says nothing else."
_OTHER_PAGE = "The fund's other page is read instead, and says the same."
EXEMPTIONS = (
    Exemption("yesterdays_data", "malformed", _DATED, sources=("krx_openapi",)),
    Exemption("yesterdays_data", "malformed", _DATED, datasets=("index_bar",), sources=("naver",)),
    Exemption(
        "stale_copy", NOT_TOLD, _UNDATED, datasets=("instrument", "sector", "delisting", "dividend", "global_bar")
    ),
    Exemption("yesterdays_data", NOT_TOLD, _UNDATED, datasets=("dividend", "global_bar")),
    Exemption(
        "empty_list",
        NOT_TOLD,
        "Most sessions have none. " + _ASKED_AGAIN,
        datasets=("dividend",),
        sources=("kis",),
    ),
    Exemption("partial_market", NOT_TOLD, _UNDATED, datasets=("delisting",)),
    Exemption("partial_market", NOT_TOLD, _UNDATED, datasets=("dividend",), sources=("kis",)),
    Exemption(
        "stale_copy",
        NOT_TOLD,
        "Naver shows the largest positions by weight, the exchange a whole file in another order: nothing can be "
        "compared. The rows say `complete = false`, and the exchange's file replaces them.",
        datasets=("etf_holding",),
        sources=("naver",),
    ),
    Exemption(
        "stale_copy",
        NOT_TOLD,
        "What would date the quotes is a day behind with them. Nothing is derived from quotes of past sessions.",
        datasets=("intraday_snapshot",),
    ),
    Exemption(
        "partial_market",
        "malformed",
        "Whole markets or families are missing, which is not how a part is published.",
        datasets=("index_bar", "market_investor_flow"),
    ),
    Exemption(
        "comma_strings", AS_WITHOUT, _WRITTEN_SO, ("etf_holding", "foreign_holding", "investor_flow"), ("naver",)
    ),
    Exemption("duplicate_rows", AS_WITHOUT, _KEYED, sources=("yfinance",)),
    *(
        Exemption("duplicate_rows", AS_WITHOUT, _KEYED, (dataset,), ("kis", "kiwoom"))
        for dataset in ("foreign_holding", "fundamental", "intraday_snapshot", "investor_flow")
    ),
    *(
        Exemption(case.name, AS_WITHOUT, _OTHER_PAGE, ("etf_holding",), ("naver",), "etfAnalysis")
        for case in CASES
        if case.outcome in ("source_down", "malformed")
    ),
)


def expected(pair: Pair, case: Case) -> tuple[str, str | None]:
    """The outcome of ``case`` in ``pair``, and the reason where it is not the case's own."""
    for exemption in EXEMPTIONS:
        if exemption.covers(pair, case):
            return exemption.outcome, exemption.reason
    return case.outcome, None
