"""Calling Naver and reading what its answers have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from bs4.filter import SoupStrainer

from include.crawlers.source import Chunk, Issue, RawBody
from include.crawlers.transport import SourceLimits, Transport
from include.outcomes import CoverageDrop, Malformed, SourceNotConfiguredError

SOURCE = "naver"
LIMITS = SourceLimits(calls_per_second=5)
SITE = "https://finance.naver.com"
APP = "https://m.stock.naver.com"
CHARTS = "https://api.finance.naver.com"
QUOTES = "https://polling.finance.naver.com"

_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; krx-warehouse)", "Referer": f"{SITE}/"}
_TOLERATED_MISSING = 0.05
_WHOLE = re.compile(r"[+-]?(\d{1,15}|\d{1,3}(,\d{3}){1,4})")
_DECIMAL = re.compile(_WHOLE.pattern + r"(\.\d+)?")


class LatestOnlyCrawler:
    """What crawlers of pages that show the present have in common: one session a chunk, no ranges held."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """Unknown: a range has to be given."""
        raise SourceNotConfiguredError("Naver does not tell what it holds: say which sessions with --from and --to")

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session."""
        return [Chunk(session, session) for session in sessions]


def ask(
    transport: Transport,
    environment: Mapping[str, str],
    host: str,
    path: str,
    params: Mapping[str, str],
    *,
    endpoint: str,
    suffix: str,
    **about: str,
) -> RawBody:
    """One answer. ``about`` names in the body's request what the path holds and ``params`` do not."""
    service = environment.get("KRXW_NAVER_URL", host).rstrip("/")
    content = transport.get(SOURCE, service + path, LIMITS, params=params, headers=_HEADERS, endpoint=endpoint)
    return RawBody(content, {"endpoint": endpoint, **params, **about}, datetime.now(UTC), suffix)


def asked_for(body: RawBody) -> str:
    """How messages name the answer."""
    return " ".join(["Naver", *body.request.values()])


def require_universe(chunk: Chunk, dataset: str) -> tuple[Issue, ...]:
    """The issues to ask for.

    Raises:
        SourceNotConfiguredError: there are none.
    """
    if not chunk.universe:
        raise SourceNotConfiguredError(
            f"Naver answers {dataset} symbol by symbol and no symbol is known for {chunk.first}: load daily_bar first"
        )
    return chunk.universe


def up_to_unreadable(bodies: Iterator[RawBody], read: Callable[[RawBody], object]) -> list[RawBody]:
    """``bodies``, which are asked for one by one; the first alone where ``read`` finds it malformed.

    A page that is gone or has changed is so for every symbol: no other is asked for, and ``parse`` says why.
    """
    first = next(bodies)
    try:
        read(first)
    except Malformed:
        return [first]
    return [first, *bodies]


def is_tolerated(missing: int, asked: int) -> bool:
    """Whether so few of what was asked for lack an answer, 5% at most, that the others are the whole market."""
    return missing <= asked * _TOLERATED_MISSING


def require_coverage(asked: int, missing: Sequence[str], what: str) -> None:
    """Tolerate that up to 5% of what was asked for lacks an answer.

    Raises:
        CoverageDrop: more do; the message names them.
    """
    if not is_tolerated(len(missing), asked):
        named = ", ".join(missing[:20]) + (", ..." if len(missing) > 20 else "")
        raise CoverageDrop(f"Naver: {len(missing)} of {asked} {what} lack an answer: {named}")


def json_of(body: RawBody, encoding: str = "utf-8") -> Any:
    """The answer read as JSON, fractions as exact decimals.

    Raises:
        Malformed: it is not JSON in ``encoding``.
    """
    try:
        return json.loads(body.content.decode(encoding), parse_float=Decimal)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Malformed(f"{asked_for(body)}: expected JSON in {encoding}, got {body.content[:60]!r}...") from error


def page_of(body: RawBody) -> BeautifulSoup:
    """The tables and emphasised texts of an HTML page, read in the encoding it declares.

    Raises:
        Malformed: it declares none, or is not written in it.
    """
    declared = EncodingDetector.find_declared_encoding(body.content, is_html=True)
    if declared is None:
        raise Malformed(f"{asked_for(body)}: expected an HTML page with a charset, got {body.content[:60]!r}...")
    return BeautifulSoup(decoded(body, declared), "lxml", parse_only=SoupStrainer(["table", "em"]))


def decoded(body: RawBody, encoding: str) -> str:
    """The answer's text; EUC-KR is read with Microsoft's extension of it, as browsers do.

    Raises:
        Malformed: the bytes are not written in ``encoding``.
    """
    codec = "cp949" if encoding.lower() in {"euc-kr", "ks_c_5601-1987"} else encoding
    try:
        return body.content.decode(codec)
    except (UnicodeDecodeError, LookupError) as error:
        raise Malformed(f"{asked_for(body)}: expected text in {encoding}: {error}") from error


def texts(cells: Sequence[Tag]) -> list[str]:
    """What each cell says, its white space as a reader sees it."""
    return [" ".join(cell.get_text().split()) for cell in cells]


def whole_number(text: str, where: str) -> int:
    """A whole number, with or without thousands separators and sign.

    Raises:
        Malformed: it is not one.
    """
    if not _WHOLE.fullmatch(text):
        raise Malformed(f"{where}: expected a whole number, got {text!r}")
    return int(text.replace(",", ""))


def decimal_number(text: str, places: int, where: str) -> Decimal:
    """A number of at most ``places`` decimals, exactly, with or without thousands separators and sign.

    Raises:
        Malformed: it is not one.
    """
    if not _DECIMAL.fullmatch(text) or len(text.partition(".")[2]) > places:
        raise Malformed(f"{where}: expected a number of at most {places} decimals, got {text!r}")
    return Decimal(text.replace(",", ""))


def day_of(text: str, form: str, where: str) -> date:
    """A day written in ``form`` (see ``strptime``).

    Raises:
        Malformed: it is not one.
    """
    try:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day, without a time
    except ValueError:
        raise Malformed(f"{where}: expected a day as {form}, got {text!r}") from None
