"""Curves for drawing: many at once, over a range, each in at most so many places.

A curve with few enough points in the range is given as it is. Of any other, each bucket of a grid
is told by its first, last, least and greatest point, with their own steps, times and values; curves
share a grid unless each shall have its own. NaN and infinities have no place among these; they are
told apart.

The rollup says where each attempt begins, so what of it is shown. A look at the steps alone (or the
times) tells how many points are in the range, from where to where, so how wide a bucket is, and in
which batches: points themselves, of which nine tenths are values, are read of no others. Where
points have expired, the rollup is what there is to draw.
"""

from collections.abc import Mapping, Sequence
from itertools import compress
from math import isfinite
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.coarse_curves import Stretch, coarse_columns, ends_of, load_coarse
from runhistory.query.curve_plan import Beginning, CurveName, Segment, grid_width, make_segments
from runhistory.query.curve_statements import (
    BEGINNINGS,
    BUCKETS,
    PLACES,
    POINTS,
    SPECIAL,
    parts,
    statement,
)
from runhistory.query.drawn import EVERYTHING, MAX_SPECIAL, DrawnCurve, Kind, Range, Special
from runhistory.query.metrics import AttemptChoice, sayable, stretches
from runhistory.query.rows import read, read_columns

Columns = Sequence[Sequence[Any]]
MAX_SEQ: Final = 2**64 - 1


def load_drawn_curves(
    client: Client,
    *,
    workspace: str,
    run_ids: Sequence[str],
    keys: Sequence[str],
    within: Range = EVERYTHING,
    points: int = 1_000,
    attempt: AttemptChoice = "latest",
    share_grid: bool = True,
) -> list[DrawnCurve]:
    """The curves of these keys of these runs, each in at most `points` (two or more) places.

    Sorted by run, key and attempt; one without a point in the range is not there.

    Raises:
        EngineUnavailable
    """
    found = read(client, BEGINNINGS, workspace=workspace, run_ids=list(run_ids), keys=list(keys))
    beginnings = [Beginning(*beginning) for *beginning, _ in found]
    names, segments = make_segments(beginnings, attempt)
    coarse: Mapping[int, Sequence[Stretch]] = {}
    if any(may_have_expired for *_, may_have_expired in found):
        coarse = load_coarse(client, workspace, segments, within)
    fine = [one for one in segments if one.curve not in coarse]
    return _Drawing(client, workspace, fine, coarse, within).draw(names, points, share_grid)


class _Place(Struct, frozen=True):
    """Where a curve's points in the range are: how many, from where to where on x, and batches."""

    total: int
    first: int
    last: int
    first_seq: int
    last_seq: int


_ANYWHERE: Final = _Place(0, 0, 0, 0, MAX_SEQ)


class _Data(Struct, frozen=True):
    """What is drawn of a curve: `columns` of its `count` finite points, and the others."""

    kind: Kind
    columns: Columns
    count: int | None
    special: Special = Special()


