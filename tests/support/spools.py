"""Spools for writers under test."""

from collections.abc import Callable
from pathlib import Path

from runhistory.sdk.address import Address
from runhistory.sdk.limits import SpoolSettings
from runhistory.sdk.spool_folder import WriterSpools

RUN_ID = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b"


def spools_in(
    root: Path | None, *, max_bytes: int = 2**30, sync_seconds: float | None = None
) -> Callable[[str], WriterSpools]:
    """Makes the spools of a writer below `root`; None: in memory."""
    settings = SpoolSettings(root, max_bytes, sync_seconds, exit_seconds=60.0)
    return lambda writer: WriterSpools.of(settings, Address(), RUN_ID, 1, writer)


in_memory = spools_in(None)


def no_end(batch: object) -> None:
    """For writers of runs that are not ended."""
    raise AssertionError("no run was ended")
