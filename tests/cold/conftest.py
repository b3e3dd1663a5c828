"""A filled warehouse and its cold storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.settings import Settings
from tests.warehouse.bars import load, made_up_bars


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Settings of a warehouse that holds three years of made-up bars; cold storage is empty."""
    load(settings.warehouse_dsn, made_up_bars())
    return settings


@pytest.fixture
def cold(settings: Settings) -> Path:
    """The folder of the dataset in cold storage."""
    return settings.home / "cold" / "dataset=daily_bar"
