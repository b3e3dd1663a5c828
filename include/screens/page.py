"""The table of columns in ``docs/screens.md``.

``python -m include.screens.page`` writes it into the page, between its marks.
"""

from __future__ import annotations

from include.screens.columns import COLUMNS
from include.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "screens.md"
_MARK, _END = "<!-- columns: generated -->", "<!-- end of columns -->"


def with_columns(page: str) -> str:
    """``page`` with its table as the columns are today."""
    lines = ["| column | unit | values | meaning |", "| --- | --- | --- | --- |"]
    for column in COLUMNS.values():
        lines.append(f"| `{column.name}` | {column.unit or 'text'} | {column.range} | {column.meaning} |")
    before, after = page.split(_MARK)[0], page.split(_END)[1]
    table = "\n".join(lines)
    return f"{before}{_MARK}\n\n{table}\n\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_columns(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
