"""Columns of a table of runs: how one is written, and where its values are read.

`param:lr`, `tag:team` and `property:git.commit` are texts; `last:loss`, `min:loss` and `max:loss`
are numbers, of what the run's latest attempts show. Everything behind the first colon is the name.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, cast, get_args

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.metrics import Value, sayable
from runhistory.query.rows import THESE_RUNS, read

PairKind = Literal["param", "tag", "property"]
Extreme = Literal["last", "min", "max"]

VIEWS: Final[Mapping[PairKind, str]] = {"param": "params", "tag": "tags", "property": "properties"}

Cell = str | Value | None
"""What a run has in a column; None: nothing."""


class InvalidColumn(ValueError):
    """No column is written so; the message says how."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:200]!r} is no column. Write param:NAME, tag:NAME, property:NAME, last:KEY, "
            "min:KEY or max:KEY."
        )


class PairColumn(Struct, frozen=True):
    """The value under this name among a run's params, tags or properties."""

    kind: PairKind
    name: str


class MetricColumn(Struct, frozen=True):
    """The last, least or greatest value of a metric."""

    extreme: Extreme
    key: str


Column = PairColumn | MetricColumn


def parse_column(text: str) -> Column:
    """The column that is written so.

    Raises:
        InvalidColumn
    """
    kind, colon, name = text.partition(":")
    if colon and name and kind in get_args(PairKind):
        return PairColumn(cast("PairKind", kind), name)
    if colon and name and kind in get_args(Extreme):
        return MetricColumn(cast("Extreme", kind), name)
    raise InvalidColumn(text)


Cells = dict[tuple[str, Column], Cell]
"""(run id, column) -> what is there."""


def load_cells(
    client: Client,
    *,
    workspace: str,
    run_ids: Sequence[str],
    columns: Iterable[Column],
    have_attempts: bool = True,
) -> Cells:
    """What these runs have in these columns; sooner, if none of them has a second attempt.

    Raises:
        EngineUnavailable
    """
    wanted, cells = set(columns), Cells()
    for kind in VIEWS:
        if names := {
            one.name for one in wanted if isinstance(one, PairColumn) and one.kind == kind
        }:
            cells |= _load_pairs(client, workspace, run_ids, kind, names)
    if keys := {one.key for one in wanted if isinstance(one, MetricColumn)}:
        view = "latest_series" if have_attempts else "series"
        cells |= _load_metrics(client, workspace, run_ids, keys, view)
    return cells


_OF_THESE: Final = f"workspace = {{workspace:String}} AND run_uuid IN {THESE_RUNS} "


def _load_pairs(
    client: Client, workspace: str, run_ids: Sequence[str], kind: PairKind, names: set[str]
) -> Cells:
    found = read(
        client,
        f"SELECT run_id, name, value FROM runhistory.{VIEWS[kind]} "  # noqa: S608 - our words
        f"WHERE {_OF_THESE} AND name IN {{names:Array(String)}}",
        workspace=workspace,
        run_ids=list(run_ids),
        names=sorted(names),
    )
    return {(run_id, PairColumn(kind, name)): value for run_id, name, value in found}


def _load_metrics(
    client: Client, workspace: str, run_ids: Sequence[str], keys: set[str], view: str
) -> Cells:
    found = read(
        client,
        f"SELECT run_id, key, last, min, max FROM runhistory.{view} "  # noqa: S608 - our words
        f"WHERE {_OF_THESE} AND key IN {{keys:Array(String)}}",
        workspace=workspace,
        run_ids=list(run_ids),
        keys=sorted(keys),
    )
    cells = Cells()
    for run_id, key, last, least, greatest in found:
        cells[run_id, MetricColumn("last", key)] = sayable([last])[0]
        cells[run_id, MetricColumn("min", key)] = least
        cells[run_id, MetricColumn("max", key)] = greatest
    return cells
