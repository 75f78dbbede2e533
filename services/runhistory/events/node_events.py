"""What becomes of the nodes of compute targets, on the topic compute.events.

A node has a place in its pool (`node`, such as gpu-pool-2) and in it one `life` after the other,
counted from 1. Its worker keeps its id over all of them. Whoever manages the nodes tells each of
these facts once or, after a fault, again in the same words.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from runhistory.domain.values import Name, RunId, TargetName, Text, Workspace
from runhistory.events import cloudevents
from runhistory.events.cloudevents import Record

NODES_TOPIC: Final = "compute.events"


class NodeEvent(Struct, frozen=True, kw_only=True):
    """What every event of a node says. `target_id` is its compute target's id."""

    TYPE: ClassVar[str]

    workspace: Workspace
    target_id: RunId
    compute_target: TargetName
    node: Name
    worker_id: Name
    life: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    slots: Annotated[int, Meta(ge=1, le=1_024)]
    time: Annotated[datetime, Meta(tz=True)]

    @property
    def event_id(self) -> str:
        """The same for every repetition."""
        return f"{self.worker_id}:{self.life}:{self.TYPE}"


class NodeStarted(NodeEvent, frozen=True, kw_only=True):
    """The node is being started."""

    TYPE = "node.started.v1"


class NodeReady(NodeEvent, frozen=True, kw_only=True):
    """The node takes runs."""

    TYPE = "node.ready.v1"


class NodeReleased(NodeEvent, frozen=True, kw_only=True):
    """The node ended as it was asked to; it held no run."""

    TYPE = "node.released.v1"


class NodeLost(NodeEvent, frozen=True, kw_only=True):
    """The node ended by itself. The runs it held are settled by its next life."""

    TYPE = "node.lost.v1"
    message: Text = ""


NODE_EVENTS: Final[dict[str, type[NodeEvent]]] = {
    event.TYPE: event for event in (NodeStarted, NodeReady, NodeReleased, NodeLost)
}
"""Every event of a node by its CloudEvents type."""

_encoder: Final = msgspec.json.Encoder()


def encode_node_event(event: NodeEvent, source: str) -> Record:
    """A node's event as a record; `source` says which service noticed it."""
    return Record(
        key=event.target_id.encode(),
        headers=cloudevents.headers(
            id=event.event_id,
            type=event.TYPE,
            source=source,
            subject=event.node,
            time=event.time,
        ),
        value=_encoder.encode(event),
    )
