"""The exact code of a run as a zip archive, with modes and links."""

import stat
import tempfile
import zipfile
from pathlib import Path

from runhistory.sdk.download import download
from runhistory.sdk.errors import RunHistoryError
from runhistory.sdk.http import Connection
from runhistory.snapshots.manifest import Directory, File, InvalidManifest, Link, Manifest


def read_manifest(connection: Connection, snapshot_id: str) -> Manifest:
    """The snapshot's manifest.

    Raises:
        NotFound: there is no such snapshot.
        RunHistoryError: what the gateway sent is not its manifest.
    """
    data = connection.request("GET", f"/snapshots/{snapshot_id}").content
    try:
        manifest = Manifest.decode(data)
    except InvalidManifest as error:
        raise RunHistoryError(f"Snapshot {snapshot_id} is damaged: {error}") from error
    if manifest.snapshot_id != snapshot_id:
        raise RunHistoryError(f"Snapshot {snapshot_id} is damaged: this is another's manifest.")
    return manifest


def restore_as_zip(connection: Connection, snapshot_id: str, folder: Path) -> Path:
    """Write `<snapshot id>.zip` into the folder; returns its path.

    Raises:
        NotFound: there is no such snapshot.
        RunHistoryError: the gateway does not answer, or sends other bytes than were kept.
    """
    manifest = read_manifest(connection, snapshot_id)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{snapshot_id}.zip"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as work:
        partial = Path(work) / "snapshot.zip"
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in manifest.entries:
                _add(archive, entry, connection, Path(work) / "blob")
        partial.replace(target)
    return target


def _add(
    archive: zipfile.ZipFile, entry: File | Link | Directory, connection: Connection, blob: Path
) -> None:
    if isinstance(entry, Directory):
        archive.writestr(_info(entry.path + "/", stat.S_IFDIR | entry.mode), b"")
    elif isinstance(entry, Link):
        archive.writestr(_info(entry.path, stat.S_IFLNK | 0o777), entry.target.encode())
    else:
        download(connection, f"/blobs/{entry.sha256}", blob, sha256=entry.sha256)
        info = _info(entry.path, stat.S_IFREG | entry.mode)
        info.file_size = entry.size
        with blob.open("rb") as source, archive.open(info, "w") as sink:
            while piece := source.read(1_048_576):
                sink.write(piece)


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # the earliest time a zip knows: the same snapshot, the same zip
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, so that the mode is understood
    info.external_attr = mode << 16
    return info
