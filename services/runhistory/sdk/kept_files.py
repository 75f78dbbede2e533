"""A run's files and code on their way up and down.

What is needed for downloads alone is imported there: it would slow every import of the SDK.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from runhistory.sdk.errors import InvalidRequest, NotFound
from runhistory.sdk.limits import file_name
from runhistory.sdk.run_client import RunClient

LOG_FOLDERS: Final = ("logs/", "user_logs/")
CONSOLE: Final = "user_logs/std_log.txt"
NAMES_SHOWN: Final = 20


def content_of(name: str, path_or_stream: str | Path | IO[bytes]) -> Callable[[], IO[bytes]]:
    """What is to be kept under `name`: the file at a path, or what a stream still has. Opens the
    bytes at their beginning each time it is called.

    Raises:
        InvalidRequest: the name climbs out, or there is no file to read.
    """
    file_name(name)
    if isinstance(path_or_stream, str | Path):
        path = Path(path_or_stream)
        try:
            path.open("rb").close()
        except OSError as error:
            raise InvalidRequest(f"{str(path)!r} cannot be read: {error.strerror}.") from error
        return lambda: path.open("rb")
    content: bytes | str = path_or_stream.read()
    data = content.encode() if isinstance(content, str) else content
    return lambda: io.BytesIO(data)


def download_one(client: RunClient, name: str, output_file_path: str | Path | None) -> None:
    """Write a kept file to a path, into a folder, or here under its last name.

    Raises:
        NotFound: the run has no such file.
    """
    from runhistory.sdk.download import download

    last = file_name(name).rpartition("/")[2]
    target = Path(last if output_file_path is None else output_file_path)
    if target.is_dir():
        target /= last
    download(client.connection, client.file_path(name), target)


def files_below(folder: Path) -> list[str]:
    """The paths of all files below a folder, relative to it and with forward slashes, sorted.

    Raises:
        InvalidRequest: there is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"{str(folder)!r} is no folder.")
    found = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    if not found:
        raise InvalidRequest(f"There is no file in {str(folder)!r}.")
    return found


def download_some(
    client: RunClient,
    prefix: str,
    folder: Path,
    paths: Sequence[Path] | None,
    *,
    append_prefix: bool,
) -> None:
    """Write all kept files whose names begin with `prefix` to `paths`, or below `folder`.

    Raises:
        NotFound: there is none.
        InvalidRequest: `paths` are not as many.
    """
    from runhistory.sdk.download import download

    there = sorted(file["name"] for file in client.files())
    names = [file_name(name) for name in there if name.startswith(prefix)]
    if not names:
        raise NotFound(
            f"Run {client.run_id} kept no file that begins with {prefix!r}.",
            code="file_not_found",
            details={"files": there[:NAMES_SHOWN]},
        )
    if paths is not None and len(paths) != len(names):
        raise InvalidRequest(f"There are {len(names)} files and {len(paths)} output_paths.")
    for number, name in enumerate(names):
        rest = name if append_prefix else name.removeprefix(prefix).lstrip("/")
        target = folder / (rest or name.rpartition("/")[2]) if paths is None else paths[number]
        download(client.connection, client.file_path(name), target)


def log_texts(client: RunClient) -> dict[str, str]:
    """The text of each log by its name, in memory."""
    with TemporaryDirectory() as folder:
        below = Path(folder)
        return {
            Path(path).relative_to(below).as_posix(): Path(path).read_text("utf-8", "replace")
            for path in download_logs(client, below)
        }


def download_logs(client: RunClient, destination: Path) -> list[str]:
    """Write the console and all files under `logs/` below `destination`; returns their paths.

    The console of a run that is still going, or that kept no console file, is what has come so far.
    """
    from runhistory.sdk.download import download

    written = []
    names = {file_name(file["name"]) for file in client.files()}
    for name in sorted(name for name in names if name.startswith(LOG_FOLDERS)):
        download(client.connection, client.file_path(name), destination / name)
        written.append(str(destination / name))
    if CONSOLE not in names:
        written.append(str(_write_console(client, destination / CONSOLE)))
    return written


def _write_console(client: RunClient, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    lines, cursor = client.lines()
    with target.open("w", encoding="utf-8") as file:
        while lines:
            file.writelines(f"{line['line']}\n" for line in lines if line["stream"] != "system")
            lines, cursor = client.lines(cursor)
    return target


def restore(client: RunClient, snapshot_id: str | None, folder: Path) -> str:
    """Write a snapshot as a zip into a folder; returns its path.

    Raises:
        NotFound: the run has no snapshot, or there is none with this id.
    """
    if snapshot_id is None:
        raise NotFound(
            f"Run {client.run_id} has no snapshot: it was not submitted, but logged by a process.",
            code="snapshot_not_found",
        )
    from runhistory.sdk.restore import restore_as_zip

    return str(restore_as_zip(client.connection, snapshot_id, folder))
