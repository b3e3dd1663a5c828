"""Credentials of sources kept as Airflow connections, in the form the crawlers read: environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

# Connection ``krxw_<source>``: which of its fields is which variable.
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "krx_openapi": {"host": "KRXW_KRX_OPENAPI_URL", "password": "KRXW_KRX_OPENAPI_KEY"},
    "krx_portal": {
        "host": "KRXW_KRX_PORTAL_URL",
        "login": "KRXW_KRX_PORTAL_ID",
        "password": "KRXW_KRX_PORTAL_PASSWORD",
    },
    "kis": {
        "host": "KRXW_KIS_URL",
        "schema": "KRXW_KIS_ENVIRONMENT",
        "login": "KRXW_KIS_APP_KEY",
        "password": "KRXW_KIS_APP_SECRET",
    },
    "kiwoom": {
        "host": "KRXW_KIWOOM_URL",
        "schema": "KRXW_KIWOOM_ENVIRONMENT",
        "login": "KRXW_KIWOOM_APP_KEY",
        "password": "KRXW_KIWOOM_SECRET_KEY",
    },
}
# Whoever made the connection wants the source asked.
_OPT_IN: Mapping[str, Mapping[str, str]] = {"krx_portal": {"KRXW_KRX_PORTAL": "1"}}


def source_environment(sources: Sequence[str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """``environment`` with what the connections of ``sources`` say; a connection goes before a variable.

    To be called in a task: connections are asked of Airflow's API.
    """
    merged = dict(environment)
    for source in sources:
        connection = _connection(source)
        if connection is not None:
            merged |= _OPT_IN.get(source, {})
            values = {variable: getattr(connection, field) for field, variable in _FIELDS[source].items()}
            merged |= {variable: value for variable, value in values.items() if value}
    return merged


def _connection(source: str) -> Connection | None:
    if source not in _FIELDS:
        return None
    try:
        connection: Connection = Connection.get(f"krxw_{source}")
    except AirflowNotFoundException:
        return None
    return connection
