"""A batch of metric points: strict check of what a client sends, then our own envelope around it.

Two parsers read these bytes, msgspec here and ClickHouse later, and they differ: of two equal
JSON keys one takes the last and the other the first, 2^63 wraps in one of them, `1e3` is a step
for one alone. So everything that both could read differently is refused here, and the stored
message is put together anew: workspace, run and attempt come from the URL and the caller's
token, never from the body, and the checked arrays are spliced in byte for byte.
"""

import json
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

MAX_POINTS: Final = 20_000
MAX_KEY_LENGTH: Final = 512
MAX_BATCH_BYTES: Final = 1_000_000
MAX_TIME: Final = 9_000_000_000_000_000  # µs since 1970: the year 2255

Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_LENGTH, pattern=r"^[^\x00-\x1f\x7f]+$")]
Writer = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Value = float | Literal["NaN", "Infinity", "-Infinity"]
Time = Annotated[int, Meta(ge=0, le=MAX_TIME)]


class MetricBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends, and the data of `metrics.logged.v1` without its envelope.

    Columns of equal length n: point i has key `keys[key_index[i] - 1]`, `steps[i]`,
    `values[i]` and `times[i]` (µs since 1970, UTC). NaN and infinities are written as strings.
    """

    writer: Writer
    seq: Sequence
    keys: Annotated[list[Key], Meta(min_length=1, max_length=MAX_POINTS)]
    key_index: Annotated[
        list[Annotated[int, Meta(ge=1, le=MAX_POINTS)]], Meta(min_length=1, max_length=MAX_POINTS)
    ]
    steps: Annotated[list[Int64], Meta(max_length=MAX_POINTS)]
    values: Annotated[list[Value], Meta(max_length=MAX_POINTS)]
    times: Annotated[list[Time], Meta(max_length=MAX_POINTS)]


class _RawBatch(Struct, frozen=True, forbid_unknown_fields=True):
    writer: Raw
    seq: Raw
    keys: Raw
    key_index: Raw
    steps: Raw
    values: Raw
    times: Raw


class MetricsLogged(Struct, frozen=True, kw_only=True):
    """The data of `metrics.logged.v1`, as it lies in run.metrics."""

    workspace: str
    run_id: str
    attempt: Annotated[int, Meta(ge=1)]
    writer: Writer
    seq: Sequence
    keys: list[Key]
    key_index: list[int]
    steps: list[Int64]
    values: list[Value]
    times: list[Time]


METRICS_LOGGED: Final = "metrics.logged.v1"


class InvalidBatch(Exception):
    """The batch is refused whole; the message names the place and what is wrong there."""


class TooLarge(InvalidBatch):
    """The batch is over a limit that the message names."""


_batch_decoder: Final = msgspec.json.Decoder(MetricBatch)
_raw_decoder: Final = msgspec.json.Decoder(_RawBatch)
_FIELDS: Final = tuple(f'"{name}"'.encode() for name in MetricBatch.__struct_fields__)


def check(body: bytes) -> MetricBatch:
    """The batch in `body`, when all of it is right.

    Raises:
        TooLarge: more than MAX_BATCH_BYTES.
        InvalidBatch: anything else; `$.steps[3]` in the message is the first bad element.
    """
    if len(body) > MAX_BATCH_BYTES:
        raise TooLarge(f"A batch may have {MAX_BATCH_BYTES} bytes, this one has {len(body)}.")
    try:
        batch = _batch_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidBatch(str(error)) from error
    _refuse_equal_names(body)
    points = len(batch.key_index)
    for name, column in (("steps", batch.steps), ("values", batch.values), ("times", batch.times)):
        if len(column) != points:
            raise InvalidBatch(
                f"The columns differ in length: key_index has {points} elements, "
                f"{name} has {len(column)}."
            )
    if max(batch.key_index) > len(batch.keys):
        bad = next(i for i, index in enumerate(batch.key_index) if index > len(batch.keys))
        raise InvalidBatch(
            f"key_index counts from 1 to the number of keys ({len(batch.keys)}) - "
            f"at `$.key_index[{bad}]`"
        )
    return batch


def splice(body: bytes, *, workspace: str, run_id: str, attempt: int) -> bytes:
    """The stored message for a checked body: our envelope around the client's arrays."""
    raw = _raw_decoder.decode(body)
    envelope = msgspec.json.encode({"workspace": workspace, "run_id": run_id, "attempt": attempt})
    columns = b"".join(
        b',"' + name.encode() + b'":' + bytes(getattr(raw, name))
        for name in _RawBatch.__struct_fields__
    )
    return envelope[:-1] + columns + b"}"


def _refuse_equal_names(body: bytes) -> None:
    """Refuse two equal names in the object; exact, and nearly free for what clients send."""
    if b"\\" not in body and all(body.count(field) == 1 for field in _FIELDS):
        return
    try:
        json.loads(body, object_pairs_hook=_pairs_once, parse_int=str, parse_float=str)
    except ValueError as error:
        raise InvalidBatch(str(error)) from error


def _pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The name {twice!r} stands twice in one object.")
    return found
