"""`ComputeTarget`: where runs execute, a pool of nodes that grows and shrinks with them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from runhistory.domain.ids import new_command_id
from runhistory.domain.values import NodePool, TargetName
from runhistory.sdk.errors import InvalidRequest
from runhistory.sdk.workspace import Workspace


class ComputeTarget:
    """A compute target of a workspace: `ComputeTarget(workspace, "gpu-pool")` is one that exists.

    What it says (`pool`, `nodes`, …) is as it was when the object was made, or at `refresh`.

    Raises:
        NotFound: there is none of that name.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._workspace, self._name = workspace, _checked(name)
        self.refresh()

    @classmethod
    def create(
        cls,
        workspace: Workspace,
        name: str,
        *,
        min_nodes: int = 0,
        max_nodes: int = 1,
        idle_seconds: int = 120,
        slots: int = 1,
    ) -> "ComputeTarget":
        """Declare a target. The same again is the same target.

        Args:
            min_nodes: so many nodes are there even when nothing is to do.
            max_nodes: so many at most; further runs wait.
            idle_seconds: an idle node above `min_nodes` is released after so long.
            slots: so many runs of one slot each a node executes at once.

        Raises:
            Conflict: it exists with another pool.
            InvalidRequest: the values make no pool.
        """
        body = {
            "name": _checked(name),
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds": idle_seconds,
            "slots": slots,
            "command_id": new_command_id(),
        }
        workspace.connection.send("POST", "/compute", body)
        return cls(workspace, name)

    @classmethod
    def list(cls, workspace: Workspace) -> "Sequence[ComputeTarget]":
        """All targets of the workspace by name; `local` is always one of them."""
        answer = workspace.connection.get("/compute")
        return [cls._of(workspace, found) for found in answer["compute_targets"]]

    def update(
        self,
        *,
        min_nodes: int | None = None,
        max_nodes: int | None = None,
        idle_seconds: int | None = None,
        slots: int | None = None,
    ) -> None:
        """Give it another pool; what is left out stays. Nodes that it has keep their slots until
        they are idle.

        Raises:
            NotFound: it was deleted.
            InvalidRequest: the values make no pool.
        """
        change = {
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds": idle_seconds,
            "slots": slots,
            "command_id": new_command_id(),
        }
        self._workspace.connection.send("PATCH", self._path, change)
        self.refresh()

    def delete(self) -> None:
        """Withdraw it: no run may name it any more, and its nodes go when they are idle. `local`
        has its own pool again.

        Raises:
            NotFound: it was deleted before.
        """
        path = f"{self._path}?command_id={new_command_id()}"
        self._workspace.connection.send("DELETE", path, None)

    def refresh(self) -> None:
        """Ask how it stands now.

        Raises:
            NotFound: there is none of that name.
        """
        self._seen: dict[str, Any] = self._workspace.connection.get(self._path)

    @property
    def workspace(self) -> Workspace:
        """The workspace that it belongs to."""
        return self._workspace

    @property
    def name(self) -> str:
        """Its name, as runs give it."""
        return self._name

    @property
    def pool(self) -> NodePool:
        """How many nodes it has at least and at most, for how long idle ones, and their slots."""
        return msgspec.convert(self._seen["pool"], NodePool)

    @property
    def nodes(self) -> "Sequence[dict[str, Any]]":
        """Its nodes: `node`, `status` (starting, idle or busy), `slots`, `since`, `runs`."""
        nodes: list[dict[str, Any]] = self._seen["nodes"]
        return nodes

    @property
    def waiting_runs(self) -> "Sequence[str]":
        """The ids of the runs that wait, first come first (1,000 at most)."""
        runs: list[str] = self._seen["waiting_runs"]
        return runs

    def serialize(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return dict(self._seen)

    @property
    def _path(self) -> str:
        return f"/compute/{quote(self._name)}"

    @classmethod
    def _of(cls, workspace: Workspace, seen: dict[str, Any]) -> "ComputeTarget":
        target = cls.__new__(cls)
        target._workspace, target._name, target._seen = workspace, seen["name"], seen
        return target

    def __repr__(self) -> str:
        return f"ComputeTarget({self._workspace!r}, {self._name!r})"


def _checked(name: str) -> str:
    try:
        return msgspec.convert(name, TargetName)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"A compute target cannot be named {name!r}: letters, digits, `_`, `.` and `-`, 63 at "
            "most, a letter or digit first."
        ) from error
