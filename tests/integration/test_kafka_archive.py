"""The archive of Kafka's classes: made once and whole, and never needed."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runhistory.stack.kafka_archive import ensure_archive
from runhistory.stack.kafka_broker import KafkaBroker, archive_of, command, java, prepare
from runhistory.stack.kafka_jars import ensure_jars

pytestmark = pytest.mark.infrastructure


@pytest.fixture(scope="module")
def jars(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Kafka's jars in a cache of the test's own, which has no archive yet."""
    cache = tmp_path_factory.mktemp("cache é")
    for jar in ensure_jars():
        (cache / jar.name).write_bytes(jar.read_bytes())
    return [cache / jar.name for jar in ensure_jars()]


@pytest.fixture(scope="module")
def archive(jars: list[Path]) -> Path:
    """Made where an attempt that was killed has left its folder."""
    left_behind = jars[0].parent / ".archive-killed"
    (left_behind / "kafka").mkdir(parents=True)
    made = ensure_archive(jars)
    assert made is not None
    assert not left_behind.exists()
    return made


def _says(jars: Sequence[Path], options: list[str]) -> str:
    done = subprocess.run(
        [*java(jars, options), "-version"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _options(jars: list[Path], tmp_path: Path) -> list[str]:
    """What the broker's command says about the archive."""
    line = command(KafkaBroker(tmp_path, 1, 2), jars)
    return [word for word in line if "Shared" in word or word.startswith("-Xlog")]


def test_java_takes_its_classes_from_the_archive(
    jars: list[Path], archive: Path, tmp_path: Path
) -> None:
    options = _options(jars, tmp_path)

    assert f"-XX:SharedArchiveFile={archive}" in options
    assert "sharing" in _says(jars, options)
    assert not list(jars[0].parent.glob(".archive-*"))


def test_what_is_there_is_not_made_again(jars: list[Path], archive: Path) -> None:
    before = archive.stat()

    assert ensure_archive(jars) == archive

    assert archive.stat().st_mtime_ns == before.st_mtime_ns


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _damage(path: Path) -> None:
    with path.open("r+b") as file:
        for place in range(2_000_000, 12_000_000, 1_000):
            file.seek(place)
            file.write(b"\xa5\x5a")


def _empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("spoil", [_cut, _damage, _empty, Path.unlink])
def test_java_goes_on_silently_without_an_archive_that_is_spoilt(
    spoil: Callable[[Path], None], jars: list[Path], archive: Path, tmp_path: Path
) -> None:
    whole, options = archive.read_bytes(), _options(jars, tmp_path)
    try:
        spoil(archive)

        said = _says(jars, options)
    finally:
        archive.write_bytes(whole)

    assert "sharing" not in said
    assert not [line for line in said.splitlines() if line.startswith("[")], said


def test_other_jars_have_an_archive_of_their_own(jars: list[Path], archive: Path) -> None:
    before = jars[0].stat()
    os.utime(jars[0], (1, 1))
    try:
        assert archive_of(jars) != archive
    finally:
        os.utime(jars[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert archive_of(jars) == archive


def test_while_one_makes_it_another_leaves_it_to_that_one(
    jars: list[Path], archive: Path, tmp_path: Path
) -> None:
    aside = archive.rename(tmp_path / "aside")
    try:
        with (jars[0].parent / ".archive.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert ensure_archive(jars) is None
        assert not archive.exists()
    finally:
        aside.rename(archive)


def test_a_broker_without_an_archive_is_formatted_all_the_same(
    jars: list[Path], archive: Path, tmp_path: Path
) -> None:
    whole = archive.read_bytes()
    _damage(archive)
    try:
        prepare(KafkaBroker(tmp_path / "kafka", 1, 2), jars)
    finally:
        archive.write_bytes(whole)

    assert "cluster.id=" in (tmp_path / "kafka" / "log" / "meta.properties").read_text()
