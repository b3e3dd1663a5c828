"""One source of one dataset, to be asked for a session by a warehouse that holds the session before."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date, datetime, time
from typing import Any

import psycopg

from include.datasets.registry import Dataset, dataset_named
from include.market.calendar import KST
from include.pipeline.ingest import ingest_session, ingest_snapshot
from include.settings import Settings
from include.simulator.servers.faults import ANY_ENDPOINT, Fault, FaultKind
from include.simulator.sources import SimulatedSources
from tests.faults.clock import Clock
from tests.faults.conftest import Warehouses
from tests.faults.expected import Case, Pair

BEFORE, SESSION = date(2025, 6, 26), date(2025, 6, 27)
SNAPSHOT = "intraday_snapshot"
_TICK = datetime.combine(SESSION, time(11), KST)

Rows = list[tuple[Any, ...]]


class Place:
    """``pair`` with copies of a warehouse, one after the other."""

    def __init__(
        self,
        pair: Pair,
        warehouses: Warehouses,
        session_before: Settings,
        environment: dict[str, str],
        sources: SimulatedSources,
        clock: Clock,
    ) -> None:
        self.pair = pair
        self.server = sources.servers[pair.source]
        self._sources = sources
        self._warehouses = warehouses
        self._session_before = session_before
        self._environment = environment
        self._clock = clock
        self._open = ExitStack()
        self.settings = self._open.enter_context(warehouses(session_before))

    def close(self) -> None:
        """Drop the warehouse."""
        self._open.close()

    def renew(self) -> None:
        """A new copy of the warehouse in place of this one."""
        self._open.close()
        self.settings = self._open.enter_context(self._warehouses(self._session_before))

    @property
    def dataset(self) -> Dataset:
        """The dataset."""
        return dataset_named(self.pair.dataset)

    def ingest(self, case: Case | None = None) -> None:
        """Take in the session from the source, which has the fault of ``case``, and from none after it.

        Raises:
            CollectionOutcome: as ``ingest_session``.
        """
        if case:
            self.server.faults.add(case.fault(self.pair.endpoint))
        try:
            if self.pair.dataset == SNAPSHOT:
                self._snapshot(case)
            else:
                self._clock.set_morning_after(SESSION)
                ingest_session(self.settings, self.pair.dataset, SESSION, self.pair.source, self._environment)
        finally:
            for server in self._sources.servers.values():
                server.faults.clear()
            self.execute("DELETE FROM ops.source_breaker")

    def rows(self) -> Rows:
        """All rows of the dataset, in order of its key."""
        columns = ", ".join(f'"{name}"' for name in self.dataset.column_names)
        return self.fetch(f"SELECT {columns} FROM {self.dataset.table} ORDER BY {', '.join(self.dataset.key)}")

    def rows_of_session(self) -> Rows:
        """Those of the session."""
        place = self.dataset.column_names.index(self.dataset.session_column)
        return [row for row in self.rows() if row[place] == SESSION]

    def refusals(self) -> Rows:
        """Kinds of the session's open alarms that the source's last batch opened, and whether it counts as loaded."""
        return self.fetch(
            "SELECT kind, EXISTS (SELECT FROM ops.session_outcome AS known WHERE known.outcome = 'loaded' "
            "AND known.dataset = alarm.dataset AND known.session = alarm.session) FROM ops.alarm "
            "WHERE dataset = %s AND session = %s AND closed_at IS NULL AND batch_id = ("
            "SELECT max(batch_id) FROM ops.batch WHERE batch.dataset = alarm.dataset AND source = %s)",
            self.pair.dataset,
            SESSION,
            self.pair.source,
        )

    def fetch(self, query: str, *parameters: Any) -> Rows:
        """The rows of a query."""
        with psycopg.connect(self.settings.warehouse_dsn) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def execute(self, statement: str) -> None:
        """Run a statement."""
        with psycopg.connect(self.settings.warehouse_dsn) as connection:
            connection.execute(statement.encode())

    def _snapshot(self, case: Case | None) -> None:
        """Quotes come from the first source that has any: those before have no key here, those after fail otherwise."""
        self._clock.set(_TICK)
        order = self.dataset.sources
        place = order.index(self.pair.source)
        hidden = {f"KRXW_{source.upper()}_APP_KEY" for source in order[:place]}
        otherwise = FaultKind.HTTP_500 if case and case.kind is FaultKind.HTTP_429 else FaultKind.HTTP_429
        for source in order[place + 1 :]:
            self._sources.servers[source].faults.add(Fault(ANY_ENDPOINT, otherwise))
        environment = {name: value for name, value in self._environment.items() if name not in hidden}
        ingest_snapshot(self.settings, _TICK, environment)
