"""The import rule: rooms know each other one way only, and light rooms load no server library.

Read off the source of every module, so imports inside functions count too.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "services" / "runhistory"

MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "events": {"domain"},
    "snapshots": {"domain"},
    "environments": {"domain"},
    # adapters, and what every service process shares
    "kafka": {"domain", "events", "runtime"},
    "clickhouse": {"events", "runtime"},
    "objects": {"domain", "events", "snapshots", "runtime"},
    "runtime": {"domain", "events"},
    "query": {"domain", "events", "clickhouse", "kafka", "runtime"},
    # services: they meet in Kafka and ClickHouse, never in Python
    "lifecycle": {"domain", "events", "kafka", "clickhouse", "query", "runtime"},
    # it erases what deleted runs left, in the object store too
    "sink": {
        "domain",
        "events",
        "snapshots",
        "kafka",
        "clickhouse",
        "objects",
        "query",
        "runtime",
    },
    "watch": {"domain", "events", "kafka", "query", "runtime"},
    "gateway": {
        "domain",
        "events",
        "snapshots",
        "kafka",
        "clickhouse",
        "objects",
        "query",
        "runtime",
    },
    "worker": {
        "domain",
        "environments",
        "events",
        "snapshots",
        "kafka",
        "clickhouse",
        "objects",
        "query",
        "runtime",
    },
    "scheduler": {"domain", "events", "kafka", "clickhouse", "query", "runtime"},
    # what users hold in their hands
    "sdk": {"domain", "environments", "events", "snapshots"},
    # `stack` and `kafka` for the commands of operators alone
    "cli": {"domain", "events", "snapshots", "sdk", "stack", "kafka"},
    "stack": {"domain", "events", "kafka", "clickhouse", "runtime"},
}
"""Each room and the other rooms it may import. The package's own face (`__init__`) is for all."""

SERVICES = {"lifecycle", "sink", "watch", "gateway", "worker", "scheduler"}
LIGHT = {"msgspec", "orjson", "httpx", "rich", "typer", "click"}
FRAMES = {"pandas", "polars", "pyarrow"}
"""Data frames: not in a base install, imported where an answer is asked for as one."""
PIXELS = {"numpy", "PIL"}
"""Imported where an image is made of an array of pixels."""
LIBRARIES: dict[str, set[str]] = {
    "domain": {"msgspec"},
    "events": {"msgspec", "orjson"},
    "snapshots": {"msgspec"},
    "environments": {"msgspec"},
    "sdk": LIGHT | FRAMES | PIXELS,
    "cli": LIGHT,
}
"""The rooms that a base install has, and the only libraries that they may use."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> Iterator[str]:
    """Every module that a source names in an import, `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(room: str, source: str) -> list[str]:
    """What a module of `room` imports though it may not."""
    allowed = MAY_IMPORT[room] | {room}
    found = []
    for name in imported(source):
        top, *inside = name.split(".")
        if top == "runhistory":
            if inside and inside != ["__version__"] and inside[0] not in allowed:
                found.append(name)
        elif top not in sys.stdlib_module_names and top not in LIBRARIES.get(room, {top}):
            found.append(name)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_what_its_room_may(module: Path) -> None:
    if module.parent != PACKAGE:
        assert violations(room_of(module), module.read_text("utf-8")) == []


def test_every_room_has_its_row() -> None:
    rooms = {module.relative_to(PACKAGE).parts[0] for module in MODULES if module.parent != PACKAGE}
    assert rooms <= set(MAY_IMPORT)


def test_the_table_goes_one_way_and_keeps_services_apart() -> None:
    for room, others in MAY_IMPORT.items():
        assert not others & SERVICES
        for other in others:
            assert room not in MAY_IMPORT[other], f"{room} and {other} import each other"


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("sink", "from runhistory.gateway import app"),
        ("sink", "import runhistory.worker.main"),
        ("domain", "def f():\n    from runhistory.events.codec import Reply"),
        ("sdk", "import aiokafka"),
        ("sdk", "from runhistory import kafka"),
        ("domain", "if True:\n    import httpx"),
    ],
)
def test_a_breach_is_seen(room: str, source: str) -> None:
    assert len(violations(room, source)) == 1
