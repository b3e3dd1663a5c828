"""The datasets as Airflow assets. A session is a partition, its ISO date the key.

The registry itself imports Arrow, which no DAG file may do while it is parsed. So names come from the
names of its modules; ``tests/plugins/test_assets.py`` holds them against the registry.
"""

from __future__ import annotations

import pkgutil
from functools import cache

from airflow.sdk import Asset

import include.datasets


@cache
def dataset_names() -> tuple[str, ...]:
    """Names of the registry's datasets, in alphabetical order."""
    modules = (module.name for module in pkgutil.iter_modules(include.datasets.__path__))
    return tuple(sorted(name for name in modules if name != "registry"))


@cache
def dataset_asset(dataset: str) -> Asset:
    """The asset of ``dataset``.

    Raises:
        LookupError: the registry has no such dataset.
    """
    if dataset not in dataset_names():
        raise LookupError(f"no dataset is called {dataset!r}; there are: {', '.join(dataset_names())}")
    return Asset(name=dataset, uri=f"krxw://warehouse/market/{dataset}")


@cache
def corporate_action_asset() -> Asset:
    """Corporate actions and the factors that follow; an event's ``symbols`` are those whose factors changed."""
    return Asset(name="corporate_action", uri="krxw://warehouse/market/corporate_action")


@cache
def indicator_asset() -> Asset:
    """The indicators; an event's ``symbols`` says how many issues were written, ``since`` from which session on."""
    return Asset(name="indicator", uri="krxw://warehouse/derived/indicator")


@cache
def signal_asset() -> Asset:
    """Signals of strategies."""
    return Asset(name="signal", uri="krxw://warehouse/derived/signal")


@cache
def paper_book_asset() -> Asset:
    """The paper books, as far as they were taken."""
    return Asset(name="paper_book", uri="krxw://warehouse/derived/paper_book")
