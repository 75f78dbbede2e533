"""Kafka's jars: those of the list and no others."""

import hashlib
import re
from pathlib import Path

import pytest

from runhistory.stack import kafka_jars
from runhistory.stack.kafka_jars import Jar, JarRefused, ensure_jars, listed_jars


def test_the_list_names_kafka_and_the_binding_of_its_log() -> None:
    jars = {jar.artifact: jar for jar in listed_jars()}

    assert jars["kafka_2.13"].version == kafka_jars.KAFKA_VERSION
    assert "log4j-slf4j-impl" in jars
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars.values())
    assert len({jar.filename for jar in jars.values()}) == len(jars)


@pytest.fixture
def one_jar(monkeypatch: pytest.MonkeyPatch) -> Jar:
    """A list with one jar, whose content is `right`."""
    digest = hashlib.sha256(b"right").hexdigest()
    jar = Jar(digest, "org.example", "thing", "1.0")
    monkeypatch.setattr(kafka_jars, "listed_jars", lambda: (jar,))
    monkeypatch.setattr(kafka_jars.time, "sleep", lambda _: None)
    return jar


def _registry(monkeypatch: pytest.MonkeyPatch, *answers: bytes | Exception) -> list[Path]:
    """Stands for the network: each download gives the next answer."""
    asked: list[Path] = []

    def fetch(jar: Jar, directory: Path) -> Path:
        answer = answers[len(asked)]
        asked.append(directory)
        if isinstance(answer, Exception):
            raise answer
        directory.mkdir(parents=True, exist_ok=True)
        (directory / jar.filename).write_bytes(answer)
        return directory / jar.filename

    monkeypatch.setattr(kafka_jars, "_fetch", fetch)
    return asked


def test_a_missing_jar_is_fetched_once(
    one_jar: Jar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = _registry(monkeypatch, ConnectionError("reset"), b"right")
    told: list[tuple[int, int]] = []

    paths = ensure_jars(lambda done, total: told.append((done, total)), cache=tmp_path)
    again = ensure_jars(cache=tmp_path)

    assert paths == again == [tmp_path / "thing-1.0.jar"]
    assert told == [(1, 1)]
    assert len(asked) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thing-1.0.jar"]


def test_a_jar_with_another_content_never_reaches_the_cache(
    one_jar: Jar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _registry(monkeypatch, b"evil")

    with pytest.raises(JarRefused, match=f"expected {one_jar.sha256}. It was downloaded"):
        ensure_jars(cache=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_jar_that_changed_in_the_cache_is_refused(one_jar: Jar, tmp_path: Path) -> None:
    (tmp_path / one_jar.filename).write_bytes(b"evil")

    with pytest.raises(JarRefused, match="Delete the file"):
        ensure_jars(cache=tmp_path)


def test_no_network_is_said_so(
    one_jar: Jar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _registry(monkeypatch, *[ConnectionError("unreachable")] * 9)

    with pytest.raises(JarRefused, match="could not be downloaded: unreachable"):
        ensure_jars(cache=tmp_path)
