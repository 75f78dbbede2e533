"""The broker's native zstd, unpacked once, so that a broker that starts on a full disk has it.

Left alone, the library unpacks itself into the temporary folder when a broker first needs it, in
each of its lives. Where that fails the broker lives on without: every compressed record is
refused until somebody starts it again, long after the disk has room.
"""

import platform
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_FOLDER: Final = "native"
_MACHINES: Final = {
    ("linux", "x86_64"): "linux/amd64",
    ("linux", "aarch64"): "linux/aarch64",
    ("darwin", "x86_64"): "darwin/x86_64",
    ("darwin", "arm64"): "darwin/aarch64",
}
"""As the jar names them. Elsewhere the library unpacks itself."""


def unpack(directory: Path, jars: Sequence[Path]) -> None:
    """Put this machine's library below `directory`, unless it is there."""
    for jar, member in _libraries(jars):
        path = directory / _FOLDER / Path(member).name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            fresh = path.with_suffix(".new")
            with zipfile.ZipFile(jar) as archive:
                fresh.write_bytes(archive.read(member))
            fresh.replace(path)  # whole or not there


def option(directory: Path, jars: Sequence[Path]) -> list[str]:
    """What tells Java where it is; nothing where it is not."""
    paths = [(directory / _FOLDER / Path(member).name).absolute() for _, member in _libraries(jars)]
    return [f"-DZstdNativePath={path}" for path in paths if path.exists()]


def _libraries(jars: Sequence[Path]) -> list[tuple[Path, str]]:
    """The jar that has it, and its name there."""
    system = platform.system().lower()
    machine = _MACHINES.get((system, platform.machine()))
    suffix = "dylib" if system == "darwin" else "so"
    return [
        (jar, f"{machine}/lib{jar.stem}.{suffix}")
        for jar in jars
        if machine and jar.name.startswith("zstd-jni-")
    ]
