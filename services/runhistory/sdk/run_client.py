"""What the gateway can be asked and told about one run: HTTP paths and JSON, nothing more."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
import orjson

from runhistory.domain.ids import is_run_id, new_command_id
from runhistory.sdk.batch import Batch
from runhistory.sdk.errors import InvalidRequest
from runhistory.sdk.http import PATIENCE, Body, Connection

LINES_A_PAGE: Final = 1_000
RECORDS_A_PAGE: Final = 10_000
FILE_SECONDS: Final = 300.0


def path_of(run_id: str) -> str:
    """The path of a run.

    Raises:
        InvalidRequest: it is no run id.
    """
    if not isinstance(run_id, str) or not is_run_id(run_id):
        raise InvalidRequest(
            f"{run_id!r} is no run id, which is 32 hex digits. By a name or the beginning of "
            "an id a run is found with Workspace.find_run()."
        )
    return f"/runs/{run_id}"


class RunClient:
    """The gateway's view of one run. Every call raises RunHistoryError as `Connection` does."""

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._path = path_of(run_id)
        self.connection = connection
        self.run_id = run_id

    def details(self, patience: float = PATIENCE) -> dict[str, Any]:
        """Everything about the run but its points, lines and files."""
        answer: dict[str, Any] = self.connection.get(self._path, patience=patience)
        return answer

    def command(self, type: str, *, patience: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """Have a command applied once, however often it has to be sent; its CommandResult.

        It has an id of its own, unless `command_id` is among the fields.
        """
        command = {"type": type, "command_id": new_command_id(), **fields}
        return self.send_command(msgspec.json.encode(command), patience)

    def send_command(self, command: bytes, patience: float = 0.0) -> dict[str, Any]:
        """Send a command that was encoded before; one try, unless there is patience for more."""
        path = f"{self._path}/commands"
        sent = self.connection.request("POST", path, body=command, patience=patience)
        answer: dict[str, Any] = self.connection.remember(orjson.loads(sent.content))
        return answer

    def send_points(self, attempt: int, body: bytes, patience: float = 0.0) -> None:
        """Send a metric batch; one try, unless there is patience for more."""
        path = f"{self._path}/attempts/{attempt}/metrics"
        answer = self.connection.request("POST", path, body=body, patience=patience)
        self.connection.remember(orjson.loads(answer.content))

    def send_records(self, attempt: int, batch: Batch, patience: float = 0.0) -> None:
        """Keep the files that a batch of records names, then send it; as `send_points`."""
        for name, content, command_id in batch.attachments:
            path = self._path_to_keep(attempt, name)
            query = {"command_id": command_id}
            kept = self.connection.request(
                "PUT",
                path,
                body=content,
                query=query,
                content_type="application/octet-stream",
                patience=patience,
                answer_within=FILE_SECONDS,
            )
            self.connection.remember(orjson.loads(kept.content))
        path = f"{self._path}/attempts/{attempt}/records"
        answer = self.connection.request("POST", path, body=batch.body, patience=patience)
        self.connection.remember(orjson.loads(answer.content))

    def series(self, keys: Sequence[str], attempt: str | None = None) -> list[dict[str, Any]]:
        """All points of the keys, latest attempt's view unless another is asked for; without any
        key, of all but `system/…`."""
        answer = self.connection.get(
            f"{self._path}/metrics", key=list(keys), attempt=attempt, system="false"
        )
        found: list[dict[str, Any]] = answer["series"]
        return found

    def records(self, keys: Sequence[str], attempt: str | None = None) -> list[dict[str, Any]]:
        """All records of the keys (without any, of all), by key and step; views as in `series`."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.connection.get(
                f"{self._path}/records",
                key=list(keys),
                attempt=attempt,
                limit=RECORDS_A_PAGE,
                cursor=cursor,
            )
            found += page["records"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def ingestion(self) -> dict[str, Any]:
        """What arrived of the run, by writer."""
        answer: dict[str, Any] = self.connection.get(f"{self._path}/ingestion")
        return answer

    def lines(
        self, after: str | None = None, patience: float = PATIENCE
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Console lines after a cursor in the order in which they arrived, and the next cursor."""
        answer = self.connection.get(
            f"{self._path}/logs", after=after, limit=LINES_A_PAGE, patience=patience
        )
        return answer["lines"], answer.get("cursor") or after

    def last_lines(self, count: int, stream: str | None = None) -> list[dict[str, Any]]:
        """The last `count` console lines (at most 10,000), of one stream or of all."""
        answer = self.connection.get(f"{self._path}/logs", tail=count, stream=stream)
        found: list[dict[str, Any]] = answer["lines"]
        return found

    def files(self) -> list[dict[str, Any]]:
        """The manifest of the files that the run kept, as the newest attempt left them."""
        found: list[dict[str, Any]] = self.connection.get(f"{self._path}/files")["files"]
        return found

    def put_file(self, attempt: int, name: str, body: Body) -> dict[str, Any]:
        """Keep a file; the same name again is the newer file."""
        path = self._path_to_keep(attempt, name)
        answer: dict[str, Any] = self.connection.put(path, body, command_id=new_command_id())
        return answer

    def file_bytes(self, name: str) -> bytes:
        """A kept file's bytes, in memory."""
        with self.connection.stream(self.file_path(name)) as answer:
            content: bytes = answer.read()
        return content

    def file_path(self, name: str) -> str:
        """The path at which a file's bytes are."""
        return f"{self._path}/files/{quote(name)}"

    def _path_to_keep(self, attempt: int, name: str) -> str:
        return f"{self._path}/attempts/{attempt}/files/{quote(name)}"
