"""Readies the server of a deployment for its services: ``python -m include.warehouse.deployment``.

After the migrations it makes the logins of the pipeline, Grafana and Airflow, and Airflow's own database.
Their passwords come from the environment; running it again sets them anew, so that a password is changed by
changing the variable.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from include.settings import load_settings
from include.warehouse.connection import WarehouseUnreachableError
from include.warehouse.logins import allow_role, ensure_database, ensure_login

PIPELINE_PASSWORD = "KRXW_PIPELINE_DB_PASSWORD"  # noqa: S105  # the variable's name
GRAFANA_PASSWORD = "KRXW_GRAFANA_DB_PASSWORD"  # noqa: S105
AIRFLOW_PASSWORD = "KRXW_AIRFLOW_DB_PASSWORD"  # noqa: S105
REDIS_PASSWORD = "KRXW_REDIS_PASSWORD"  # noqa: S105

PIPELINE_LOGIN = "krxw_pipeline"
GRAFANA_LOGIN = "grafana_reader"
AIRFLOW_LOGIN = AIRFLOW_DATABASE = "airflow"

# Addresses with a password in them are put together by Compose, which cannot escape one.
_FIT_FOR_AN_ADDRESS = re.compile(r"[A-Za-z0-9._~-]+")


class UnfitPasswordError(ValueError):
    """A password is missing, or holds a character that means something else in an address."""


def ready_server(admin_dsn: str, environment: Mapping[str, str]) -> None:
    """Make the services' logins and Airflow's database on the server of the migrated warehouse ``admin_dsn``.

    Args:
        admin_dsn: the warehouse, as a superuser.
        environment: holds the passwords.

    Raises:
        UnfitPasswordError: before anything is changed; names the variable.
        WarehouseUnreachableError: the server does not answer.
    """
    pipeline, grafana, airflow, _ = (
        _password(environment, name) for name in (PIPELINE_PASSWORD, GRAFANA_PASSWORD, AIRFLOW_PASSWORD, REDIS_PASSWORD)
    )
    ensure_login(admin_dsn, PIPELINE_LOGIN, "etl", pipeline)
    allow_role(admin_dsn, PIPELINE_LOGIN, "analyst")
    ensure_login(admin_dsn, GRAFANA_LOGIN, "grafana", grafana)
    ensure_login(admin_dsn, AIRFLOW_LOGIN, None, airflow)
    ensure_database(admin_dsn, AIRFLOW_DATABASE, AIRFLOW_LOGIN)


def _password(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not _FIT_FOR_AN_ADDRESS.fullmatch(value):
        raise UnfitPasswordError(
            f"{name} is {'not set' if not value else 'no password that fits into an address'}: expected "
            "letters, digits and . _ ~ - only; .env.example says how to make one"
        )
    return value


def main() -> None:
    """Ready the server of ``KRXW_WAREHOUSE_DSN``."""
    try:
        ready_server(load_settings().warehouse_dsn, os.environ)
    except (UnfitPasswordError, WarehouseUnreachableError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
