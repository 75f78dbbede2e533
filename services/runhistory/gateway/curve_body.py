"""Drawn curves as bytes: a header in JSON, and columns of numbers that a browser need not parse.

    4 bytes            the header's length L, little-endian
    L bytes            the header, JSON in UTF-8, padded with blanks until 4 + L is a multiple of 8
    8 bytes each       numbers, float64, little-endian: all columns of all curves, one by one

In JavaScript all numbers are `new Float64Array(buffer, 4 + L)`, and a column is a `subarray` of
that. Twenty curves of 1,000 buckets are 1.9 MB so, and nothing is copied or parsed.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from runhistory.query.drawn import COLUMNS, Axis, DrawnCurve, Kind, Special

MEDIA_TYPE = "application/vnd.runhistory.curves"


class CurveHeader(Struct, frozen=True, kw_only=True):
    """One curve: column number c has the numbers from at + c * rows up to at + (c + 1) * rows.

    `count` is of the finite points in the range (null: some have expired), `first` and `last` are
    the first and the last place on x of all points there. `special` has those whose value is NaN or
    infinite.
    """

    run_id: str
    key: str
    attempt: int | None
    kind: Kind
    count: int | None
    first: int
    last: int
    at: int
    rows: int
    columns: Sequence[str]
    special: Special


class CurvesHeader(Struct, frozen=True):
    """The header: what stands in the numbers behind it. `width` is a bucket's, on the axis `x`."""

    x: Axis
    width: int
    curves: list[CurveHeader]


def encode_curves(curves: Sequence[DrawnCurve], x: Axis) -> bytes:
    """The bytes of an answer whose curves share a grid."""
    width = curves[0].width if curves else 1
    header = msgspec.json.encode(CurvesHeader(x, width, list(_headers(curves))))
    header += b" " * (-(4 + len(header)) % 8)
    numbers = array("d")
    for curve in curves:
        for column in curve.data:
            numbers.extend(column)
    if sys.byteorder == "big":
        numbers.byteswap()
    return len(header).to_bytes(4, "little") + header + numbers.tobytes()


def _headers(curves: Sequence[DrawnCurve]) -> Iterator[CurveHeader]:
    at = 0
    for curve in curves:
        columns = COLUMNS[curve.kind]
        rows = len(curve.data[0])
        yield CurveHeader(
            run_id=curve.name.run_id,
            key=curve.name.key,
            attempt=curve.name.attempt,
            kind=curve.kind,
            count=curve.count,
            first=curve.first,
            last=curve.last,
            at=at,
            rows=rows,
            columns=columns,
            special=curve.special,
        )
        at += rows * len(columns)
