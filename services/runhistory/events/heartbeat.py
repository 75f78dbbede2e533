"""The sign of life of an attempt: what its worker, or an interactive run's process, sends.

Who judges by it goes by the time at which Kafka appended it (`timestamps: append` in topics.yaml),
never by the sender's clock.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from runhistory.domain.values import Name, RunId, StartedAttempt, Workspace
from runhistory.events import cloudevents
from runhistory.events.cloudevents import MalformedRecord, Record

HEARTBEATS_TOPIC: Final = "run.heartbeats"
HEARTBEAT_SECONDS: Final = 10.0
"""So often an attempt is heard of, unless RUNHISTORY_HEARTBEAT_SECONDS says otherwise."""


class Heartbeat(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attempt is alive. Its order among others, and how old it is, is Kafka's to say."""

    TYPE: ClassVar[str] = "run.heartbeat.v1"

    workspace: Workspace
    run_id: RunId
    attempt: StartedAttempt
    source: Annotated[Name, Meta(description="who sent it, such as runhistory/worker")]
    time: Annotated[datetime, Meta(tz=True, description="by the sender's clock (UTC)")]
    gpu_idle_since: Annotated[
        dict[Name, Annotated[datetime, Meta(tz=True)]],
        Meta(
            max_length=1_024,
            description="the attempt's GPUs, by UUID, that have had nothing to do since then "
            "(UTC, the sender's clock)",
        ),
    ] = {}


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Heartbeat)


def encode_heartbeat(heartbeat: Heartbeat) -> Record:
    """A heartbeat as a record."""
    time = cloudevents.format_time(heartbeat.time)
    return Record(
        key=heartbeat.run_id.encode(),
        headers=cloudevents.headers(
            id=f"{heartbeat.run_id}:{heartbeat.attempt}:{heartbeat.source}:{time}",
            type=Heartbeat.TYPE,
            source=heartbeat.source,
            subject=heartbeat.run_id,
            time=heartbeat.time,
        ),
        value=_encoder.encode(heartbeat),
    )


def decode_heartbeat(value: bytes) -> Heartbeat:
    """The opposite of `encode_heartbeat`. Fields that a newer sender added are passed over.

    Raises:
        MalformedRecord: it is no heartbeat.
    """
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRecord(f"{Heartbeat.TYPE}: {error}") from error
