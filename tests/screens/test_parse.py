from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from include.screens.columns import COLUMNS
from include.screens.definition import Between, ColumnComparison, Comparison, Membership, Rank
from include.screens.errors import InvalidScreenError
from include.screens.parse import parse_file, parse_screen, parse_text

CONDITION = {"column": "rsi_14", "op": "<", "value": 30}


def document(*conditions: Any, **others: Any) -> dict[str, Any]:
    named = {"name": "mine", "title": "Mine", "meaning": "What I look for"}
    return named | {"conditions": list(conditions) or [CONDITION]} | others


def problems(of: object) -> tuple[str, ...]:
    with pytest.raises(InvalidScreenError) as caught:
        parse_screen(of)
    return caught.value.problems


def test_every_form_of_a_condition_is_read_and_written_again() -> None:
    given = document(
        CONDITION,
        {"column": "close", "op": ">=", "other": "high_52_weeks", "factor": 0.97, "sessions": 5},
        {"column": "pbr", "op": "between", "value": [0.2, 1]},
        {"column": "market", "op": "in", "value": ["KOSPI", "KOSDAQ"]},
        {"column": "kind", "op": "not in", "value": ["spac"]},
        rank={"column": "volume_ratio_20", "order": "descending"},
        limit=20,
    )
    screen = parse_text(json.dumps(given))
    assert screen.conditions == (
        Comparison("rsi_14", "<", 30),
        ColumnComparison("close", ">=", "high_52_weeks", 0.97, 5),
        Between("pbr", 0.2, 1),
        Membership("market", ("KOSPI", "KOSDAQ")),
        Membership("kind", ("spac",), negated=True),
    )
    assert (screen.rank, screen.limit) == (Rank("volume_ratio_20", descending=True), 20)
    assert screen.columns == ("rsi_14", "close", "high_52_weeks", "pbr", "market", "kind", "volume_ratio_20")
    assert screen.document == given
    assert parse_screen(screen.document) == screen


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            CONDITION | {"column": "rsi14"},
            r'conditions\[0\].column: expected a column .*, got "rsi14"; did you mean rsi_14',
        ),
        (CONDITION | {"column": "zzz"}, r'got "zzz"; `krxw screen columns` lists them'),
        (CONDITION | {"column": 14}, r"\.column: .*got 14"),
        ({"op": "<", "value": 30}, r"\.column: .*got nothing"),
        (CONDITION | {"value": 130}, r"conditions\[0\].value: expected 0 to 100, the range of rsi_14 .*, got 130"),
        (CONDITION | {"column": "williams_r_14", "value": 20}, r"expected -100 to 0"),
        (CONDITION | {"column": "volume_ratio_20", "value": -1}, r"expected 0 or more"),
        (CONDITION | {"value": "30"}, r'\.value: expected a number, got "30"'),
        (CONDITION | {"value": True}, r"expected a number, got true"),
        (CONDITION | {"value": None}, r"expected a number, got None"),
        (CONDITION | {"column": "obv", "value": float("inf")}, r"expected a finite number"),
        (CONDITION | {"column": "obv", "value": 10**400}, r"expected a finite number"),
        (CONDITION | {"op": "=="}, r'\.op: expected one of <, <=, >, >=, between for the number rsi_14, got "=="'),
        (CONDITION | {"op": "in", "value": [1]}, r"for the number rsi_14, got \"in\""),
        (CONDITION | {"column": "market"}, r"\.op: expected one of in, not in for the text market"),
        ({"column": "rsi_14", "op": "<"}, r"expected either a value or another column"),
        (CONDITION | {"other": "mfi_14"}, r"expected either a value or another column"),
        (CONDITION | {"factor": 2}, r"\.factor: expected no factor with a value"),
        (CONDITION | {"vaule": 30}, r"\[0\]: expected the fields .*, got \"vaule\"; did you mean value"),
        (
            {"column": "close", "op": ">", "other": "rsi_14"},
            r"\.other: expected a column in KRW per share, adjusted, as close is, got \"rsi_14\", which is in percent",
        ),
        ({"column": "close", "op": ">", "other": "foreign_net_krw_20"}, r"which is in KRW$"),
        ({"column": "close", "op": ">", "other": "bps_krw"}, r"which is in KRW per share$"),
        ({"column": "close", "op": ">", "other": "market"}, r"which is text"),
        ({"column": "close", "op": ">", "other": "close"}, r"expected another column than close itself"),
        ({"column": "close", "op": ">", "other": "sma_20", "factor": 0}, r"\.factor: expected a number from 0.0"),
        (
            {"column": "close", "op": ">", "other": "high", "factor": 1e308},
            r"\.factor: expected a number from 0.000001 to 1,000,000, got 1e\+308",
        ),
        (
            {"column": "name", "op": "in", "value": ["\ud800"]},
            r"\.value\[0\]: expected text of whole characters.*ud800",
        ),
        ({"column": "name", "op": "in", "value": ["a\0"]}, r"\.value\[0\]: expected text of whole characters"),
        ({"column": "pbr", "op": "between", "value": [1, 0.2]}, r"\.value: expected the lower number first"),
        ({"column": "pbr", "op": "between", "value": 1}, r"\.value: expected a list of two numbers"),
        ({"column": "rsi_14", "op": "between", "value": [30, 130]}, r"\.value\[1\]: expected 0 to 100"),
        ({"column": "pbr", "op": "between", "value": [1, 2], "other": "per"}, r"\.other: expected no other"),
        ({"column": "market", "op": "in", "value": []}, r"\.value: expected a list of at least one text"),
        ({"column": "market", "op": "in", "value": ["KOSPPI"]}, r"\.value\[0\]: .*KOSPI.*did you mean KOSPI"),
        ({"column": "name", "op": "in", "value": [5]}, r"\.value\[0\]: expected text, got 5"),
        (CONDITION | {"sessions": 0}, r"\.sessions: expected a whole number from 1 to 250, got 0"),
        (CONDITION | {"sessions": 2.5}, r"\.sessions: expected a whole number"),
        ("rsi_14 < 30", r'conditions\[0\]: expected an object .*, got "rsi_14 < 30"'),
    ],
)
def test_a_condition_that_cannot_be_run_says_where_and_what_to_do(condition: Any, said: str) -> None:
    [problem] = problems(document(condition))
    assert re.search(said, problem), problem


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "expected an object with name"),
        (document() | {"conditions": []}, r"conditions: expected a list of at least one condition, got \[\]"),
        (document() | {"conditions": {"rsi_14": 30}}, "conditions: expected a list"),
        (document() | {"conditions": [CONDITION] * 51}, "at most 50 conditions, got 51"),
        (document(name="My screen"), 'name: expected up to 63 of a-z.*got "My screen"'),
        (document(title=" "), "title: expected text"),
        (document(title="half \udc00"), r'title: expected text of whole characters.*got "half \\udc00"'),
        (document(meaning="\0"), "meaning: expected text of whole characters"),
        (document(name="\udc00"), r'name: .*got "\\udc00"'),
        (document(condition=[]), 'the screen: expected the fields .*got "condition"; did you mean conditions'),
        (document(limit=5), "limit: expected a rank with it"),
        (document(rank={"column": "rsi_14"}), "rank.order: expected ascending or descending, got nothing"),
        (document(rank={"column": "market", "order": "ascending"}), "rank.column: expected a column of numbers"),
        (document(rank={"column": "rsi", "order": "ascending"}), 'rank.column: .*got "rsi"; did you mean rsi_14'),
        (document(rank={"column": "rsi_14", "order": "ascending"}, limit=0), "limit: expected a whole number from 1"),
    ],
)
def test_a_screen_that_cannot_be_run_says_where_and_what_to_do(given: Any, said: str) -> None:
    [problem] = problems(given)
    assert re.search(said, problem), problem


