"""What is landed is kept byte for byte, under a name that tells if a byte is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.crawlers.source import RawBody
from include.pipeline.landing import LandingDamagedError, LandingError, LandingZone

NOON, LATER = datetime(2024, 1, 2, 12, tzinfo=UTC), datetime(2024, 1, 3, 12, tzinfo=UTC)


def _body(content: bytes, at: datetime = NOON, suffix: str = ".json") -> RawBody:
    return RawBody(content, {"basDd": "20240102"}, at, suffix)


@given(content=st.binary(max_size=2000), suffix=st.sampled_from([".json", ".csv.gz", ".parquet"]))
def test_any_bytes_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    zone = LandingZone(tmp_path_factory.mktemp("landing").as_uri())
    landed = zone.land("daily_bar", "somewhere", _body(content, suffix=suffix))
    assert zone.read(landed.key).body == _body(content, suffix=suffix)


def test_the_same_answer_to_the_same_question_keeps_its_first_manifest(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path.as_uri())
    first = zone.land("daily_bar", "somewhere", _body(b"{}"))
    again = zone.land("daily_bar", "somewhere", _body(b"{}", LATER))
    assert (again.key, again.body.fetched_at) == (first.key, NOON)


def test_an_answer_that_comes_back_is_another_fetch(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path.as_uri())
    moments = [NOON, LATER, LATER + (LATER - NOON)]
    said = list(zip([b"{}", b"[]", b"{}"], moments, strict=True))
    keys = [zone.land("daily_bar", "somewhere", _body(content, at)).key for content, at in said]
    assert sorted(keys) == keys
    assert [(body.content, body.fetched_at) for body in (zone.read(key).body for key in keys)] == said
    assert zone.land("daily_bar", "somewhere", _body(b"{}", moments[-1] + (LATER - NOON))).key == keys[-1]


def test_another_answer_is_kept_beside_the_first(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path.as_uri())
    keys = {zone.land("daily_bar", "somewhere", _body(content)).key for content in (b"{}", b"[]")}
    assert {zone.read(key).body.content for key in keys} == {b"{}", b"[]"}


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_damage_is_found(tmp_path: Path, damage) -> None:
    zone = LandingZone(tmp_path.as_uri())
    key = zone.land("daily_bar", "somewhere", _body(b"{}")).key
    [content] = [path for path in tmp_path.rglob("bodies/*/*") if path.is_file()]
    damage(content)
    with pytest.raises(LandingDamagedError, match=content.name):
        zone.read(key)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_behind(tiny_disk: Path) -> None:
    zone = LandingZone(tiny_disk.as_uri())
    with pytest.raises(LandingError, match=r"disk is full.*KRXW_LANDING_URL"):
        zone.land("daily_bar", "somewhere", _body(os.urandom(200_000)))
    assert [path for path in tiny_disk.rglob("*") if path.is_file()] == []
