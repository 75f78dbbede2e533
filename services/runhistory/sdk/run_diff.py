"""What two runs have different: code, packages, call, environment, git facts, results.

`compare` works on values that were read before; `diff` reads them. Only what differs is in a
RunDiff.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from runhistory.environments.lock import Lock
from runhistory.sdk.code_diff import FileChange, ReadBlob, compare_code
from runhistory.sdk.errors import InvalidRequest
from runhistory.snapshots.manifest import Manifest

if TYPE_CHECKING:
    from runhistory.sdk.http import Connection
    from runhistory.sdk.run_client import RunClient
    from runhistory.sdk.run_facts import RunFacts

_GIT: Final = "git."


class Change(Struct, frozen=True):
    """A named value of the two runs; None where one has none of this name."""

    name: str
    old: str | None
    new: str | None


class RunDiff(Struct, frozen=True, kw_only=True):
    """What is different, from the run `old` to the run `new` (ids)."""

    old: str
    new: str
    code: tuple[FileChange, ...] = ()
    packages: tuple[Change, ...] = ()
    params: tuple[Change, ...] = ()
    call: tuple[Change, ...] = ()
    environment: tuple[Change, ...] = ()
    git: tuple[Change, ...] = ()
    tags: tuple[Change, ...] = ()
    metrics: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be compared, in words."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing that makes a run is different; results and tags do not count."""
        makes = (self.code, self.packages, self.params, self.call, self.environment, self.git)
        return not any(makes)


class Side(Struct, frozen=True, kw_only=True):
    """What was read of one run. `manifest` and `lock` are None where it has none."""

    details: dict[str, Any]
    manifest: Manifest | None
    lock: Lock | None
    metrics: dict[str, str] = {}


def diff(run_a: "RunFacts", run_b: "RunFacts", *, code: bool = True, rest: bool = True) -> RunDiff:
    """What the run `run_b` has different from `run_a`; only the code, or only the rest, if so said.

    Raises:
        NotFound: a run, or its snapshot, is gone.
        RunHistoryError: the gateway does not answer.
    """
    first, second = _client_of(run_a), _client_of(run_b)
    old = _read(first, code=code, rest=rest)
    new = _read(second, code=code, rest=rest)
    found = compare(old, new) if rest else RunDiff(old=first.run_id, new=second.run_id)
    if not code:
        return found
    if old.manifest is None or new.manifest is None:
        bare = [run.run_id for run, side in ((first, old), (second, new)) if not side.manifest]
        if not rest:
            raise InvalidRequest(f"Run {bare[0]} has no snapshot, so its code is not known.")
        without = tuple(f"The code: run {one} has no snapshot." for one in bare)
        return _replaced(found, unknown=(*found.unknown, *without))
    changes = compare_code(
        old.manifest, new.manifest, _blobs_of(first.connection), _blobs_of(second.connection)
    )
    return _replaced(found, code=changes)


def compare(old: Side, new: Side) -> RunDiff:
    """What is different but for the code."""
    without = [side.details["run_id"] for side in (old, new) if side.lock is None]
    return RunDiff(
        old=old.details["run_id"],
        new=new.details["run_id"],
        packages=_packages(old.lock, new.lock) if old.lock and new.lock else (),
        params=changes(old.details["params"], new.details["params"]),
        call=changes(_call(old.details), _call(new.details)),
        environment=changes(_environment(old.details), _environment(new.details)),
        git=changes(_git(old.details), _git(new.details)),
        tags=changes(old.details["tags"], new.details["tags"]),
        metrics=changes(old.metrics, new.metrics),
        unknown=tuple(f"The packages: run {one} has none on record." for one in without),
    )


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    """The names, sorted, whose values are not the same."""
    return tuple(
        Change(name, old.get(name), new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _packages(old: Lock, new: Lock) -> tuple[Change, ...]:
    """By version; and where that is the same, by what else says that they are not."""
    if old.sha256 == new.sha256:
        return ()
    found = list(changes(old.versions, new.versions))
    named = {change.name for change in found}
    after = {package.name: package for package in new.packages}
    for package in old.packages:
        other = after.get(package.name)
        if other is None or package.name in named:
            continue
        if package.hashes and other.hashes and not {*package.hashes} & {*other.hashes}:
            found.append(Change(package.name, f"{package.version} (other hashes)", other.version))
        elif package.contents and other.contents and package.contents != other.contents:
            found.append(Change(package.name, f"{package.version} (other files)", other.version))
    return tuple(sorted(found, key=lambda change: change.name))


def _call(details: dict[str, Any]) -> dict[str, str]:
    """What is called, with what, where."""
    from shlex import join

    spec = details.get("spec") or {}
    resources = spec.get("resources") or {}
    found = {
        "command": join(spec.get("command") or ()),
        "script": "" if spec.get("command") else spec.get("script") or "",
        "arguments": join(spec.get("arguments") or ()),
        "compute target": spec.get("compute_target") or "",
        "slots": str(resources.get("slots") or ""),
        "gpus": str(resources.get("gpus") or ""),
        "max duration": str(spec.get("max_duration_seconds") or ""),
    }
    return {name: value for name, value in found.items() if value}


def _environment(details: dict[str, Any]) -> dict[str, str]:
    recorded = details.get("environment") or {}
    given = ((details.get("spec") or {}).get("environment") or {}).get("variables") or {}
    names = ("python_version", "implementation", "platform", "machine")
    found = {name.replace("_", " "): recorded.get(name) or "" for name in names}
    found |= {f"variable {name}": value for name, value in given.items()}
    return {name: value for name, value in found.items() if value}


def _git(details: dict[str, Any]) -> dict[str, str]:
    return {n: v for n, v in details["properties"].items() if n.startswith(_GIT)}


def _read(client: "RunClient", *, code: bool, rest: bool) -> Side:
    from runhistory.sdk.restore import read_manifest

    details = client.details()
    snapshot_id = details.get("snapshot_id")
    digest = (details.get("environment") or {}).get("packages_sha256")
    connection = client.connection
    return Side(
        details=details,
        manifest=read_manifest(connection, snapshot_id) if code and snapshot_id else None,
        lock=Lock(_blobs_of(connection)(digest).decode()) if rest and digest else None,
        metrics=_last_values(client) if rest else {},
    )


def _client_of(run: "RunFacts") -> "RunClient":
    from runhistory.sdk.run_client import RunClient

    return RunClient(run.experiment.workspace.connection, run.id)


def _last_values(client: "RunClient") -> dict[str, str]:
    """{key: last value} of what the run logged itself."""
    answer = client.connection.get(f"/runs/{client.run_id}/series", system="false")
    return {one["key"]: str(one["last"]) for one in answer["series"]}


def _blobs_of(connection: "Connection") -> ReadBlob:
    return lambda sha256: connection.request("GET", f"/blobs/{sha256}").content


def _replaced(found: RunDiff, **fields: Any) -> RunDiff:
    from msgspec.structs import replace

    return replace(found, **fields)
