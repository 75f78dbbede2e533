"""Which events a subscriber wants, and which partitions have them.

The topics `*.events` are what happened; they are read unless other types are named, and patterns
(`run.*`) mean types of them alone. What comes in bulk (points, log lines, heartbeats) is read
when it is asked for by its name. Commands and replies are between a client and the lifecycle:
nobody subscribes to them. All of it follows from topics.yaml.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from aiokafka import TopicPartition
from msgspec import Struct

from runhistory.domain.commands import COMMANDS
from runhistory.domain.ids import experiment_id
from runhistory.events.codec import Reply
from runhistory.gateway.published import Published
from runhistory.kafka.topics import Topic, load_topics, partitions_of, place_of

MAX_RUNS: Final = 100
_RUN_KEY: Final = "run_id"


class InvalidFilter(ValueError):
    """What was asked for cannot be; the message says what can."""


class EventFilter(Struct, frozen=True, kw_only=True):
    """Events of one workspace: of these runs, experiments and types (all, where none is named).

    `prefixes` are the beginnings of the wanted types.
    """

    workspace: str
    topics: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    run_ids: frozenset[str] = frozenset()
    experiment_ids: frozenset[str] = frozenset()

    def admits(self, event: Published) -> bool:
        """Whether the subscriber shall have this event."""
        return (
            event.workspace == self.workspace
            and (not self.run_ids or event.run_id in self.run_ids)
            and (not self.experiment_ids or not self.experiment_ids.isdisjoint(event.owners))
            and (not self.prefixes or event.type.startswith(self.prefixes))
        )

    def may_admit(self, key: bytes | None) -> bool:
        """Whether a record with this key may be wanted: told before anything is decoded."""
        return not self.run_ids or (key is not None and key.decode("latin-1") in self.run_ids)

    def places(self) -> list[TopicPartition]:
        """The partitions to read: with runs named, only those that have these runs' records."""
        if not self.run_ids:
            return [place for topic in self.topics for place in partitions_of(topic)]
        return sorted({place_of(topic, run) for topic in self.topics for run in self.run_ids})


def make_filter(
    workspace: str,
    *,
    types: Sequence[str] = (),
    run_ids: Sequence[str] = (),
    experiments: Sequence[str] = (),
) -> EventFilter:
    """The filter for what a subscriber wrote.

    A type is written whole (`run.completed.v1`), without its version (`run.completed`), or as
    the beginning of several (`run.*`, `*`).

    Raises:
        InvalidFilter: a type that there is not, or a combination that has no events.
    """
    if len(run_ids) > MAX_RUNS:
        raise InvalidFilter(f"run: name at most {MAX_RUNS} runs, or none for all of them.")
    topics = set().union(*map(_topics_with, types)) if types else set(_happenings())
    if run_ids or experiments:
        topics = {name for name in topics if load_topics()[name].key == _RUN_KEY}
        if not topics:
            raise InvalidFilter(
                f"type: {', '.join(types)} does not happen to runs; leave run and experiment out."
            )
    if experiments and not topics <= set(_happenings()):
        raise InvalidFilter(
            "experiment: points, log lines and the like are told by their run; name the runs with "
            "run= for them."
        )
    return EventFilter(
        workspace=workspace,
        topics=tuple(sorted(topics)),
        prefixes=tuple(map(_prefix, types)),
        run_ids=frozenset(run_ids),
        experiment_ids=frozenset(experiment_id(workspace, name) for name in experiments),
    )


def subscribable_types() -> list[str]:
    """Every type that can be subscribed to."""
    return [type for topic in _subscribable().values() for type in topic.types]


@cache
def _subscribable() -> dict[str, Topic]:
    private = {*COMMANDS, Reply.TYPE}
    return {
        name: topic
        for name, topic in load_topics().items()
        if topic.types and private.isdisjoint(topic.types)
    }


def _happenings() -> Iterable[str]:
    return [name for name in _subscribable() if name.endswith(".events")]


def _topics_with(text: str) -> set[str]:
    among = _happenings() if text.endswith("*") else _subscribable()
    prefix = _prefix(text)
    found = {
        name
        for name in among
        if any(type.startswith(prefix) for type in _subscribable()[name].types)
    }
    if not found:
        raise InvalidFilter(
            f"type: there is no {text!r}. Name some of {', '.join(subscribable_types())}; or a "
            "beginning with a star, such as run.*, for what happened."
        )
    return found


def _prefix(text: str) -> str:
    """What the wanted types begin with; a whole name is a beginning that only it has."""
    if text.endswith("*"):
        return text[:-1]
    return text if text in subscribable_types() else f"{text}.v"
