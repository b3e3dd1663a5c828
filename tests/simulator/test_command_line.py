from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import requests
from typer.testing import CliRunner

from include.settings import PROJECT_ROOT
from include.simulator.__main__ import app

MARKET = ["--from", "2024-01-02", "--to", "2024-02-29", "--symbols", "20", "--seed", "3"]


def test_write_marcap(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["write-marcap", str(tmp_path), *MARKET, "--format", "parquet"])
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["marcap-2024.parquet"]
    assert "marcap-2024.parquet" in result.output.replace("\n", "")


def test_an_impossible_market_is_explained(tmp_path: Path) -> None:
    arguments = ["write-marcap", str(tmp_path), "--from", "1990-01-02", "--to", "2024-02-29"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "1997" in result.output


def test_serve_until_interrupted() -> None:
    command = [sys.executable, "-m", "include.simulator", "serve", *MARKET, "--latency", "0.01"]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            environment = {}
            for line in process.stdout:
                name, _, environment[name] = line.strip().partition("=")
                if {"KRXW_KRX_OPENAPI_URL", "KRXW_KRX_OPENAPI_KEY"} <= environment.keys():
                    break
            url = f"{environment['KRXW_KRX_OPENAPI_URL']}/svc/apis/sto/stk_bydd_trd"
            key = {"AUTH_KEY": environment["KRXW_KRX_OPENAPI_KEY"]}
            answer = requests.get(url, {"basDd": "20240103"}, headers=key, timeout=30)
            assert len(answer.json()["OutBlock_1"]) > 3
            assert answer.elapsed.total_seconds() >= 0.01
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
