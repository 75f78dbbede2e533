"""An archive of Kafka's classes, which Java maps at a start instead of reading each from its jar.

    python -m runhistory.stack.kafka_archive     # make it, if there is none yet

Made once for these jars and this Java, beside the jars, by starting a broker of no use and
writing down what it loads. A supervisor does that in the background once its stack is ready, at
the lowest priority. Nothing needs the archive: where there is none (or the folder cannot be
written), where it is damaged or made for another Java, Kafka starts without it, only slower.

Killed at any moment, it leaves a folder that the next attempt removes; an archive appears by a
rename, whole. Two that make it at once: the second leaves it to the first.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from runhistory.stack.kafka_broker import KafkaBroker, archive_of, command, java, prepare
from runhistory.stack.kafka_jars import ensure_jars
from runhistory.stack.ports import HOST

_START_SECONDS: Final = 300.0  # at the lowest priority
_STOP_SECONDS: Final = 60.0
_KEPT: Final = 3  # archives of other Javas, 65 MB each: several environments share a cache
_BEING_MADE: Final = ".archive-"


class ArchiveFailed(Exception):
    """It could not be made; the message says what failed."""


def ensure_archive(jars: Sequence[Path]) -> Path | None:
    """Make the archive unless it is there; None when another process is just making it.

    Takes some ten seconds of CPU time.

    Raises:
        ArchiveFailed: a broker did not start, or Java did not write the archive.
        OSError: the folder of the jars cannot be written.
    """
    archive = archive_of(jars)
    if archive.exists():
        return archive
    with _hold(archive.parent) as held:
        if not held:
            return None
        for left_behind in archive.parent.glob(f"{_BEING_MADE}*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_BEING_MADE, dir=archive.parent) as directory:
            fresh = _dump(Path(directory), jars)
            _sync(fresh)
            fresh.rename(archive)
        _forget_all_but_the_newest(archive.parent)
    return archive


def _dump(directory: Path, jars: Sequence[Path]) -> Path:
    classes, archive = directory / "classes.txt", directory / "archive.jsa"
    broker = KafkaBroker(directory / "kafka", *_free_ports())
    prepare(broker, jars)
    _note_classes(broker, jars, classes)
    flags = ["-Xshare:dump", f"-XX:SharedClassListFile={classes}"]
    done = subprocess.run(
        java(jars, [*flags, f"-XX:SharedArchiveFile={archive}"]),
        cwd=broker.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 or not archive.exists():
        raise ArchiveFailed(f"Java wrote no archive:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return archive


def _note_classes(broker: KafkaBroker, jars: Sequence[Path], classes: Path) -> None:
    """Start the broker and stop it again; Java writes the list when it ends."""
    program, *arguments = command(broker, jars)
    process = subprocess.Popen(
        [program, f"-XX:DumpLoadedClassList={classes}", *arguments],
        cwd=broker.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(broker.port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ArchiveFailed("The broker that shows which classes it loads did not start.")
            time.sleep(0.1)
        process.terminate()
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ArchiveFailed("The broker does not end.") from error
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=5):
        return True
    return False


def _free_ports() -> tuple[int, int]:
    """Of the kernel's choice. Taken by another in between, they cost this attempt, no more."""
    with socket.socket() as one, socket.socket() as other:
        one.bind((HOST, 0))
        other.bind((HOST, 0))
        return one.getsockname()[1], other.getsockname()[1]


@contextlib.contextmanager
def _hold(cache: Path) -> Iterator[bool]:
    with (cache / ".archive.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _forget_all_but_the_newest(cache: Path) -> None:
    """A broker that has one of them mapped keeps it."""
    archives = sorted(cache.glob("*.jsa"), key=lambda path: path.stat().st_mtime)
    for old in archives[:-_KEPT]:
        old.unlink()


def main() -> None:
    """Make it; the exit code tells whether there is one now."""
    os.nice(19)
    try:
        archive = ensure_archive(ensure_jars())
    except (ArchiveFailed, OSError) as error:
        sys.exit(f"No archive of Kafka's classes, so Kafka starts more slowly: {error}")
    print(archive or "another process is making it")


if __name__ == "__main__":
    main()
