"""What a decision depends on, and the three forms it takes."""

from datetime import datetime

from msgspec import Struct

from runhistory.domain.events import Event
from runhistory.domain.state import Applied


class Context(Struct, frozen=True):
    """What a decision may depend on besides the run itself."""

    now: datetime


class Accepted(Struct, frozen=True):
    """The wish is granted; these events happened, in this order."""

    events: tuple[Event, ...]


class Unchanged(Struct, frozen=True):
    """Nothing to do. `applied` is the old outcome when the command is a retry."""

    applied: Applied | None = None


class Refused(Struct, frozen=True):
    """The wish is not granted."""

    code: str
    message: str


Decision = Accepted | Unchanged | Refused
