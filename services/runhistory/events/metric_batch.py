"""A batch of metric points: strict check of what a client sends, then our own envelope around it.

Two parsers read these bytes, msgspec here and ClickHouse later, and they differ: of two equal
JSON keys one takes the last and the other the first, 2^63 wraps in one of them, `1e3` is a step
for one alone. So everything that both could read differently is refused here. Workspace, run and
attempt come from the URL and the caller's token, never from the body: a checked body has each of
the batch's names once and no other, and so it is spliced in behind them byte for byte.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from runhistory.domain.ids import END_OF_TEXT
from runhistory.domain.values import RunId, StartedAttempt, Workspace
from runhistory.events.batch_trouble import at, explain, texts_of

MAX_POINTS: Final = 20_000
MAX_KEY_LENGTH: Final = 512
MAX_BATCH_BYTES: Final = 1_000_000
MAX_TIME: Final = 9_000_000_000_000_000  # µs since 1970: the year 2255

Key = Annotated[
    str, Meta(min_length=1, max_length=MAX_KEY_LENGTH, pattern=r"^[^\x00-\x1f\x7f]+" + END_OF_TEXT)
]
Writer = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}" + END_OF_TEXT)]
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Value = float | Literal["NaN", "Infinity", "-Infinity"]
Time = Annotated[int, Meta(ge=0, le=MAX_TIME)]
Keys = Annotated[list[Key], Meta(min_length=1, max_length=MAX_POINTS)]
KeyIndex = Annotated[
    list[Annotated[int, Meta(ge=1, le=MAX_POINTS)]], Meta(min_length=1, max_length=MAX_POINTS)
]


class MetricBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends, and the data of `metrics.logged.v1` without its envelope.

    Columns of equal length n: point i has key `keys[key_index[i] - 1]`, `steps[i]`,
    `values[i]` and `times[i]` (µs since 1970, UTC). NaN and infinities are written as strings.
    """

    writer: Writer
    seq: Sequence
    keys: Keys
    key_index: KeyIndex
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
    """A batch of metric points, in columns of one length.

    Point i has key `keys[key_index[i] - 1]`, `steps[i]`, `values[i]` and `times[i]` (µs since
    1970, UTC). Integers have neither point nor exponent; NaN and infinities are strings.
    """

    workspace: Workspace
    run_id: RunId
    attempt: StartedAttempt
    writer: Writer
    seq: Sequence
    keys: Keys
    key_index: KeyIndex
    steps: Annotated[list[Int64], Meta(max_length=MAX_POINTS)]
    values: Annotated[list[Value], Meta(max_length=MAX_POINTS)]
    times: Annotated[list[Time], Meta(max_length=MAX_POINTS)]


METRICS_LOGGED: Final = "metrics.logged.v1"


class InvalidBatch(Exception):
    """The batch is refused whole; the message names the place and what is wrong there."""


class TooLarge(InvalidBatch):
    """The batch is over a limit that the message names; `details` has it for programs."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class Limits(Struct, frozen=True, kw_only=True):
    """What one batch may have: so many bytes, and keys of so many characters."""

    bytes: int = MAX_BATCH_BYTES
    key_length: int = MAX_KEY_LENGTH


BYTES_SETTING: Final = "RUNHISTORY_MAX_BATCH_BYTES"
KEY_LENGTH_SETTING: Final = "RUNHISTORY_MAX_KEY_LENGTH"
DEFAULT_LIMITS: Final = Limits()


_batch_decoder: Final = msgspec.json.Decoder(MetricBatch)
_raw_decoder: Final = msgspec.json.Decoder(_RawBatch)
_NAMES: Final = _RawBatch.__struct_fields__
_SOUGHT: Final = (b'"keys":[', b'"key_index":[')
"""What the sink looks for, to count a message's points without reading it."""
_WHITESPACE: Final = b" \t\r\n"


