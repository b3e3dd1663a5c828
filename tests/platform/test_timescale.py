from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from include.platform import apt, timescale
from include.platform.apt import AptError, ForeignRelease
from include.platform.postgres import Engine, PostgresServer
from include.platform.timescale import TimescaleUnavailableError, timescale_engine

DEBIAN = {"ID": "debian", "VERSION_CODENAME": "bookworm", "PRETTY_NAME": "Debian 12"}


def test_a_hypertable_takes_rows_and_upserts(timescale_server: PostgresServer) -> None:
    dsn = timescale_server.create_database("hypertable")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        assert connection.execute("SHOW timescaledb.license").fetchone() == ("apache",)
        connection.execute("CREATE TABLE bar (symbol text, session date, close int, UNIQUE (symbol, session))")
        connection.execute("SELECT create_hypertable('bar', by_range('session', interval '1 year'))")
        for close in (1, 2):
            connection.execute(
                "INSERT INTO bar SELECT '005930', '2010-01-01'::date + n * 400, %s"
                " FROM generate_series(0, 9) n"
                " ON CONFLICT (symbol, session) DO UPDATE SET close = excluded.close",
                [close],
            )
        assert connection.execute("SELECT count(*), min(close) FROM bar").fetchone() == (10, 2)
        chunks = connection.execute("SELECT count(*) FROM show_chunks('bar')").fetchone()
        assert chunks is not None
        assert chunks[0] > 5
        assert connection.execute("SHOW timescaledb.telemetry_level").fetchone() == ("off",)
    timescale_server.drop_database("hypertable")


def test_a_built_tree_is_used_again(timescaledb_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(timescale, "ForeignRelease", never)
    cache = timescaledb_engine.binaries.parents[4].parent
    assert timescale_engine(cache) == timescaledb_engine


def test_a_build_that_fails_leaves_no_tree(open_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack_half(_: ForeignRelease, __: object, tree: Path) -> None:
        (tree / "usr").mkdir()
        raise AptError("the connection broke")

    monkeypatch.setattr(ForeignRelease, "__init__", lambda *_: None)
    monkeypatch.setattr(ForeignRelease, "closure", lambda *_: ["libc6"])
    monkeypatch.setattr(ForeignRelease, "unpack", unpack_half)
    with pytest.raises(TimescaleUnavailableError, match=r"the connection broke\n.*KRXW_WAREHOUSE_DSN"):
        timescale_engine(open_tmp / "cache")
    assert not list((open_tmp / "cache").iterdir())


def test_without_apt_the_missing_program_is_named(open_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(TimescaleUnavailableError, match="apt-get is not on this machine"):
        timescale_engine(open_tmp / "cache")


def test_another_distribution_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    release = {"ID": "fedora", "PRETTY_NAME": "Fedora Linux 43"}
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    with pytest.raises(AptError, match="Fedora Linux 43, not Debian"):
        apt._sources("trixie")


def test_the_mirrors_are_those_this_machine_is_configured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = """\
'https://other.example/linux/dists/bookworm/InRelease' other 0
'https://other.example/linux/dists/bookworm/stable/binary-amd64/Packages.xz' other 0
'http://mirror.example/debian/dists/bookworm/InRelease' mirror 0
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' mirror 0
'http://mirror.example/debian/dists/bookworm-updates/main/binary-amd64/Packages.xz' mirror 0
'http://security.example/debian-security/dists/bookworm-security/main/binary-amd64/Packages.xz' mirror 0
"""
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: DEBIAN)
    monkeypatch.setattr(apt, "_run", lambda _: listed)
    lines = [line.split("]")[-1].split() for line in apt._sources("trixie").splitlines()]
    assert [line[-3:] for line in lines] == [
        ["http://mirror.example/debian", "trixie", "main"],
        ["http://security.example/debian-security", "trixie-security", "main"],
    ]


def test_a_machine_without_a_mirror_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: DEBIAN)
    monkeypatch.setattr(apt, "_run", lambda _: "")
    with pytest.raises(AptError, match="names no mirror of bookworm main"):
        apt._sources("trixie")


@pytest.mark.parametrize(
    ("said", "explanation"),
    [
        ("E: Failed to fetch http://mirror.example/x  Could not connect", "cannot be reached"),
        ("E: Unable to locate package postgresql-17-timescaledb", "does not carry the package"),
        ("W: GPG error: the following signatures ... NO_PUBKEY 0123", "key is unknown"),
        ("E: You don't have enough free space in /x.", "the disk is full"),
    ],
)
def test_a_failure_of_apt_is_explained(said: str, explanation: str) -> None:
    assert explanation in apt._explanation("apt-get", said)
