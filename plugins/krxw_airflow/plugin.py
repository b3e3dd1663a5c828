"""What Airflow loads: the registration of this package."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from krxw_airflow.timetable import SessionTimetable


class KrxWarehousePlugin(AirflowPlugin):
    """Makes the timetable known, so that the scheduler can read it back from a serialised DAG."""

    name = "krx_warehouse"
    timetables = [SessionTimetable]  # noqa: RUF012
