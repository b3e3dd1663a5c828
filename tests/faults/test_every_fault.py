"""Every fault of every source, for every dataset: the right typed outcome, and never a row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest

from include.datasets.registry import datasets
from include.outcomes import CollectionOutcome
from include.pipeline.ingest import ingest_session
from include.settings import PROJECT_ROOT, Settings
from include.simulator.servers.faults import FaultKind
from include.simulator.sources import SimulatedSources
from include.simulator.world import World
from tests.faults.clock import Clock
from tests.faults.conftest import Warehouses
from tests.faults.expected import AS_WITHOUT, CASES, MEANINGLESS, NOT_TOLD, PAIRS, Case, Pair, expected
from tests.faults.page import render
from tests.faults.place import BEFORE, SESSION, Place, Rows

PAGE = PROJECT_ROOT / "docs" / "faults.md"
ASKED = 10


@pytest.fixture(scope="module")
def session_before(
    warehouses: Warehouses, environment: dict[str, str], clock: Clock, world: World
) -> Iterator[Settings]:
    """A warehouse that holds the session before of the datasets that are measured against it.

    It knows and watches a dozen issues, among them some that go ex-dividend: for those sources that answer symbol by
    symbol are asked.
    """
    measured = [name for name, dataset in datasets().items() if dataset.coverage and name != "daily_bar"]
    payers = world.table("dividend", SESSION)["symbol"].to_pylist()
    symbols = sorted({*payers, *world.table("daily_bar", SESSION)["symbol"].to_pylist()[:ASKED]})
    clock.set_morning_after(BEFORE)
    with warehouses() as settings:
        for dataset in ("daily_bar", *measured):
            ingest_session(settings, dataset, BEFORE, environment=environment)
        with psycopg.connect(settings.warehouse_dsn) as connection:
            connection.execute("DELETE FROM market.instrument WHERE symbol <> ALL (%s)", [symbols])
            connection.execute("INSERT INTO ops.watched_symbol (symbol) SELECT unnest(%s::text[])", [symbols])
        yield settings


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest,
    warehouses: Warehouses,
    session_before: Settings,
    environment: dict[str, str],
    sources: SimulatedSources,
    clock: Clock,
) -> Iterator[Place]:
    """A pair's place."""
    opened = Place(request.param, warehouses, session_before, environment, sources, clock)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def unspoilt(place: Place) -> Rows:
    """The rows of the dataset when its source has no fault."""
    place.ingest()
    rows = place.rows()
    place.renew()
    return rows


@pytest.fixture(scope="module")
def found() -> dict[tuple[Pair, Case], str]:
    """The outcomes of all pairs and cases so far."""
    return {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
@pytest.mark.parametrize("place", PAIRS, indirect=True, ids=lambda pair: f"{pair.dataset}-{pair.name}")
def test_fault(
    place: Place,
    unspoilt: Rows,
    case: Case,
    found: dict[tuple[Pair, Case], str],
    hurried: Callable[[], None],
) -> None:
    if case.kind in place.server.impossible:
        found[place.pair, case] = MEANINGLESS
        return
    if case.slow:
        hurried()
    outcome = found[place.pair, case] = tried(place, case, unspoilt)
    assert outcome == expected(place.pair, case)[0]


def tried(place: Place, case: Case, unspoilt: Rows) -> str:
    """What comes of the fault. A typed outcome leaves no row of the session and is in the ledger, with an alarm."""
    try:
        place.ingest(case)
    except CollectionOutcome as failure:
        outcome = failure.outcome
    else:
        outcome = AS_WITHOUT if place.rows() == unspoilt else NOT_TOLD
        place.renew()
        return outcome
    assert place.rows_of_session() == []
    assert place.refusals() == [(outcome, False)]
    return outcome


@pytest.mark.parametrize("place", [Pair("investor_flow", "krx_portal")], indirect=True, ids=lambda pair: pair.dataset)
def test_one_row_twice_among_hundreds_is_a_slip(place: Place, unspoilt: Rows) -> None:
    place.renew()  # other faults left rows in quarantine
    place.ingest(Case("slip", FaultKind.DUPLICATE_ROWS, "One row of one answer twice", AS_WITHOUT, {"times": 1}))
    assert place.rows() == unspoilt
    assert place.fetch("SELECT rule, released_by IS NOT NULL FROM ops.quarantine") == [("duplicate_row", True)]


def test_the_page_is_what_was_found(found: dict[tuple[Pair, Case], str]) -> None:
    if len(found) < len(PAIRS) * len(CASES):
        pytest.skip("docs/faults.md is made of all faults of all datasets, and not all of them were tried")
    page = render(found)
    if os.environ.get("KRXW_WRITE_FAULT_TABLE") == "1":
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "docs/faults.md is not what was found: KRXW_WRITE_FAULT_TABLE=1 rewrites it"
