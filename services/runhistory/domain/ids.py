"""Identifiers: who makes them, and how two sides agree on one without asking.

A run's id is made by the client, so a retried creation is the same run. An experiment's id
follows from its name. A command's id is made once by whoever wishes, and kept over retries.
"""

import os
import re
import time
import uuid
from typing import Final

END_OF_TEXT: Final = r"$(?!\n)"
"""The end in every regular expression language; in Python `$` alone passes a last newline."""
RUN_ID_PATTERN: Final = r"^[0-9a-f]{32}" + END_OF_TEXT
EXPERIMENT_NAMESPACE: Final = uuid.UUID("8d0bd5ad-6a4a-5c1e-9a34-6a5b6f0b7c11")
COMPUTE_TARGET_NAMESPACE: Final = uuid.UUID("b3b2f7a4-0d0e-5b7c-8a52-3f6f7f1f9d55")

_RUN_ID = re.compile(RUN_ID_PATTERN)


def new_run_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as 32 hex digits: ids sort by creation time (ms)."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"


def new_command_id() -> str:
    """A fresh command id; a retry of the command keeps it."""
    return uuid.uuid4().hex


def is_run_id(text: str) -> bool:
    """Whether `text` has the form of a run id: 32 lower-case hex digits."""
    return _RUN_ID.fullmatch(text) is not None


def experiment_id(workspace: str, name: str) -> str:
    """The id of an experiment: UUIDv5 of workspace and name, as 32 hex digits."""
    return uuid.uuid5(EXPERIMENT_NAMESPACE, f"{workspace}/{name}").hex


def compute_target_id(workspace: str, name: str) -> str:
    """The id of a compute target: UUIDv5 of workspace and name, as 32 hex digits."""
    return uuid.uuid5(COMPUTE_TARGET_NAMESPACE, f"{workspace}/{name}").hex


_ADJECTIVES: Final = (
    "amber able bold brave brisk calm clear clever cosmic crisp daring deep eager early "
    "fair fancy fast fine frank fresh gentle glad golden good grand great green happy "
    "honest icy jolly keen kind lively lucky merry mighty neat noble patient plain proud "
    "quick quiet rapid ready royal sharp silent silver sly smart solid steady sunny swift "
    "tidy true vivid warm wise witty young"
).split()
_NOUNS: Final = (
    "anchor apple arrow badger beacon birch brook canyon cedar cloud comet coral crane "
    "delta dune eagle ember falcon fern finch forest fox garnet glacier harbor hawk heron "
    "island ivy jade kite lake lantern lark leaf lion lotus lynx maple meadow moon nebula "
    "oak ocean olive orchid otter owl panda pearl pine planet raven reef river robin sail "
    "shore sparrow spruce star stone summit"
).split()


def default_display_name(run_id: str) -> str:
    """A readable name that follows from the run id, such as `brave_otter_7c11`."""
    number = int(run_id[16:], 16)
    adjective = _ADJECTIVES[number % len(_ADJECTIVES)]
    noun = _NOUNS[number // len(_ADJECTIVES) % len(_NOUNS)]
    return f"{adjective}_{noun}_{run_id[-4:]}"
