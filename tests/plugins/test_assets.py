from __future__ import annotations

import subprocess
import sys

import pytest

from include.datasets.registry import datasets
from include.settings import PROJECT_ROOT
from krxw_airflow.assets import dataset_asset, dataset_names


def test_every_dataset_of_the_registry_is_an_asset() -> None:
    assert dataset_names() == tuple(sorted(datasets()))
    for name in datasets():
        asset = dataset_asset(name)
        assert asset.name == name
        assert asset.uri == f"krxw://warehouse/market/{name}"


def test_an_unknown_dataset_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match="no dataset is called 'daily_bars'; there are: daily_bar"):
        dataset_asset("daily_bars")


def test_assets_are_known_without_arrow() -> None:
    code = (
        "import sys; from krxw_airflow.assets import dataset_names; assert dataset_names(); "
        "assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT_ROOT)
