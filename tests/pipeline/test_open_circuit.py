"""A source that dies while it is asked: its circuit opens, a person is told, and no worker goes on asking."""

from __future__ import annotations

from datetime import date

import pytest

from include.crawlers.limits.circuit_breaker import FAILURES
from include.outcomes import SourceDown
from include.pipeline.ingest import ingest_session
from include.settings import Settings
from include.warehouse.connection import connect
from tests.crawlers.scripted_server import Answer, ScriptedServer

SESSION = date(2023, 3, 15)


def test_a_dead_source_is_reported_and_left_alone(settings: Settings) -> None:
    _fail_other_workers(settings, FAILURES - 1)
    with ScriptedServer(Answer(500)) as server:
        environment = {"KRXW_KRX_OPENAPI_URL": server.url, "KRXW_KRX_OPENAPI_KEY": "a-key"}
        for _ in range(2):
            with pytest.raises(SourceDown, match="tried again from"):
                ingest_session(settings, "daily_bar", SESSION, "krx_openapi", environment)
        assert len(server.asked) == 1
    with connect(settings.warehouse_dsn, "grafana") as connection:
        alarms = connection.execute(
            "SELECT dataset, session, message FROM ops.alarm WHERE kind = 'circuit_open' AND closed_at IS NULL"
        ).fetchall()
        calls = connection.execute("SELECT source, calls FROM mart.source_budget").fetchall()
    [(dataset, session, message)] = alarms
    assert (dataset, session) == ("daily_bar", SESSION)
    assert "answered 500" in message
    assert calls == [("krx_openapi", 1)]


def _fail_other_workers(settings: Settings, times: int) -> None:
    with connect(settings.warehouse_dsn, "etl") as connection:
        connection.execute("INSERT INTO ops.source_breaker (source, failures) VALUES ('krx_openapi', %s)", [times])
