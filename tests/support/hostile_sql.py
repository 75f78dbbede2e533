"""SQL that has to be refused: `hostile.sql`, where `### why` stands above each statement."""

from pathlib import Path

import pytest

_PATH = Path(__file__).with_name("hostile.sql")


def _load() -> list[tuple[str, str]]:
    blocks = _PATH.read_text("utf-8").removeprefix("### ").split("\n### ")
    return [(why, statement.rstrip("\n")) for why, _, statement in
            (block.partition("\n") for block in blocks)]  # fmt: skip


HOSTILE = _load()
"""Why, and the statement."""

HOSTILE_CASES = [
    pytest.param(statement, id=f"{number}-{why}")
    for number, (why, statement) in enumerate(HOSTILE, start=1)
]
