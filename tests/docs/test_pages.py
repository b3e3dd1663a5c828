"""Every link leads somewhere, and nothing in the documentation is of one machine."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from include.settings import PROJECT_ROOT
from tests.docs.pages import PAGES, links

_MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:work|root|home|Users)/")


def _id(page: Path) -> str:
    return str(page.relative_to(PROJECT_ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if parts.fragment:
            assert parts.fragment in _anchors(target), f"{page.name} links to {link}, and there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_no_page_holds_a_path_of_one_machine(page: Path) -> None:
    assert _MACHINE_PATH.search(page.read_text(encoding="utf-8")) is None


def test_the_index_lists_every_page_of_the_docs() -> None:
    docs = PROJECT_ROOT / "docs"
    listed = {(docs / link).resolve() for link in links(docs / "README.md") if not urlsplit(link).scheme}
    assert {page for page in PAGES if docs in page.parents} - listed == {docs / "README.md"}


def test_every_setting_the_code_reads_is_explained_to_the_operator() -> None:
    read = set()
    for folder in ("include", "plugins", "dags", "tools"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            read |= set(re.findall(r"\bKRXW_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    for name in (".env.example", "docker-compose.yaml"):
        read |= set(re.findall(r"\bKRXW_[A-Z_]*[A-Z]\b", (PROJECT_ROOT / name).read_text(encoding="utf-8")))
    explained = (PROJECT_ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    assert sorted(name for name in read if name not in explained) == []


def _anchors(page: Path) -> set[str]:
    """The anchors GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
