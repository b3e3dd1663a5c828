"""The table of ``docs/signals.md``, from the catalogue.

``python -m include.signals.page`` writes it into the page, between its marks.
"""

from __future__ import annotations

from include.settings import PROJECT_ROOT
from include.signals.catalogue import CATALOGUE
from include.signals.strategy import Strategy

PAGE = PROJECT_ROOT / "docs" / "signals.md"
_MARK, _END = "<!-- strategies: generated -->", "<!-- end of strategies -->"
_TITLES = ("strategy", "side", "signal when", "strength, from 0 to 100", "memory", "source")


def with_tables(page: str) -> str:
    """``page`` with its table as the catalogue has it today."""
    before, after = page.split(_MARK)[0], page.split(_END)[1]
    families = dict.fromkeys(strategy.family for strategy in CATALOGUE)
    tables = "\n".join(
        f"### {family[0].upper()}{family[1:]}\n\n{_table([each for each in CATALOGUE if each.family == family])}"
        for family in families
    )
    return f"{before}{_MARK}\n\n{tables}\n{_END}{after}"


def _table(strategies: list[Strategy]) -> str:
    rows = [_TITLES, ("---",) * len(_TITLES), *map(_row, strategies)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(strategy: Strategy) -> tuple[str, ...]:
    stop = f"; stop {strategy.stop_loss_pct:g}% below the entry" if strategy.stop_loss_pct else ""
    return (
        f"`{strategy.name}`",
        strategy.side,
        f"{strategy.words}{stop}",
        strategy.strength_in_words,
        str(strategy.memory),
        strategy.source,
    )


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
