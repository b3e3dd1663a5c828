"""Writes the dashboards as the JSON Grafana is provisioned with: ``python -m include.grafana.build``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from include.grafana.krx_market import krx_market

FOLDER = Path(__file__).resolve().parent / "dashboards"


def dashboard_files() -> Mapping[str, str]:
    """The files' text by name."""
    encoder = JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False)
    return {"krx_market.json": encoder.encode(krx_market()) + "\n"}


def main() -> None:
    """Write every dashboard into ``dashboards/``."""
    for name, text in dashboard_files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
