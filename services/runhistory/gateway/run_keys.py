"""How many keys a run has: a guard against a mistake, such as a step in the name of a key.

Each gateway counts for itself, from when it started: the keys of what it takes, by their hashes, of
the runs that it heard of last. So the limit costs no question to anybody and a fixed amount of
memory. Several gateways, or one that was started again, let a run have some more.
"""

from collections.abc import Sequence
from typing import Final

from runhistory.events.batch_trouble import at
from runhistory.events.metric_batch import TooLarge

MAX_KEYS: Final = 100_000
SETTING: Final = "RUNHISTORY_MAX_KEYS"
MEMORY: Final = 1_000_000
"""Keys that are remembered of all runs together: about 100 MB at most."""


class TooManyKeys(TooLarge):
    """The batch would give its run more keys than it may have."""


class RunKeys:
    """The keys of each run, as far as this process has seen them."""

    def __init__(self, limit: int = MAX_KEYS, memory: int = MEMORY) -> None:
        self._limit, self._memory = limit, memory
        self._runs: dict[tuple[str, str], set[int]] = {}
        self._remembered = 0

    def admit(self, run: tuple[str, str], keys: Sequence[str], body: bytes = b"") -> None:
        """Count the keys of a batch; one whose keys are all known is always let in.

        Raises:
            TooManyKeys: some are new and too many; nothing was counted.
        """
        # Taken out and put in again: the dict stays ordered by when a run was last heard of.
        seen = self._runs.pop(run, None)
        if seen is None:
            seen = set()
        self._runs[run] = seen
        new = set(map(hash, keys)) - seen
        if len(seen) + len(new) > self._limit:
            raise self._refusal(seen, keys, body)
        seen |= new
        self._remembered += len(new)
        while self._remembered > self._memory and len(self._runs) > 1:
            self._remembered -= len(self._runs.pop(next(iter(self._runs))))

    def _refusal(self, seen: set[int], keys: Sequence[str], body: bytes) -> TooManyKeys:
        counted = set(seen)
        index = -1  # of the first that is too many
        while len(counted) <= self._limit:
            index += 1
            counted.add(hash(keys[index]))
        trouble = (
            f"A run may have {self._limit} keys ({SETTING}), and with this one it would have more. "
            "What changes from step to step, such as a number or an id, belongs in no key"
        )
        message = at(body, trouble, "keys", index)
        return TooManyKeys(message, limit=self._limit, setting=SETTING)
