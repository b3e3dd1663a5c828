"""The page about faults, written from what a run of all of them found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from include.datasets.registry import dataset_named
from tests.faults.expected import AS_WITHOUT, CASES, MEANINGLESS, NOT_TOLD, PAIRS, Case, Pair, expected

Found = Mapping[tuple[Pair, Case], str]

_HEAD = """\
# Faults

What comes of every fault a source can show, for every dataset. This page is written by
`tests/faults/test_every_fault.py`, which shows them all to the real pipeline, and fails where it finds something else
than the page says (`KRXW_WRITE_FAULT_TABLE=1` makes it write the page anew).

Each source is asked for one session, in a warehouse that holds the session before, while the fault lasts. Any outcome
but the two below means: a typed exception, an open alarm, the session not loaded, and not one row of it in the table.
A run then asks the dataset's next source, and the runs of the next ten sessions ask for the session again.

- **loaded**: the fault left no trace in what is read; the rows are those of the answer without it.
- **taken for true**: nothing tells the answer from a true one; rows of it are in the table until another answer
  corrects them. The note says when.
- `-`: the fault means nothing at the source. KRX Open API, Naver and Yahoo have no login that could end, and the
  exchange's portal always writes numbers with separators.

## The faults
"""
_PER_DATASET = """
## By dataset

The columns are the sources in their order of trust; `source endpoint` is a source with the fault at that endpoint only,
which is asked after another one.
"""


def render(found: Found) -> str:
    """The whole page."""
    notes = _Notes()
    tables = [_section(dataset, found, notes) for dataset in dict.fromkeys(pair.dataset for pair in PAIRS)]
    return "\n".join([_HEAD, *_faults(), _PER_DATASET, *tables, "## Notes\n", *notes.lines(), ""])


class _Notes:
    """Reasons, numbered in the order they are first given."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, reason: str | None) -> str:
        """A link to the reason, if there is one."""
        if reason is None:
            return ""
        number = self._numbers.setdefault(reason, len(self._numbers) + 1)
        return f" [{number}](#notes)"

    def lines(self) -> list[str]:
        """All reasons."""
        return [f"{number}. {reason}" for reason, number in self._numbers.items()]


def _faults() -> Iterator[str]:
    yield from _table(["fault", "what happens", "outcome, where nothing else is said below"])
    for case in CASES:
        yield f"| `{case.name}` | {case.meaning} | {_shown(case.outcome)} |"


def _section(dataset: str, found: Found, notes: _Notes) -> str:
    pairs = [pair for pair in PAIRS if pair.dataset == dataset]
    lines = [f"### `{dataset}`: {dataset_named(dataset).title}\n", *_table(["fault", *(pair.name for pair in pairs)])]
    for case in CASES:
        cells = []
        for pair in pairs:
            outcome = found[pair, case]
            reason = None if outcome == MEANINGLESS else expected(pair, case)[1]
            cells.append(_shown(outcome) + notes.mark(reason))
        lines.append(f"| `{case.name}` | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _table(heads: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]


def _shown(outcome: str) -> str:
    return f"**{outcome}**" if outcome in (AS_WITHOUT, NOT_TOLD) else outcome.replace("_", " ")
