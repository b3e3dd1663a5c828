"""docker-compose.yaml: what every service keeps to, and what Compose itself makes of the file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from include.settings import PROJECT_ROOT

Compose = Callable[..., "subprocess.CompletedProcess[str]"]

ONE_MACHINE = {
    "timescaledb",
    "init",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "grafana",
}
SCALED = ONE_MACHINE | {"airflow-worker", "redis"}

_SECRET = re.compile(r"PASSWORD|SECRET|_KEY$|AUTH$")
_REFERENCE = re.compile(r"\$\{(\w+)(?::[?-][^}]*)?\}")
_REQUIRED = re.compile(r"(?<!\$)\$\{(\w+):\?([^}]*)\}")


def each(services: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: service.get(key) for name, service in services.items()}


def test_the_services_are_those_of_the_design(services: dict[str, Any]) -> None:
    assert set(services) == SCALED
    assert {name for name, service in services.items() if service.get("profiles")} == SCALED - ONE_MACHINE


def test_images_are_pinned_to_a_full_version(services: dict[str, Any]) -> None:
    unpinned = {
        name: image for name, image in each(services, "image").items() if not re.search(r":\d+\.\d+\.\d+(-|$)", image)
    }
    assert not unpinned


def test_no_image_names_a_registry(services: dict[str, Any]) -> None:
    assert not [image for image in each(services, "image").values() if "." in image.split("/")[0].split(":")[0]]


def test_every_service_runs_as_an_unprivileged_user(services: dict[str, Any]) -> None:
    for name, service in services.items():
        user = service.get("user", "root").split(":")[0]
        assert user not in ("root", "0"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "cap_add", "pid", "network_mode"} & set(service), name


def test_every_service_writes_only_where_it_is_meant_to(services: dict[str, Any]) -> None:
    assert all(each(services, "read_only").values())
    assert all("/tmp:mode=1777" in tmpfs for tmpfs in each(services, "tmpfs").values())  # noqa: S108


def test_every_lasting_service_has_a_health_check_and_comes_back(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name == "init":
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"]), name


def test_nothing_starts_before_the_database_is_ready(services: dict[str, Any]) -> None:
    for name in set(services) - {"timescaledb", "redis"}:
        waits = {other: on["condition"] for other, on in services[name]["depends_on"].items()}
        assert waits["timescaledb"] == "service_healthy", name
        assert name == "init" or waits["init"] == "service_completed_successfully", name


def test_every_service_is_bounded(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        assert {"max-size", "max-file"} <= set(service["logging"]["options"]), name


def test_data_is_kept_in_named_volumes(compose_file: dict[str, Any], services: dict[str, Any]) -> None:
    for name, service in services.items():
        for mount in service.get("volumes", []):
            source = re.sub(r"^\$\{\w+:-(\w+)\}", r"\1", mount).split(":")[0]
            assert source in compose_file["volumes"] or mount.endswith(":ro"), f"{name}: {mount}"


def test_ports_are_opened_on_this_machine_only_by_default(services: dict[str, Any]) -> None:
    ports = [port for opened in each(services, "ports").values() for port in opened or []]
    assert len(ports) == 3
    assert all(port.startswith("${KRXW_BIND_ADDRESS:-127.0.0.1}:") for port in ports)


def test_no_secret_is_written_down(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for variable, value in service["environment"].items():
            if _SECRET.search(variable):
                assert value is None or _REQUIRED.fullmatch(value), f"{name}: {variable}"
            written = _REFERENCE.sub("", str(value))
            assert not re.search(r"://[^/@]*:[^@/]+@", written), f"{name}: {variable}"


def test_no_secret_is_on_a_command_line(services: dict[str, Any]) -> None:
    """`$$NAME` is a variable of the shell inside; `${NAME}` would be written into the command."""
    for name, service in services.items():
        commands = f"{service.get('command')} {service.get('entrypoint')} {service.get('healthcheck')}"
        assert not re.search(r"(?<!\$)\$\{?\w", commands), name
        # Inside, only what is no command of its own sees a secret: a builtin, or text on standard input.
        for line in "\n".join(service.get("command", [])).splitlines():
            if re.search(r"\$\$\w*PASSWORD", line):
                assert re.match(r"(twice\(\) \{ printf|requirepass) ", line), f"{name}: {line}"


def test_a_missing_variable_is_named(compose_file: dict[str, Any]) -> None:
    messages = set(_REQUIRED.findall(str(compose_file)))
    assert messages
    assert all(message == f"set {name} in .env, see .env.example" for name, message in messages)


def test_the_example_documents_every_variable_and_no_other(
    compose_file: dict[str, Any], documented: Mapping[str, str]
) -> None:
    text = (PROJECT_ROOT / "docker-compose.yaml").read_text()
    passed_through = set(re.findall(r"^  ([A-Z][A-Z0-9_]*):$", text, re.MULTILINE))
    build_arguments = set(compose_file["x-airflow"]["build"]["args"])
    used = set(_REFERENCE.findall(text)) | passed_through | build_arguments | {"COMPOSE_PROFILES"}
    assert set(documented) == used


def test_the_example_has_no_default_password(documented: Mapping[str, str], required: set[str]) -> None:
    assert required <= set(documented)
    assert {name: documented[name] for name in required if documented[name]} == {}
    optional = {name for name in documented if _SECRET.search(name)} - required
    assert {name: documented[name] for name in optional if documented[name]} == {}
    assert {name for name in optional if not name.startswith("AWS_")} == {
        "KRXW_KRX_OPENAPI_KEY",
        "KRXW_KRX_PORTAL_PASSWORD",
        "KRXW_KIS_APP_KEY",
        "KRXW_KIS_APP_SECRET",
        "KRXW_KIWOOM_APP_KEY",
        "KRXW_KIWOOM_SECRET_KEY",
    }


def test_the_examples_defaults_are_those_of_the_file(documented: Mapping[str, str]) -> None:
    text = (PROJECT_ROOT / "docker-compose.yaml").read_text()
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    for folder in ("KRXW_MARCAP_FOLDER", "KRXW_SOURCE_FILES_FOLDER"):
        defaults.pop(folder)  # an empty volume
    assert defaults == {name: documented[name] for name in defaults}


def test_airflow_knows_every_setting_that_is_set(services: dict[str, Any], tmp_path: Path) -> None:
    """A misspelt or moved key is ignored by Airflow without a word."""
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    names = set(services["airflow-worker"]["environment"]) | set(re.findall(r"^ +(AIRFLOW__\w+)=", dockerfile, re.M))
    asked = sorted(name.split("__")[1:] for name in names if name.startswith("AIRFLOW__"))
    program = """if True:
        import json, sys
        from airflow.configuration import conf
        sections = conf.configuration_description
        known = {(section, key) for section in sections for key in sections[section]["options"]}
        asked = {(section.lower(), key.lower()) for section, key in json.loads(sys.argv[1])}
        print(json.dumps(sorted(asked - known)))
    """
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(asked)],
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(asked) > 10
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_compose_accepts_the_file(compose: Compose, filled_in: dict[str, str]) -> None:
    done = compose(filled_in, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
    resolved = json.loads(done.stdout)["services"]
    assert set(resolved) == ONE_MACHINE
    scheduler = resolved["airflow-scheduler"]["environment"]
    assert scheduler["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    for unset in ("KRXW_KRX_OPENAPI_KEY", "KRXW_KRX_PORTAL", "KRXW_SNAPSHOT_MINUTES"):
        assert scheduler[unset] is None, "not set at all, rather than empty"


def test_the_scale_profile_is_switched_on_by_the_environment(compose: Compose, filled_in: dict[str, str]) -> None:
    scaled = {"COMPOSE_PROFILES": "scale", "KRXW_AIRFLOW_EXECUTOR": "CeleryExecutor", "KRXW_WORKERS": "3"}
    resolved = json.loads(compose(filled_in | scaled, "config", "--format", "json").stdout)["services"]
    assert set(resolved) == SCALED
    assert resolved["airflow-worker"]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert resolved["airflow-worker"]["deploy"]["replicas"] == 3


def test_a_missing_secret_stops_the_start_and_is_named(
    compose: Compose, filled_in: dict[str, str], required: set[str]
) -> None:
    assert len(required) == 10
    for name in sorted(required):
        for absent in (filled_in | {name: ""}, {other: v for other, v in filled_in.items() if other != name}):
            done = compose(absent, "up", "--dry-run")
            assert done.returncode != 0
            assert f"set {name} in .env, see .env.example" in done.stderr
