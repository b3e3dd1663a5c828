"""The warehouse as a Grafana data source: its reference, and the queries panels send to it."""

from __future__ import annotations

import textwrap
from typing import Literal

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

# As provisioning/datasources/warehouse.yaml declares it.
WAREHOUSE = DataSourceRef(type_val="grafana-postgresql-datasource", uid="krx-warehouse")

# Grafana's bounds are instants. They become days of the exchange before they meet `session`, so that the
# planner reads the chunks of these days only.
IN_RANGE = (
    "session BETWEEN ($__timeFrom()::timestamptz AT TIME ZONE 'Asia/Seoul')::date\n"
    "            AND ($__timeTo()::timestamptz AT TIME ZONE 'Asia/Seoul')::date"
)

# A session is drawn at its midnight in Seoul, whatever the viewer's time zone.
SESSION_TIME = "session::timestamp AT TIME ZONE 'Asia/Seoul' AS time"

QueryFormat = Literal["table", "time_series"]


class SqlQuery(Builder[Dataquery], Dataquery):
    """A query in Grafana's own model of its PostgreSQL data source.

    As ``time_series`` its first column is ``time``, in ascending order; with a text column ``metric`` and one
    value, each value of ``metric`` is a series. Panels have one query each.
    """

    def __init__(self, sql: str, format_as: QueryFormat = "table") -> None:
        self.sql = textwrap.dedent(sql).strip()
        self.format_as = format_as

    def build(self) -> Dataquery:
        """Itself: nothing is left to fill in."""
        return self

    def to_json(self) -> dict[str, object]:
        """The query as Grafana stores it."""
        return {
            "refId": "A",
            "datasource": WAREHOUSE,
            "editorMode": "code",
            "format": self.format_as,
            "rawQuery": True,
            "rawSql": self.sql,
        }