def test_every_problem_is_told_at_once() -> None:
    found = problems(document(CONDITION | {"value": 130}, CONDITION, CONDITION | {"op": "~"}, name=None, rank=[]))
    assert [problem.split(":")[0] for problem in found] == ["name", "conditions[0].value", "conditions[2].op", "rank"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1, column 2: expected JSON"),
        ('{"name": "a", "name": "b"}', "'name' is there twice"),
        ("[" * 100_000, "cannot be read"),
        ("1" * 5_000, "cannot be read"),
    ],
)
def test_what_is_not_json_is_said(text: str, said: str) -> None:
    with pytest.raises(InvalidScreenError, match=said):
        parse_text(text)


@hypothesis.given(st.text(st.characters(categories=None), min_size=1, max_size=20))
def test_text_that_is_accepted_can_be_stored_and_what_is_said_can_be_printed(text: str) -> None:
    given = document({"column": "name", "op": "in", "value": [text]}, title=text, meaning=text)
    for field in (given, given | {text: 1}):
        try:
            json.dumps(parse_screen(field).document, ensure_ascii=False).encode()
        except InvalidScreenError as error:
            str(error).encode()


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    given = document(title="저평가")
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text(json.dumps(given, ensure_ascii=False), encoding=encoding)
        assert parse_file(file).document == given
    file.write_text(json.dumps(given, ensure_ascii=False), encoding="cp949")
    with pytest.raises(
        InvalidScreenError, match=r"mine\.json: expected text in UTF-8, got another encoding at byte \d+"
    ):
        parse_file(file)


@pytest.mark.parametrize(
    "attempt",
    [
        "rsi_14; DROP TABLE derived.screen",
        'rsi_14" IS NOT NULL OR "rsi_14',
        "symbol",
        "session",
        "1",
        "pg_sleep(1)",
        "",
    ],
)
def test_an_attempt_at_injection_is_an_unknown_column(attempt: str) -> None:
    for given in (
        document(CONDITION | {"column": attempt}),
        document({"column": "close", "op": ">", "other": attempt}),
        document(rank={"column": attempt, "order": "ascending"}),
    ):
        [problem] = problems(given)
        assert "expected a column a screen may use" in problem


def test_every_column_can_be_asked_for_over_its_whole_range() -> None:
    for column in COLUMNS.values():
        if column.is_text:
            values = list(column.values or ("삼성전자",))
            parse_screen(document({"column": column.name, "op": "in", "value": values}))
            continue
        bounds = [-1e9 if column.minimum is None else column.minimum, 1e9 if column.maximum is None else column.maximum]
        parse_screen(document({"column": column.name, "op": "between", "value": bounds}))
