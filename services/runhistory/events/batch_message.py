"""The stored message of a batch that is encoded anew: our envelope, then what the batch has.

Batches of points are spliced instead (metric_batch.py): they are too many to build twice.
"""

import msgspec
from msgspec import Struct


def encode(
    message: type[Struct], batch: Struct, *, workspace: str, run_id: str, attempt: int
) -> bytes:
    """The message as JSON, in which so no name stands twice. `message` has the batch's fields
    behind `workspace`, `run_id` and `attempt`."""
    fields = {name: getattr(batch, name) for name in batch.__struct_fields__}
    return msgspec.json.encode(
        message(workspace=workspace, run_id=run_id, attempt=attempt, **fields)
    )
