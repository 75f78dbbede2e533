"""Does this compute target exist? Asked for every run that is submitted, so known ones are kept.

`local` is always there. Another is looked up in ClickHouse once it has all events about the
target, so a target that was created a moment ago is never missed. One that is known is forgotten
when a reply about it passes by (all replies of all gateways do): it may have been deleted, and is
looked up anew. A reply that comes during a look-up makes its answer good for that once only.
"""

from collections.abc import Awaitable, Callable

from runhistory.domain.compute import BUILT_IN_TARGET
from runhistory.domain.ids import compute_target_id
from runhistory.events.codec import Reply

Lookup = Callable[[str], Awaitable[set[str]]]
"""workspace -> the names of the targets that were declared in it."""

CatchUp = Callable[[str], Awaitable[None]]
"""Returns when ClickHouse has every event that the target with this id has now."""


class UnknownComputeTarget(Exception):
    """The workspace has no such compute target; `known` are those that it has."""

    def __init__(self, name: str, known: set[str]) -> None:
        self.known = sorted({BUILT_IN_TARGET, *known})
        super().__init__(
            f"There is no compute target {name!r}. Known here: {', '.join(self.known)}. Create it "
            f"with `runhistory compute create {name}`, or choose another."
        )


class ComputeTargets:
    """Which targets exist; `require` costs nothing for those that are known."""

    def __init__(self, lookup: Lookup, catch_up: CatchUp) -> None:
        self._lookup, self._catch_up = lookup, catch_up
        self._known: set[str] = set()
        self._asked: dict[str, object] = {}

    def see(self, reply: Reply) -> None:
        """Hear a reply that passes by, about whatever."""
        self._known.discard(reply.run_id)
        self._asked.pop(reply.run_id, None)

    async def require(self, workspace: str, name: str) -> None:
        """Return when the workspace has the target.

        Raises:
            UnknownComputeTarget: it has not.
            NotYetVisible, EngineUnavailable: it is not known here and cannot be found out now.
        """
        target = compute_target_id(workspace, name)
        if name == BUILT_IN_TARGET or target in self._known:
            return
        question = self._asked[target] = object()
        try:
            await self._catch_up(target)
            names = await self._lookup(workspace)
        finally:
            is_answer = self._asked.get(target) is question
            if is_answer:
                del self._asked[target]
        if name not in names:
            raise UnknownComputeTarget(name, names)
        if is_answer:
            self._known.add(target)