def check(body: bytes, limits: Limits = DEFAULT_LIMITS) -> MetricBatch:
    """The batch in `body`, when all of it is right.

    Raises:
        TooLarge: more bytes, or a longer key, than `limits`.
        InvalidBatch: anything else; `$.steps[3]` in the message is the first bad element, and its
            key stands behind.
    """
    if len(body) > limits.bytes:
        raise TooLarge(
            f"A batch may have {limits.bytes} bytes ({BYTES_SETTING}), and this one has "
            f"{len(body)}. Send it in parts.",
            limit=limits.bytes,
            setting=BYTES_SETTING,
        )
    try:
        batch = _batch_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse_long_keys(body, texts_of(body), limits)
        raise InvalidBatch(explain(body, str(error))) from error
    _refuse_equal_names(body, batch)
    _refuse_escaped_values(body)
    _refuse_long_keys(body, batch.keys, limits)
    points = len(batch.key_index)
    for name, column in (("steps", batch.steps), ("values", batch.values), ("times", batch.times)):
        if len(column) != points:
            first = min(points, len(column))
            trouble = (
                f"The columns differ in length: key_index has {points} elements, "
                f"{name} has {len(column)}"
            )
            raise InvalidBatch(at(body, trouble, name, first))
    if max(batch.key_index) > len(batch.keys):
        bad = next(i for i, index in enumerate(batch.key_index) if index > len(batch.keys))
        raise InvalidBatch(
            at(
                body,
                f"key_index counts from 1 to the number of keys ({len(batch.keys)}), and here it "
                f"is {batch.key_index[bad]}",
                "key_index",
                bad,
            )
        )
    return batch


def splice(body: bytes, *, workspace: str, run_id: str, attempt: int) -> bytes:
    """The stored message for a checked body: our envelope around what the client sent."""
    envelope = msgspec.json.encode({"workspace": workspace, "run_id": run_id, "attempt": attempt})
    if b"\\" not in body and all(name in body for name in _SOUGHT):
        return envelope[:-1] + b"," + body.strip(_WHITESPACE)[1:]
    # Spelled in another way, such as `"k\u0065ys" : [`.
    raw = _raw_decoder.decode(body)
    columns = b"".join(b',"' + name.encode() + b'":' + bytes(getattr(raw, name)) for name in _NAMES)
    return envelope[:-1] + columns + b"}"


def _refuse_equal_names(body: bytes, batch: MetricBatch) -> None:
    """Refuse two equal names in the object.

    msgspec took one of them and dropped the other unseen, but not its quotation marks: a body
    whose every name stands once has exactly the strings that the batch has. Counting bytes is
    exact and costs a tenth of what looking at the names would.
    """
    strings = len(_NAMES) + len(batch.keys) + 1  # the writer
    if _quotation_marks(body) == 2 * strings:
        return
    strings += sum(type(value) is str for value in batch.values)
    if _quotation_marks(body) != 2 * strings:
        raise InvalidBatch("A name stands twice in the batch; each may stand once.")


def _quotation_marks(body: bytes) -> int:
    """How many begin or end a string of valid JSON (an escaped one does neither)."""
    if b"\\" not in body:
        return body.count(b'"')
    return body.count(b'"') - body.replace(b"\\\\", b"").count(b'\\"')


def _refuse_escaped_values(body: bytes) -> None:
    """Refuse `"\\u004eaN"`: msgspec reads NaN there, and ClickHouse reads no number."""
    if b"\\" not in body:
        return
    values = bytes(_raw_decoder.decode(body).values).split(b",")
    for index, value in enumerate(values):
        if b"\\" in value:
            trouble = "NaN and the infinities are written without escapes"
            raise InvalidBatch(at(body, trouble, "values", index))


def _refuse_long_keys(body: bytes, keys: list[str], limits: Limits) -> None:
    if not keys or max(map(len, keys)) <= limits.key_length:
        return
    bad = next(i for i, key in enumerate(keys) if len(key) > limits.key_length)
    trouble = (
        f"A key may have {limits.key_length} characters ({KEY_LENGTH_SETTING}), and this one has "
        f"{len(keys[bad])}"
    )
    details = {"limit": limits.key_length, "setting": KEY_LENGTH_SETTING}
    raise TooLarge(at(body, trouble, "keys", bad), **details)
