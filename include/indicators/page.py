"""The tables of ``docs/indicators.md``, from the catalogue.

``python -m include.indicators.page`` writes them into the page, between its marks.
"""

from __future__ import annotations

from collections.abc import Sequence

from include.indicators.catalogue import CATALOGUE, Indicator
from include.indicators.features import FEATURES
from include.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "indicators.md"


def with_tables(page: str) -> str:
    """``page`` with its tables as the catalogue has them today."""
    for name, table in (("catalogue", _catalogue()), ("features", _features())):
        mark, end = f"<!-- {name}: generated -->", f"<!-- end of {name} -->"
        before, after = page.split(mark)[0], page.split(end)[1]
        page = f"{before}{mark}\n\n{table}\n{end}{after}"
    return page


def _catalogue() -> str:
    parts = []
    families = dict.fromkeys(indicator.family for indicator in CATALOGUE)
    for family in families:
        rows = [row for indicator in CATALOGUE if indicator.family == family for row in _rows(indicator)]
        titles = ("column", "unit", "warm-up", "memory", "meaning", "inputs", "source", "no value in a flat window")
        parts.append(f"### {family.capitalize()}\n\n{_table(titles, rows)}")
    return "\n".join(parts)


def _rows(indicator: Indicator) -> list[tuple[str, ...]]:
    memory = "all" if indicator.memory is None else str(indicator.memory)
    about = (", ".join(indicator.inputs), indicator.source, indicator.flat)
    return [
        (f"`{column.name}`", column.unit, str(column.warm_up), memory, column.meaning, *about)
        for column in indicator.columns
    ]


def _features() -> str:
    rows = [
        (f"`{feature.name}`", str(feature.warm_up), feature.meaning, f"`{feature.expression}`") for feature in FEATURES
    ]
    return _table(("feature", "warm-up", "meaning", "in qlib's language"), rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
