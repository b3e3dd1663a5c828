"""JSON documents with one value replaced by another, for laws of parsers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

_OTHERS = [None, True, -1, 10**30, 1.5, 1e300, "", "-", "1,234", [], [None], {}, {"a": 1}]


def damaged(document: Any) -> st.SearchStrategy[Any]:
    """``document`` with any one value in it, or all of it, replaced by one of another kind."""
    return st.builds(_replaced, st.just(document), st.sampled_from(list(_paths(document))), st.sampled_from(_OTHERS))


def _paths(document: Any) -> Iterator[tuple[str | int, ...]]:
    yield ()
    entries = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in entries:
        for rest in _paths(value):
            yield (key, *rest)


def _replaced(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.copy(document)
    changed[path[0]] = _replaced(document[path[0]], path[1:], value)
    return changed
