"""The files that runs kept: names, digests and sizes. The bytes are the object store's."""

from datetime import datetime

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from runhistory.query.rows import read


class KeptFile(Struct, frozen=True):
    """A file of one attempt; `size` in bytes."""

    attempt: int
    name: str
    sha256: str
    size: int
    content_type: str
    time: datetime


_SELECT = """
    SELECT attempt, name, sha256, size, content_type, time FROM runhistory.files
    WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String})
        AND ({attempt:UInt32} = 0 OR attempt = {attempt:UInt32})
"""


def list_files(
    client: Client, *, workspace: str, run_id: str, attempt: int | None = None
) -> list[KeptFile]:
    """The files of `attempt`; without one, each name's newest attempt. Sorted by name.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        _SELECT + "ORDER BY name, attempt DESC LIMIT 1 BY name",
        workspace=workspace,
        run_id=run_id,
        attempt=attempt or 0,
    )
    return [KeptFile(*row) for row in found]


def find_file(
    client: Client, *, workspace: str, run_id: str, name: str, attempt: int | None = None
) -> KeptFile | None:
    """One file, of the newest attempt that kept it unless another is asked for.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        _SELECT + "AND name = {name:String} ORDER BY attempt DESC LIMIT 1",
        workspace=workspace,
        run_id=run_id,
        attempt=attempt or 0,
        name=name,
    )
    return KeptFile(*found[0]) if found else None
