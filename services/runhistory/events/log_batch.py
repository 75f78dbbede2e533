"""A batch of a run's console lines: what a worker or client sends, and the data in run.logs."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from runhistory.domain.values import RunId, StartedAttempt, Workspace
from runhistory.events import strict_json
from runhistory.events.metric_batch import InvalidBatch, Sequence, Time, Writer

MAX_LINES: Final = 5_000
MAX_LINE_LENGTH: Final = 16_384
LOG_LINES_WRITTEN: Final = "logs.written.v1"

Stream = Literal["stdout", "stderr", "system"]
Streams = Annotated[list[Stream], Meta(min_length=1, max_length=MAX_LINES)]
Times = Annotated[list[Time], Meta(max_length=MAX_LINES)]
Lines = Annotated[
    list[Annotated[str, Meta(max_length=MAX_LINE_LENGTH)]], Meta(max_length=MAX_LINES)
]


class LogBatch(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Lines in the order in which they came; line i is `lines[i]` on `streams[i]` at `times[i]`.

    `system` is the worker's own word (environment being built, and the like). Times are µs
    since 1970, UTC. A line has no end-of-line; longer ones are split by the sender.
    """

    writer: Writer
    seq: Sequence
    streams: Streams
    times: Times
    lines: Lines


class LogLinesWritten(Struct, frozen=True, kw_only=True):
    """A batch of console lines, in columns of one length and in the order they came.

    Line i is `lines[i]` on `streams[i]` at `times[i]` (µs since 1970, UTC).
    """

    workspace: Workspace
    run_id: RunId
    attempt: StartedAttempt
    writer: Writer
    seq: Sequence
    streams: Streams
    times: Times
    lines: Lines


_decoder: Final = msgspec.json.Decoder(LogBatch)


def check(body: bytes) -> LogBatch:
    """The batch in `body`, when all of it is right.

    Raises:
        InvalidBatch: the message names the place and what is wrong there.
    """
    try:
        batch = strict_json.decode(body, _decoder)
    except strict_json.NotStrictJson as error:
        raise InvalidBatch(str(error)) from error
    if not len(batch.streams) == len(batch.times) == len(batch.lines):
        raise InvalidBatch("streams, times and lines must have the same length.")
    return batch
