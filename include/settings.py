"""Where things are: the settings every part of the warehouse reads, from the environment only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
WAREHOUSE_DSN_FILE = "warehouse.dsn"


class NoWarehouseError(RuntimeError):
    """No warehouse is configured and none runs locally."""


@dataclass(frozen=True)
class Settings:
    """Locations and addresses.

    ``home`` holds all local state. ``landing_url`` and ``cold_url`` are filesystem URLs as
    ``pyarrow.fs`` reads them (``file://`` or ``s3://``).
    """

    home: Path
    landing_url: str
    cold_url: str
    dsn: str | None

    @property
    def reports(self) -> Path:
        """The folder of the data-quality reports and other pages written for people."""
        return self.home / "reports"

    @property
    def warehouse_dsn(self) -> str:
        """The warehouse's connection string (libpq URI).

        Raises:
            NoWarehouseError: neither ``KRXW_WAREHOUSE_DSN`` is set nor a local platform was started.
        """
        if self.dsn:
            return self.dsn
        local = self.home / WAREHOUSE_DSN_FILE
        if not local.is_file():
            raise NoWarehouseError(
                f"no warehouse: KRXW_WAREHOUSE_DSN is not set and no local platform was started under "
                f"{self.home}. Run `make up` (or `krxw up`), or set KRXW_WAREHOUSE_DSN."
            )
        return local.read_text().strip()


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of ``environment``; what is not set is under ``.krxw/`` in the project."""
    home = Path(environment.get("KRXW_HOME", PROJECT_ROOT / ".krxw")).resolve()
    return Settings(
        home=home,
        landing_url=environment.get("KRXW_LANDING_URL", (home / "landing").as_uri()),
        cold_url=environment.get("KRXW_COLD_URL", (home / "cold").as_uri()),
        dsn=environment.get("KRXW_WAREHOUSE_DSN") or None,
    )
