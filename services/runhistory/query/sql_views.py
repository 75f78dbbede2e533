"""The views that a user's SQL may read: those of the database `runhistory`, as the migrations say.

A view that a migration adds is readable at once, in its caller's workspace: the guard puts a
filter on its column `workspace` around it, and a view without one fails instead of showing all.
"""

import re
from functools import cache
from typing import Final

from runhistory.clickhouse.migrations import load_migrations

DATABASE: Final = "runhistory"

FOR_SERVICES: Final = frozenset({"event_log", "event_offsets", "point_batches"})
"""Views that only services read: what was deleted, offsets of the whole deployment, and points as
they lie, which are `points` to everybody else."""

_VIEW: Final = re.compile(r"(CREATE OR REPLACE|DROP) VIEW (?:IF EXISTS )?runhistory\.(\w+)")


@cache
def readable_views() -> frozenset[str]:
    """Their names."""
    views: set[str] = set()
    for migration in load_migrations():
        for action, name in _VIEW.findall(migration.text):
            if action == "DROP":
                views.discard(name)
            else:
                views.add(name)
    return frozenset(views - FOR_SERVICES)
