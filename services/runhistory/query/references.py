"""What a reference to a run means: an id, a prefix, a display name, or the newest."""

import re
from datetime import datetime
from typing import Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read
from runhistory.query.runs import ShownStatus

MAX_CANDIDATES: Final = 10
MIN_PREFIX: Final = 4
LATEST: Final = "@latest"

_HEX: Final = re.compile(rf"[0-9a-f]{{{MIN_PREFIX},32}}")
_LISTED: Final = "NOT archived AND parent_run_id IS NULL"


class RunCandidate(Struct, frozen=True):
    """A run that a reference may mean."""

    run_id: str
    display_name: str
    experiment: str
    status: ShownStatus
    created: datetime


def resolve_run(
    client: Client, *, workspace: str, ref: str, experiment: str | None = None
) -> list[RunCandidate]:
    """The runs that `ref` may mean, newest first: none, the one, or the first few of several.

    `@latest` is the newest of those that a list shows unasked: in sight and without a parent.
    Then an id, a display name, and a prefix of an id with at least four digits, in this order: a
    name that looks like a prefix is the name. `experiment` narrows all but a whole id.

    Raises:
        EngineUnavailable
    """
    if ref == LATEST:
        return _candidates(client, workspace, experiment, _LISTED, "", limit=1)
    is_hex = _HEX.fullmatch(ref) is not None
    if is_hex and len(ref) == 32:
        return _candidates(client, workspace, None, "run_uuid = unhex({ref:String})", ref)
    named = _candidates(client, workspace, experiment, "display_name = {ref:String}", ref)
    if named or not is_hex:
        return named
    # A range of the primary key: from ref000… to refFFF….
    within = (
        "run_uuid BETWEEN toFixedString(unhex(rightPad({ref:String}, 32, '0')), 16) "
        "AND toFixedString(unhex(rightPad({ref:String}, 32, 'f')), 16)"
    )
    return _candidates(client, workspace, experiment, within, ref)


def _candidates(
    client: Client,
    workspace: str,
    experiment: str | None,
    condition: str,
    ref: str,
    limit: int = MAX_CANDIDATES,
) -> list[RunCandidate]:
    found = read(
        client,
        "SELECT run_id, display_name, experiment, status, created FROM runhistory.runs "  # noqa: S608
        "WHERE workspace = {workspace:String} "
        "AND ({experiment:String} = '' OR experiment = {experiment:String}) "
        f"AND {condition} ORDER BY created DESC, run_uuid DESC LIMIT {{limit:UInt32}}",
        workspace=workspace,
        experiment=experiment or "",
        ref=ref,
        limit=limit,
    )
    return [
        RunCandidate(run_id, name, experiment, status, created)
        for run_id, name, experiment, status, created in found
    ]
