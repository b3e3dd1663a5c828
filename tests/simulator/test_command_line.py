from __future__ import annotations

import re
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
    command = [sys.executable, "-m", "include.simulator", "serve", *MARKET, "--auth-key", "key"]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            url = f"{found.group()}/svc/apis/sto/stk_bydd_trd"
            answer = requests.get(url, {"basDd": "20240103"}, headers={"AUTH_KEY": "key"}, timeout=30)
            assert len(answer.json()["OutBlock_1"]) > 3
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
