"""Kafka's jars: exactly those of the checked-in list, each with its SHA-256.

`kafka_jars.txt` is a lock file, one line for each jar: digest and Maven coordinate. So a start
neither walks a dependency graph nor trusts what a registry says today: a jar is fetched by its
coordinate, checked, and only then moved into the cache, where it is checked again at each
start. No Maven and no Java take part.

    python -m runhistory.stack.kafka_jars      # write the list anew (a new version of Kafka)
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

KAFKA_VERSION: Final = "4.4.0"
_ENDPOINT: Final = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka logs through slf4j; without this binding everything it has to say is thrown away.
_LOG_BINDING: Final = ("org.apache.logging.log4j", "log4j-slf4j-impl")
_LIST: Final = Path(__file__).with_name("kafka_jars.txt")
_TRIES: Final = 4

Progress = Callable[[int, int], None]
"""Called with the number of jars that are there, and of all."""


class JarRefused(Exception):
    """A jar could not be had, or is not the one in the list."""


@dataclass(frozen=True)
class Jar:
    """One line of the list."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def filename(self) -> str:
        """As Maven names it."""
        return f"{self.artifact}-{self.version}.jar"


def listed_jars() -> tuple[Jar, ...]:
    """The checked-in list."""
    lines = [line.split() for line in _LIST.read_text("utf-8").splitlines() if line[:1] != "#"]
    return tuple(Jar(digest, *coordinate.split(":")) for digest, coordinate in lines)


def cache_directory() -> Path:
    """Where checked jars are kept for all stacks of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "runhistory" / f"kafka-{KAFKA_VERSION}"


def ensure_jars(progress: Progress | None = None, cache: Path | None = None) -> list[Path]:
    """Every jar of the list, checked; what is missing is downloaded (45 MB in all).

    Raises:
        JarRefused: a jar cannot be downloaded, or its content is not what the list says.
    """
    cache = cache or cache_directory()
    jars = listed_jars()
    missing = [jar for jar in jars if not (cache / jar.filename).exists()]
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        _download_all(missing, cache, len(jars), progress)
    for jar in jars:
        _check(jar, cache / jar.filename, "Delete the file and start again")
    return [cache / jar.filename for jar in jars]


def _check(jar: Jar, path: Path, advice: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise JarRefused(
            f"{path} is not the {jar.filename} that runhistory was tested with. Its SHA-256 is "
            f"{found}, expected {jar.sha256}. {advice}; if that brings the same, "
            "do not trust where it comes from."
        )


def _download_all(jars: list[Jar], cache: Path, total: int, progress: Progress | None) -> None:
    done = total - len(jars)
    # The staging folder lies in the cache, so that a checked jar appears by a rename: whole or not.
    with (
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as staging,
        ThreadPoolExecutor(4) as pool,
    ):
        for _ in pool.map(lambda jar: _download(jar, Path(staging), cache), jars):
            done += 1
            if progress is not None:
                progress(done, total)


def _download(jar: Jar, staging: Path, cache: Path) -> None:
    for tried in range(1, _TRIES + 1):
        try:
            path = _fetch(jar, staging / str(tried))
            break
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
            if tried == _TRIES:
                raise JarRefused(
                    f"Kafka's {jar.filename} could not be downloaded: {error}. The first start "
                    f"needs Maven Central; later ones use {cache}."
                ) from error
            time.sleep(2**tried)
    _check(jar, path, "It was downloaded just now and has been thrown away: try again")
    path.replace(cache / jar.filename)


def _fetch(jar: Jar, directory: Path) -> Path:
    path: Path = (
        _maven(directory)
        .project(jar.group, jar.artifact)
        .at_version(jar.version)
        .artifact()
        .resolve()
    )
    return path


def _maven(directory: Path) -> Any:
    """Maven Central, after the repositories (mirrors, say) of the user's own jgo settings."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    return MavenContext(repo_cache=directory, remote_repos=repositories, timeout=60)


def _write_list() -> None:
    import jgo

    found = [(a.groupId, a.artifactId, a.version) for a in jgo.resolve(_ENDPOINT)]
    log4j = next(version for _, name, version in found if name == "log4j-core")
    lines = []
    with tempfile.TemporaryDirectory() as staging:
        for group, artifact, version in sorted([*found, (*_LOG_BINDING, log4j)]):
            path = _fetch(Jar("", group, artifact, version), Path(staging))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{digest}  {group}:{artifact}:{version}")
    header = "# Written by `python -m runhistory.stack.kafka_jars`; read before you trust a change."
    _LIST.write_text("\n".join([header, *lines]) + "\n", "utf-8")


if __name__ == "__main__":
    _write_list()
