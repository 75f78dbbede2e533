"""Which blobs and snapshots a run had, and which of them somebody else has too."""

from collections.abc import Collection

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read


class HeldObjects(Struct, frozen=True):
    """What a run refers to in the object store, by digest; a snapshot's blobs are not among it."""

    blobs: frozenset[str]
    snapshots: frozenset[str]


def load_held_objects(client: Client, *, workspace: str, run_id: str) -> HeldObjects:
    """All that the run ever referred to, from its events: they stay when its rows are erased.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        """
        SELECT
            groupUniqArrayArray(arrayConcat(
                JSONExtract(data, 'files', 'Array(Tuple(sha256 String))').1,
                [JSONExtractString(data, 'environment', 'packages_sha256'),
                 JSONExtractString(data, 'content', 'spec', 'environment', 'lock_sha256')])),
            groupUniqArrayArray([
                JSONExtractString(data, 'content', 'spec', 'snapshot_id'),
                JSONExtractString(data, 'snapshot_id')])
        FROM runhistory.event_log
        WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String})
        """,
        workspace=workspace,
        run_id=run_id,
    )
    blobs, snapshots = found[0] if found else ((), ())
    return HeldObjects(frozenset(blobs) - {""}, frozenset(snapshots) - {""})


def find_used_blobs(client: Client, *, workspace: str, blobs: Collection[str]) -> set[str]:
    """Those of the blobs that a run which is not deleted has as a file or packages, or will have.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        """
        SELECT DISTINCT sha256 FROM runhistory.files
        WHERE workspace = {workspace:String} AND sha256 IN {blobs:Array(String)}
        UNION DISTINCT
        SELECT DISTINCT JSONExtractString(data, 'environment', 'packages_sha256') AS sha256
        FROM runhistory.events
        WHERE workspace = {workspace:String} AND type = 'run.environment_recorded.v1'
            AND sha256 IN {blobs:Array(String)}
        UNION DISTINCT
        SELECT DISTINCT JSONExtractString(ifNull(spec, ''), 'environment', 'lock_sha256') AS sha256
        FROM runhistory.runs
        WHERE workspace = {workspace:String} AND sha256 IN {blobs:Array(String)}
        """,
        workspace=workspace,
        blobs=list(blobs),
    )
    return {sha256 for (sha256,) in found}


def find_used_snapshots(client: Client, *, workspace: str, snapshots: Collection[str]) -> set[str]:
    """Those of the snapshots that a run which is not deleted has.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        "SELECT DISTINCT snapshot_id FROM runhistory.runs "
        "WHERE workspace = {workspace:String} AND snapshot_id IN {snapshots:Array(String)}",
        workspace=workspace,
        snapshots=list(snapshots),
    )
    return {snapshot_id for (snapshot_id,) in found}
