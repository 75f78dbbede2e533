"""An engine that is killed between the writing of a part and its rename.

An INSERT writes a part of each of its targets into a folder `tmp_insert_all_N_N_1` and renames that
when it is whole. strace stops the engine at the system call of one table's rename and kills it
there, so the call is never made.
"""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.support.engine_process import EngineProcess

INSERTS = range(1, 200)
"""The N of an engine's first INSERTs into a table; it counts from 1 in each life."""


def folder_of(engine: EngineProcess, table: str) -> Path:
    """Where the table's parts lie."""
    client = engine.client()
    try:
        database, name = table.split(".")
        query = "SELECT uuid FROM system.tables WHERE database = {a:String} AND name = {b:String}"
        uuid = str(client.query(query, parameters={"a": database, "b": name}).result_rows[0][0])
    finally:
        client.close()
    return engine.data / "store" / uuid[:3] / uuid


@contextlib.contextmanager
def dying_at_rename(engine: EngineProcess, folder: Path) -> Iterator[None]:
    """Start the engine; it dies of the first INSERT into the table whose parts lie in `folder`."""
    parts = [f"{folder}/tmp_insert_all_{number}_{number}_1/" for number in INSERTS]
    options = ["--follow-forks", "--quiet=all", "--output=/dev/null", "--trace=rename"]
    options += ["--inject=rename:signal=KILL", *(f"--trace-path={part}" for part in parts)]
    engine.tracer = ("strace", *options)
    try:
        engine.start()
        yield
    finally:
        engine.tracer = ()
        if engine.process is not None and engine.process.poll() is None:
            engine.stop(signal.SIGTERM)  # which strace passes on


def left_unrenamed(folder: Path) -> list[str]:
    """The parts that were written and have no name yet."""
    return sorted(path.name for path in folder.glob("tmp_insert_*"))
