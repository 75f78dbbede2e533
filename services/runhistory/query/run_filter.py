"""Which runs are asked for, as conditions on the view `runs`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from runhistory.domain.status import RunStatus
from runhistory.query.experiments import Archived
from runhistory.query.rows import THESE_RUNS

Wanted = Mapping[str, str | None]
"""Names with the values that they must have; None: any value."""

_WITH_PAIRS: Final = """run_uuid IN (
    SELECT run_uuid FROM runhistory.{view} WHERE workspace = {{workspace:String}} AND (
        name IN {{{view}_alone:Array(String)}}
        OR (name, value) IN (SELECT arrayJoin(
            arrayZip({{{view}_names:Array(String)}}, {{{view}_values:Array(String)}}))))
    GROUP BY run_uuid HAVING count() = {{{view}_count:UInt32}})
"""

# A parent that was deleted hides no child: nobody could find it any more.
_ROOTS: Final = """(parent_run_id IS NULL OR parent_run_id IN (
    SELECT run_id FROM runhistory.deleted_runs WHERE workspace = {workspace:String}))
"""

_DESCENDANTS: Final = """run_id IN (
    WITH RECURSIVE descendants AS (
        SELECT {parent:String} AS run_id
        UNION ALL
        SELECT child.run_id FROM runhistory.runs AS child
        INNER JOIN descendants ON child.parent_run_id = descendants.run_id
        WHERE child.workspace = {workspace:String})
    SELECT run_id FROM descendants WHERE run_id != {parent:String})
"""


_WITH_TEXT: Final = """(
    positionCaseInsensitiveUTF8(display_name, {text:String}) > 0
    OR position(run_id, lower({text:String})) > 0
    OR run_uuid IN (SELECT run_uuid FROM runhistory.tags WHERE workspace = {workspace:String}
        AND (positionCaseInsensitiveUTF8(name, {text:String}) > 0
            OR positionCaseInsensitiveUTF8(value, {text:String}) > 0)))
"""


class RunFilter(Struct, frozen=True, kw_only=True):
    """All that is given has to hold; by default all runs in sight that have no parent.

    `run_ids`: only these, in sight or not, with a parent or without. `text`: in the display name,
    the id or a tag, in any case. `statuses`: any of them. `parent`: its children, with `recursive`
    theirs too. `children`: runs with a parent as well; with `parent` it means nothing.
    `reproduces`: those that repeat this run.
    """

    run_ids: Sequence[str] = ()
    experiment: str | None = None
    text: str = ""
    statuses: Sequence[RunStatus] = ()
    type: Literal["script", "interactive"] | None = None
    tags: Wanted = {}
    properties: Wanted = {}
    parent: str | None = None
    recursive: bool = False
    children: bool = False
    reproduces: str | None = None
    archived: Archived = "false"

    def conditions(self) -> list[str]:
        """Conditions in SQL; they need `parameters`, and `workspace`."""
        asked = {
            f"run_uuid IN {THESE_RUNS}": bool(self.run_ids),
            "experiment = {experiment:String}": self.experiment is not None,
            _WITH_TEXT: bool(self.text),
            "has({statuses:Array(String)}, status)": bool(self.statuses),
            "type = {type:String}": self.type is not None,
            "archived": self.archived == "true",
            "NOT archived": self.archived == "false" and not self.run_ids,
            "parent_run_id = {parent:String}": self.parent is not None and not self.recursive,
            _DESCENDANTS: self.parent is not None and self.recursive,
            _ROOTS: self.parent is None and not self.children and not self.run_ids,
            "reproduces = {reproduces:String}": self.reproduces is not None,
            _WITH_PAIRS.format(view="tags"): bool(self.tags),
            _WITH_PAIRS.format(view="properties"): bool(self.properties),
        }
        return [condition for condition, is_asked in asked.items() if is_asked]

    def parameters(self) -> dict[str, Any]:
        """What the conditions name."""
        return {
            "run_ids": list(self.run_ids),
            "experiment": self.experiment or "",
            "text": self.text,
            "statuses": [str(status) for status in self.statuses],
            "type": self.type or "",
            "parent": self.parent or "",
            "reproduces": self.reproduces or "",
            **_pair_parameters("tags", self.tags),
            **_pair_parameters("properties", self.properties),
        }


def _pair_parameters(view: str, wanted: Wanted) -> dict[str, Any]:
    valued = {name: value for name, value in wanted.items() if value is not None}
    return {
        f"{view}_alone": [name for name, value in wanted.items() if value is None],
        f"{view}_names": list(valued),
        f"{view}_values": list(valued.values()),
        f"{view}_count": len(wanted),
    }
