"""A detached run (RUNHISTORY_MODE=detached): recorded on disk from its start, sent later.

Where a gateway would be asked, `Recorder` keeps the request, as it is and with its time, in a
folder; `runhistory sync DIR` repeats the requests in order (detached_sync.py). Every request of the
SDK carries ids made here, so that is safe however often it happens, and the ids are those of the
recording. What would have been answered is told from what was recorded. Delivery: as a spool's.

    DIR/<process>/requests-00000001.seg …   one folder for each process; the first has the runs
    DIR/<process>/body-…                    a file that was uploaded, copied
"""

import atexit
import contextlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec
import orjson

from runhistory.sdk.address import Address
from runhistory.sdk.batch import Batch
from runhistory.sdk.errors import OfflineRunError, Unavailable
from runhistory.sdk.http import Body, Call, Connection
from runhistory.sdk.limits import spool_settings
from runhistory.sdk.spool import HELD_BYTES, Spool
from runhistory.sdk.spool_folder import REQUESTS, Owner, SpoolFolder

if TYPE_CHECKING:
    import httpx

ENDS: Final = {"complete": "Completed", "fail": "Failed", "cancel": "Canceled"}
OPEN_RUNS: Final = "open-runs.json"
_WITHOUT_A_TRACE: Final = ("/heartbeat",)