class _Drawing:
    """One answer in the making: the points of these segments, or these stretches, in this range."""

    def __init__(
        self,
        client: Client,
        workspace: str,
        segments: Sequence[Segment],
        coarse: Mapping[int, Sequence[Stretch]],
        within: Range,
    ) -> None:
        self._client, self._segments, self._x = client, segments, within.x
        self._coarse = coarse
        self._parameters = {"workspace": workspace, "from": within.low, "to": within.high}
        self._places: dict[int, _Place] = {}

    def draw(self, names: Sequence[CurveName], points: int, share_grid: bool) -> list[DrawnCurve]:
        """The curves, by their names' places."""
        self._places = self._find()
        ends = {curve: (place.first, place.last) for curve, place in self._places.items()}
        ends |= {curve: ends_of(found, self._x) for curve, found in self._coarse.items()}
        widths = _widths(ends, points, share_grid)
        many = {curve for curve, place in self._places.items() if place.total > points}
        data = self._whole({curve: widths[curve] for curve in self._places.keys() - many})
        data |= self._buckets({curve: widths[curve] for curve in many})
        data |= {
            curve: _Data("coarse", coarse_columns(found, self._x, widths[curve]), None)
            for curve, found in self._coarse.items()
        }
        return [
            DrawnCurve(
                name=names[curve],
                kind=one.kind,
                count=one.count,
                first=ends[curve][0],
                last=ends[curve][1],
                width=widths[curve],
                data=one.columns,
                special=one.special,
            )
            for curve, one in sorted(data.items())
        ]

    def _find(self) -> dict[int, _Place]:
        """Where the points are."""
        if not self._segments:
            return {}
        self._places = dict.fromkeys((one.curve for one in self._segments), _ANYWHERE)
        found = zip(*self._ask(PLACES, dict.fromkeys(self._places, 1)), strict=True)
        return {curve: _Place(*place) for curve, *place in found}

    def _whole(self, widths: Mapping[int, int]) -> dict[int, _Data]:
        """All points of these curves."""
        found = self._columns(POINTS, widths)
        return {curve: _parted(columns) for curve, columns in found.items()}

    def _buckets(self, widths: Mapping[int, int]) -> dict[int, _Data]:
        """The buckets of these curves."""
        found = {
            curve: _counted(is_finite, counts, columns)
            for curve, (is_finite, counts, *columns) in self._columns(BUCKETS, widths).items()
        }
        special = {curve: one.special.count for curve, one in found.items() if one.special.count}
        for curve, columns in self._columns(SPECIAL, special).items():
            told = _special(special[curve], columns)
            found[curve] = msgspec.structs.replace(found[curve], special=told)
        return found

    def _columns(self, asking: str, widths: Mapping[int, int]) -> dict[int, Columns]:
        """What is asked of these curves, by columns: the rows come sorted by curve."""
        if not widths:
            return {}
        curve_of, *columns = self._ask(asking, widths) or [[]]
        return {
            curve: [column[begin:end] for column in columns]
            for curve, begin, end in stretches(curve_of)
        }

    def _ask(self, asking: str, widths: Mapping[int, int]) -> Columns:
        asked = [one for one in self._segments if one.curve in widths]
        return read_columns(
            self._client,
            statement(asking, self._x),
            **self._parameters,
            **parts(asked),
            widths=[widths[one.curve] for one in asked],
            first_seq=min(self._places[curve].first_seq for curve in widths),
            last_seq=max(self._places[curve].last_seq for curve in widths),
            most=MAX_SPECIAL,
        )


def _widths(ends: Mapping[int, tuple[int, int]], points: int, share_grid: bool) -> dict[int, int]:
    """How wide each curve's buckets are."""
    if share_grid and ends:
        first, last = zip(*ends.values(), strict=True)
        ends = dict.fromkeys(ends, (min(first), max(last)))
    return {curve: grid_width(first, last, points) for curve, (first, last) in ends.items()}


def _parted(points: Columns) -> _Data:
    """Points, those apart that are no numbers."""
    steps, _, values = points
    is_finite = list(map(isfinite, values))
    count = sum(is_finite)
    if count == len(steps):
        return _Data("points", points, count)
    others = [list(compress(column, [not one for one in is_finite])) for column in points]
    finite = [list(compress(column, is_finite)) for column in points]
    return _Data("points", finite, count, _special(len(steps) - count, others))


def _counted(is_finite: Sequence[int], counts: Sequence[int], buckets: Columns) -> _Data:
    """Buckets, and how many points that are no numbers were beside them."""
    count = sum(compress(counts, is_finite))
    if special := sum(counts) - count:
        buckets = [list(compress(column, is_finite)) for column in buckets]
    return _Data("buckets", buckets, count, Special(special))


def _special(count: int, points: Columns) -> Special:
    steps, times, values = (column[:MAX_SPECIAL] for column in points)
    return Special(count, steps, times, sayable(values))
