"""Reads the documentation: its pages, the links in them, and the blocks a reader is meant to run.

A fenced block with ``run`` after its language is run by the tests, in the order of its page. ``text output`` right
after it is what it printed, to the letter but for spaces at the ends of lines. ``sh run background`` is left running;
SQL goes to psql with the address the page has put into ``DSN``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from include.settings import PROJECT_ROOT

PAGES = (
    PROJECT_ROOT / "README.md",
    PROJECT_ROOT / "CHANGELOG.md",
    *sorted((PROJECT_ROOT / "docs").rglob("*.md")),
)
_OUTPUT = ["text", "output"]


@dataclass(frozen=True)
class Block:
    """A block to run: its language (sh, sql or python), its first line in the page, and what it should print."""

    language: str
    line: int
    text: str
    background: bool
    output: str | None


def runnable_blocks(page: Path) -> list[Block]:
    """The blocks of ``page`` that are to be run, in order."""
    fences = [token for token in _tokens(page) if token.type == "fence"]
    return [
        _block(fence, following) for fence, following in zip_longest(fences, fences[1:]) if "run" in fence.info.split()
    ]


def _block(fence: Token, following: Token | None) -> Block:
    assert fence.map is not None
    language, *marks = fence.info.split()
    has_output = following is not None and following.info.split() == _OUTPUT
    return Block(
        language=language,
        line=fence.map[0] + 1,
        text=fence.content,
        background="background" in marks,
        output=following.content if following is not None and has_output else None,
    )


def links(page: Path) -> Iterator[str]:
    """Where the links and images of ``page`` lead, as written."""
    for token in _tokens(page):
        for part in token.children or ():
            target = part.attrGet("href") if part.type == "link_open" else part.attrGet("src")
            if target is not None:
                yield str(target)


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
