"""The dashboards as files: kept up to date, provisioned, legible, and without a secret."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.grafana.build import FOLDER, dashboard_files
from include.grafana.source import WAREHOUSE

PROVISIONING = FOLDER.parent / "provisioning"
PANELS = [
    panel for text in dashboard_files().values() for panel in json.loads(text)["panels"] if panel["type"] != "row"
]
every_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


def test_the_files_are_what_the_code_builds() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert kept == dict(dashboard_files()), "run `python -m include.grafana.build`"


@every_panel
def test_a_panel_explains_itself_and_says_its_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]


@every_panel
def test_a_panel_asks_the_provisioned_data_source(panel: dict[str, Any]) -> None:
    reference = {"type": WAREHOUSE.type_val, "uid": WAREHOUSE.uid}
    assert panel["datasource"] == reference
    assert [target["datasource"] for target in panel["targets"]] == [reference]


def test_panels_do_not_overlap_and_fit_the_grid() -> None:
    for text in dashboard_files().values():
        places = [panel["gridPos"] for panel in json.loads(text)["panels"]]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_panels_are_told_apart_by_their_numbers() -> None:
    for text in dashboard_files().values():
        numbers = [panel["id"] for panel in json.loads(text)["panels"]]
        assert len(set(numbers)) == len(numbers)


def test_the_data_source_is_the_panels_and_holds_no_secret() -> None:
    provisioned = yaml.safe_load((PROVISIONING / "datasources" / "warehouse.yaml").read_text())
    (source,) = provisioned["datasources"]
    assert (source["type"], source["uid"]) == (WAREHOUSE.type_val, WAREHOUSE.uid)
    assert source["jsonData"]["timescaledb"] is True
    assert source["secureJsonData"] == {"password": "$KRXW_GRAFANA_DB_PASSWORD"}
    assert source["editable"] is False


def test_the_dashboards_are_provisioned_from_the_folder_compose_mounts() -> None:
    root = Path(__file__).resolve().parents[2]
    provider = yaml.safe_load((PROVISIONING / "dashboards" / "krx.yaml").read_text())["providers"][0]
    grafana = yaml.safe_load((root / "docker-compose.yaml").read_text())["services"]["grafana"]
    mounts = {target: source for source, target, _ in (mount.split(":") for mount in grafana["volumes"][1:])}
    assert (root / mounts[provider["options"]["path"]]).resolve() == FOLDER
    assert (root / mounts["/etc/grafana/provisioning"]).resolve() == PROVISIONING
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.removeprefix(provider["options"]["path"] + "/") in dashboard_files()