logger: Final = logging.getLogger("runhistory")


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A request as it is repeated later, made at `time` (µs since 1970); a `file` has its body."""

    method: str
    path: str
    query: dict[str, Any]
    content_type: str
    time: int
    body: bytes = b""
    file: str | None = None


def is_detached() -> bool:
    """Whether runs are recorded here instead of being sent."""
    return os.environ.get("RUNHISTORY_MODE") == "detached"


def connect(address: Address) -> Connection:
    """A connection to the gateway, or what records instead of it."""
    return Recorder(address) if is_detached() else Connection(address)


class Recorder(Connection):
    """Keeps what a gateway would be told. Reads raise OfflineRunError, but of a run's own state."""

    def __init__(self, address: Address, directory: Path | None = None) -> None:
        super().__init__(address)
        name = f"{datetime.now().strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        self.directory = directory or _root() / name
        self._runs: dict[str, dict[str, Any]] = {}
        self._begin()
        atexit.register(self._mourn)  # before all that records something as the process ends

    def _answer(self, call: Call, patience: float, answer_within: float) -> "httpx.Response":
        """Keep the request and answer it.

        Raises:
            OfflineRunError: it asks for what only a gateway has.
            Unavailable: the disk is full, and the memory for what it cannot take.
        """
        method, path, body, content_type, query = call
        if method == "GET":
            answer = self._read(path)
        elif path.endswith(_WITHOUT_A_TRACE):
            answer = {}
        elif path == "/blobs/missing":
            assert isinstance(body, bytes)
            answer = {"missing": orjson.loads(body)["sha256"]}
        else:
            answer = self._write(Request(method, path, query, content_type, _now()), body)
        return SimpleNamespace(content=orjson.dumps(answer))  # type: ignore[return-value]

    def stream(self, path: str, **_: Any) -> Any:
        """There is nothing to download."""
        raise self._not_here()

    def close(self) -> None:
        """Leave the folder to whoever sends it. What comes later is put there as well."""
        with self.lock:
            self._let_go()

    def _let_go(self) -> None:
        self._spool.sync(at_once=True)
        self._spool.close()
        self._folder.let_go()

    def _mourn(self) -> None:
        """The process ends, and with it what is in memory alone."""
        self.close()
        if self._spool.held_items:
            logger.error(
                "runhistory: the last %s requests that were recorded in %s could not be written "
                "and are LOST. %s",
                f"{self._spool.held_items:,}",
                self.directory,
                self._spool.trouble,
            )

    def _begin(self) -> None:
        owner = Owner.of(self.address, "", 0, uuid.uuid4().hex)
        self._folder = SpoolFolder(self.directory, owner)
        self._spool = Spool(
            self._folder.open,
            REQUESTS,
            max_bytes=2**63,
            sync_seconds=spool_settings().sync_seconds,
        )
        self._count = 0

    def _write(self, request: Request, body: Body) -> dict[str, Any]:
        run_id = run_of(request.path)
        answer: dict[str, Any] = {}
        if isinstance(body, bytes):
            if request.path == "/runs" or request.path.endswith("/commands"):
                answer, body = self._told(run_id, orjson.loads(body), request)
            request = msgspec.structs.replace(request, body=body)
        else:
            request = msgspec.structs.replace(request, file=self._copy(body))
        with self.lock:
            if self._spool.held_bytes > HELD_BYTES:
                raise Unavailable(f"{self.directory} cannot be written, and the memory is full.")
            self._spool.append(Batch(self._count, 1, msgspec.msgpack.encode(request)))
            self._count += 1
            self._spool.sync()
            if self._note_open_runs() == [] and self._runs:
                self._let_go()  # this process may live on, and somebody sends its runs now
        return answer

    def _copy(self, body: Callable[[], IO[bytes]]) -> str:
        """Copy the file beside the requests, whole or not at all; its name there."""
        path = self._folder.open() / f"body-{uuid.uuid4().hex}"
        try:
            with body() as source, path.open("xb") as copy:
                shutil.copyfileobj(source, copy, 1024 * 1024)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path.name

    def _told(
        self, run_id: str, command: dict[str, Any], request: Request
    ) -> tuple[dict[str, Any], bytes]:
        """What the lifecycle would answer, and the command with its time."""
        is_experiments = request.path.startswith("/experiments")
        if request.path == "/runs":
            content, run_id = command["content"], command["run_id"]
            if content["type"] != "interactive":
                raise OfflineRunError(
                    "A detached run is one that this process does itself; submit needs a gateway. "
                    "Unset RUNHISTORY_MODE."
                )
            is_first = not self._runs
            self._runs[run_id] = {
                "run_id": run_id,
                "status": "Running" if command.get("start") else "NotStarted",
                "attempt": 1 if command.get("start") else 0,
                "snapshot_id": None,
                **{name: content.get(name) for name in ("type", "experiment", "parent_run_id")},
                "display_name": content.get("display_name") or run_id,
                "description": content.get("description") or "",
                **{name: content.get(name) or {} for name in ("tags", "properties", "params")},
            }
            if is_first:
                logger.warning(
                    "runhistory: run %s is recorded in %s; `runhistory sync %s` sends it.",
                    run_id,
                    self.directory,
                    self.directory,
                )
        elif not is_experiments and run_id in self._runs:
            _fold(self._runs[run_id], command)
        if not is_experiments:
            command["at"] = datetime.fromtimestamp(request.time / 1e6, UTC).isoformat()
        run = self._runs.get(run_id, {})
        answer = {"run_id": run_id, "outcome": "accepted", "watermark": None}
        answer |= {name: run.get(name) for name in ("status", "attempt")}
        return answer, orjson.dumps(command)

    def _read(self, path: str) -> dict[str, Any]:
        run_id = run_of(path)
        if path == f"/runs/{run_id}" and run_id in self._runs:
            return self._runs[run_id]
        raise self._not_here()

    def _not_here(self) -> OfflineRunError:
        return OfflineRunError(
            f"Runs are recorded in {self.directory} (RUNHISTORY_MODE=detached), and can be read "
            f"when `runhistory sync {self.directory}` has sent them."
        )

    def _note_open_runs(self) -> list[str]:
        """Which runs have no end on record, for whoever sends them when this process was killed."""
        found = [r for r, run in self._runs.items() if run["status"] not in ENDS.values()]
        with contextlib.suppress(OSError):
            path = self._folder.open() / OPEN_RUNS
            if not path.exists() or orjson.loads(path.read_bytes()) != found:
                new = path.with_suffix(".new")
                new.write_bytes(orjson.dumps(found))
                new.replace(path)
        return found

    def __reduce__(self) -> Any:
        """In another process it records beside this one."""
        return Recorder, (msgspec.structs.replace(self.address, token=None), self.directory)

    def _after_fork(self) -> None:
        super()._after_fork()
        self._spool.drop_file()
        self._folder.let_go()
        self._runs = {}  # which the parent ends
        self._begin()


def _fold(run: dict[str, Any], command: dict[str, Any]) -> None:
    kind = command["type"]
    for name in ("tags", "properties", "params"):
        run[name] = {**run[name], **command.get(name, {})}
    if kind == "remove_tags":
        run["tags"] = {n: v for n, v in run["tags"].items() if n not in command["names"]}
    if kind == "start":
        run["attempt"] = 1
    run["status"] = {"start": "Running", "pause": "Paused", "resume": "Running", **ENDS}.get(
        kind, run["status"]
    )
    for name in ("display_name", "description", "snapshot_id"):
        if command.get(name) is not None:
            run[name] = command[name]


def run_of(path: str) -> str:
    """The run that a path is about; empty for none."""
    return path.split("/")[2] if path.startswith("/runs/") else ""


def _root() -> Path:
    return Path(os.environ.get("RUNHISTORY_DETACHED") or ".runhistory/detached").absolute()


def _now() -> int:
    return time.time_ns() // 1000
