"""The pages of the indicators have every column, its picture, and tables that are the catalogue's."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.indicators.catalogue import CATALOGUE, COLUMNS
from include.indicators.page import FAMILIES, FAMILY_PAGES, OVERVIEW, with_tables
from tests.docs.pages import links
from tests.indicators.markets import market
from tools.draw_indicators import FLAT_PICTURE, FOLDER, PICTURES, draw

PAGES = [OVERVIEW, *FAMILY_PAGES.values()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_tables_are_up_to_date(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert with_tables(page) == page, "run: python -m include.indicators.page"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_of_a_family_has_a_row_and_a_picture_of_each_of_its_columns(family: str) -> None:
    path = FAMILY_PAGES[family]
    page = path.read_text(encoding="utf-8")
    shown = {(path.parent / link).resolve() for link in links(path) if link.endswith(".svg")}
    for indicator in CATALOGUE:
        if indicator.family == family:
            for column in indicator.columns:
                assert f"| `{column.name}` |" in page
                drawn = [name for name, picture in PICTURES.items() if column.name in picture.columns]
                assert drawn, f"no picture shows {column.name}"
                assert {FOLDER / f"{name}.svg" for name in drawn} <= shown, column.name


def test_every_picture_is_drawn_of_columns_there_are_and_none_is_left_over() -> None:
    there = {column.name for column in COLUMNS}
    for picture in PICTURES.values():
        assert set(picture.columns) <= there
    assert {path.stem for path in FOLDER.glob("*.svg")} == {*PICTURES, FLAT_PICTURE}


def test_the_same_bars_give_the_same_picture_without_a_date() -> None:
    panel = market(4, (300,))
    for name in ("bollinger", "macd", "volume_ratio"):
        first = draw(panel, PICTURES[name])
        assert first == draw(panel, PICTURES[name])
        assert "<dc:date>" not in first
        assert "warm-up" in first
