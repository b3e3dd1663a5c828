"""The tables of ``docs/indicators.md`` and of the pages of the families in ``docs/indicators/``, from the catalogue.

``python -m include.indicators.page`` writes them into the pages, between their marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.indicators.catalogue import CATALOGUE, Indicator
from include.indicators.features import FEATURES
from include.settings import PROJECT_ROOT

OVERVIEW = PROJECT_ROOT / "docs" / "indicators.md"
FAMILIES = tuple(dict.fromkeys(indicator.family for indicator in CATALOGUE))
FAMILY_PAGES = {family: PROJECT_ROOT / "docs" / "indicators" / f"{family}.md" for family in FAMILIES}


def with_tables(page: str) -> str:
    """``page`` with the tables it has marks for as the catalogue has them today."""
    for name, table in _tables().items():
        mark, end = f"<!-- {name}: generated -->", f"<!-- end of {name} -->"
        if mark in page:
            before, after = page.split(mark)[0], page.split(end)[1]
            page = f"{before}{mark}\n\n{table}\n{end}{after}"
    return page


def _tables() -> Mapping[str, str]:
    return {"families": _families(), "features": _features()} | {family: _family(family) for family in FAMILIES}


def _families() -> str:
    rows = []
    for family in FAMILIES:
        columns = (f"`{column.name}`" for each in CATALOGUE if each.family == family for column in each.columns)
        rows.append((f"[{family.capitalize()}](indicators/{family}.md)", ", ".join(columns)))
    return _table(("family", "columns"), rows)


def _family(family: str) -> str:
    rows = [row for indicator in CATALOGUE if indicator.family == family for row in _rows(indicator)]
    titles = ("column", "unit", "warm-up", "memory", "meaning", "inputs", "source", "no value in a flat window")
    return _table(titles, rows)


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
    for path in (OVERVIEW, *FAMILY_PAGES.values()):
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
