"""What all the portal's answers have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from include.crawlers.published_rows import Row, require_fields
from include.crawlers.source import RawBody
from include.market.calendar import KST
from include.outcomes import AuthRequired, Malformed, NotASession, NotPublished

_BLOCKS = ("output", "OutBlock_1", "block1")
_CLOCK = re.compile(r"(\d{4})\.(\d\d)\.(\d\d) (AM|PM) (\d\d):(\d\d):(\d\d)")
_NO_VALUE = "-"


@dataclass(frozen=True)
class Answer:
    """An answer's rows, the moment the portal gave it, and how messages name it."""

    rows: list[Row]
    given_at: datetime
    where: str


def read_answer(body: RawBody) -> Answer:
    """The answer in ``body``.

    Raises:
        Malformed: it is no answer of the portal's.
        AuthRequired: it says that the login has ended.
    """
    form = ", ".join(f"{name}={value}" for name, value in body.request.items() if name != "bld")
    where = f"KRX portal {body.request['bld'].rpartition('/')[2]} ({form})"
    if body.content.strip() == b"LOGOUT":
        raise AuthRequired(f"{where}: LOGOUT, the login is missing or has ended")
    try:
        answer: Any = json.loads(body.content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Malformed(f"{where}: expected JSON in UTF-8, got {body.content[:60]!r}...") from error
    if not isinstance(answer, dict):
        raise Malformed(f"{where}: expected an object, got {str(answer)[:80]}")
    blocks = [answer[name] for name in _BLOCKS if isinstance(answer.get(name), list)]
    if len(blocks) != 1:
        raise Malformed(f"{where}: expected one list named {' or '.join(_BLOCKS)}, got {', '.join(answer)}")
    return Answer(blocks[0], _clock(answer.get("CURRENT_DATETIME"), where), where)


def require_final(answers: Sequence[Answer], session: date, publication_hour: int | None) -> None:
    """The answers were given when the session's values were final, and hold some.

    Raises:
        NotPublished: they were given earlier, or are all empty.
    """
    final_from = datetime.combine(session, time(publication_hour or 0, tzinfo=KST))
    early = [answer for answer in answers if answer.given_at < final_from]
    if early:
        raise NotPublished(
            f"{early[0].where}: given at {early[0].given_at:%Y-%m-%d %H:%M}, values are final from "
            f"{final_from:%Y-%m-%d %H:%M}"
        )
    if not any(answer.rows for answer in answers):
        raise NotPublished(f"the KRX portal holds nothing for {session} yet: {answers[0].where} is empty")


def require_siblings(answers: Sequence[Answer]) -> None:
    """No answer is empty.

    Raises:
        Malformed: one is.
    """
    empty = [answer.where for answer in answers if not answer.rows]
    if empty:
        raise Malformed(f"{'; '.join(empty)}: empty while other answers have rows")


def require_open(rows: Sequence[Row], field: str, session: date, where: str) -> None:
    """Some row has a value in ``field``.

    Raises:
        NotASession: all are ``-``.
        Malformed: a row lacks the field.
    """
    require_fields(rows, [field], where)
    if all(row[field] == _NO_VALUE for row in rows):
        raise NotASession(f"{where}: every {field} is '-', the exchange was closed on {session}")


def _clock(text: object, where: str) -> datetime:
    match = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise Malformed(f"{where}: CURRENT_DATETIME is {text!r}, expected one like '2026.01.25 PM 08:28:15'")
    year, month, day, half, hour, minute, second = match.groups()
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour) % 12 + (12 if half == "PM" else 0),
            int(minute),
            int(second),
            tzinfo=KST,
        )
    except ValueError as error:
        raise Malformed(f"{where}: CURRENT_DATETIME is {text!r}, which is no moment") from error
