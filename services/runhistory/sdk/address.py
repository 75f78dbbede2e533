"""Where the gateway is: an argument, `.runhistory/config.json`, the environment, the default."""

import ipaddress
import os
import shlex
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from runhistory.domain.values import Workspace as WorkspaceName
from runhistory.sdk.errors import InvalidConfig

DEFAULT_URL: Final = "http://127.0.0.1:8780"
DEFAULT_WORKSPACE: Final = "default"
CONFIG_FILE: Final = Path(".runhistory") / "config.json"


class Address(msgspec.Struct, frozen=True):
    """A gateway's URL and the workspace there; `origin` says who named them, which is `file`
    when a config.json did."""

    url: str = DEFAULT_URL
    workspace: str = DEFAULT_WORKSPACE
    token: str | None = None
    origin: str = "the default"
    file: Path | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidConfig(
                f"{self.url!r} (from {self.origin}) is no address of a gateway; "
                f"it has the form {DEFAULT_URL}."
            )
        try:
            msgspec.convert(self.workspace, WorkspaceName)
        except msgspec.ValidationError:
            raise InvalidConfig(
                f"{self.workspace!r} (from {self.origin}) cannot name a workspace: 1 to 63 of "
                "letters, digits and `_.-`, beginning with a letter or digit."
            ) from None

    @property
    def is_loopback(self) -> bool:
        """Whether the gateway is on this machine, where no proxy may stand between."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def advice(self) -> str:
        """What to do when nobody answers there: to start it, or to name another address."""
        if self.file is None:
            return (
                "Start runhistory there with `runhistory up`, or name another address in "
                "RUNHISTORY_URL."
            )
        folder = shlex.quote(str(self.file.parent))
        return (
            f"Start runhistory there with `runhistory up --data {folder}`, or remove {self.file} "
            "to use another address: it goes before RUNHISTORY_URL."
        )

    def page(self, path: str) -> str:
        """The address of a page of this workspace in the studio."""
        return f"{self.url}/w/{self.workspace}/{path}"


def find_address(path: str | os.PathLike[str] | None = None) -> Address:
    """The address by `.runhistory/config.json` from `path` (or here) upwards, then the environment.

    `path` may name the file itself, or a folder to begin in.

    Raises:
        InvalidConfig: `path` names nothing, or the file cannot be read as what it should be.
    """
    if path is not None and not Path(path).exists():
        raise InvalidConfig(f"{path} does not exist; it should be a config.json or a folder.")
    if path is not None and Path(path).is_file():
        return _from_file(Path(path))
    start = Path(path if path is not None else ".").resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_FILE).is_file():
            return _from_file(folder / CONFIG_FILE)
    return from_environment()


def from_environment() -> Address:
    """The address by RUNHISTORY_URL, RUNHISTORY_WORKSPACE and RUNHISTORY_TOKEN, each optional."""
    url = os.environ.get("RUNHISTORY_URL")
    return Address(
        url=(url or DEFAULT_URL).rstrip("/"),
        workspace=os.environ.get("RUNHISTORY_WORKSPACE") or DEFAULT_WORKSPACE,
        token=os.environ.get("RUNHISTORY_TOKEN") or None,
        origin="RUNHISTORY_URL" if url else "the default",
    )


def given_address(url: str | None, name: str | None, token: str | None) -> Address:
    """The address by what a program says; what it does not say, by the environment."""
    found = from_environment()
    return Address(
        url=url.rstrip("/") if url else found.url,
        workspace=name or (DEFAULT_WORKSPACE if url else found.workspace),
        token=token or found.token,
        origin="Workspace(url=…)" if url else found.origin,
    )


def _from_file(path: Path) -> Address:
    try:
        content: Any = msgspec.json.decode(path.read_bytes())
        url = content["url"]
        rest = [content.get("workspace", DEFAULT_WORKSPACE), content.get("token")]
    except (OSError, msgspec.DecodeError, AttributeError, KeyError, TypeError) as error:
        raise InvalidConfig(
            f"{path} cannot be used ({error!r}). It should read "
            f'{{"url": "{DEFAULT_URL}", "workspace": "{DEFAULT_WORKSPACE}"}}.'
        ) from error
    if not all(isinstance(value, str | None) for value in (url, *rest)):
        raise InvalidConfig(f"url, workspace and token in {path} must be strings.")
    return Address(
        url=url.rstrip("/"),
        workspace=rest[0],
        token=rest[1] or os.environ.get("RUNHISTORY_TOKEN") or None,
        origin=str(path),
        file=path,
    )
