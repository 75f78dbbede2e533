"""A ledger on disk of what a program sent and of what was acknowledged; it outlives the program.

Lines are `sent RUN WRITER SEQ` and `acked RUN WRITER SEQ`, each on the disk (fdatasync) before the
program goes on: a batch is `sent` before its first byte leaves, and counts as acknowledged
only once that is written. What a batch says follows from its name, so a program that was killed
repeats the same content under the same ids, and the oracle needs no copy of it.
"""

import os
import random
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

POINTS: Final = 20
"""In each batch."""
COMMANDS: Final = "commands"
"""The writer whose numbers are those of commands, not of batches."""

_VALUES: Final = ("NaN", "Infinity", "-Infinity", -0.0, 5e-324, 1.7976931348623157e308)
_STEPS: Final = (-(2**63), 2**63 - 1, -1, 999, 1_000)
_HOUR: Final = 3_600_000_000


class Name(NamedTuple):
    """A batch, or a command where the writer is COMMANDS."""

    run_id: str
    writer: str
    seq: int


class FaultLedger:
    """One program writes it at a time; whoever likes reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def write(self, kind: str, name: Name) -> None:
        """Returns when the line is on the disk."""
        os.write(self._file, f"{kind} {name.run_id} {name.writer} {name.seq}\n".encode())
        os.fdatasync(self._file)

    def sent(self) -> set[Name]:
        """What may have arrived."""
        return self._names("sent")

    def acked(self) -> set[Name]:
        """What was acknowledged."""
        return self._names("acked")

    def close(self) -> None:
        os.close(self._file)

    def _names(self, kind: str) -> set[Name]:
        # A line without an end was being written when its program died.
        lines = self._path.read_text().rpartition("\n")[0].splitlines()
        fields = (line.split(" ") for line in lines if line.startswith(f"{kind} "))
        return {Name(run_id, writer, int(seq)) for _, run_id, writer, seq in fields}


def batches(names: Iterable[Name]) -> set[Name]:
    """Those that are batches of points."""
    return {name for name in names if name.writer != COMMANDS}


def content(name: Name) -> dict[str, Any]:
    """The batch of that name, as a client sends it: odd values and steps, clocks wrong by hours."""
    clock = random.Random(f"{name.run_id} {name.writer}").choice([-9, 0, 5]) * _HOUR
    dice = random.Random(" ".join(map(str, name)))
    return {
        "writer": name.writer,
        "seq": name.seq,
        "keys": ["train/loss", "val/acc"],
        "key_index": [dice.randint(1, 2) for _ in range(POINTS)],
        "steps": [_odd(dice, _STEPS, dice.randrange(5_000)) for _ in range(POINTS)],
        "values": [_odd(dice, _VALUES, dice.random()) for _ in range(POINTS)],
        "times": [1_700_000_000_000_000 + clock + dice.randrange(_HOUR) for _ in range(POINTS)],
    }


def command(name: Name) -> dict[str, Any]:
    """The command of that name: it sets the tag `n` to its number."""
    return {"type": "set_tags", "command_id": command_id(name), "tags": {"n": str(name.seq)}}


def command_id(name: Name) -> str:
    """The same whenever it is sent."""
    return uuid.uuid5(uuid.NAMESPACE_OID, " ".join(map(str, name))).hex


def _odd(dice: random.Random, odd: tuple[Any, ...], usual: Any) -> Any:
    """One of ten is odd."""
    return dice.choice(odd) if dice.random() < 0.1 else usual
