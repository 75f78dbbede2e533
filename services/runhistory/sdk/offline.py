"""`OfflineRun`: what a script gets outside of a submitted run. Prints, and keeps nothing.

So the same script runs with and without runhistory. What would be refused in a submitted run (a
value that cannot be kept, a file that is not there) is refused here too, where it costs nothing.
"""

import itertools
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, SupportsIndex

from runhistory.domain.values import RunError
from runhistory.events.record_batch import RecordKind
from runhistory.sdk.batch import Attachment
from runhistory.sdk.errors import OfflineRunError
from runhistory.sdk.http import PATIENCE, Body
from runhistory.sdk.metric_values import check_name, check_step
from runhistory.sdk.metric_writer import checked_value
from runhistory.sdk.run import Run
from runhistory.sdk.run_client import RunClient
from runhistory.sdk.run_facts import RunFacts


class OfflineRun(Run):
    """A run of this process alone: the doors of `Run`, with nothing behind them."""

    def __init__(self) -> None:
        self._client = _NoGateway()
        self._seen = self._client.details()
        self._attempt = 1
        self._steps: dict[str, itertools.count[int]] = {}

    @property
    def experiment(self) -> NoReturn:
        """An offline run belongs to none."""
        raise _not_kept("experiment")

    @property
    def parent(self) -> None:
        """An offline run is nobody's child."""
        return

    def start(self) -> None:
        """It has begun already."""

    def log(
        self, name: str, value: Any, description: str = "", step: SupportsIndex | None = None
    ) -> None:
        """Print one value; refuses what a run with a gateway would refuse."""
        value = checked_value(check_name(name), value)
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        print(f"{name} = {shown} (step {self._step(name, step)})")

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Print each element."""
        for element in [checked_value(check_name(name), element) for element in value]:
            self.log(name, element)

    def child_run(
        self, name: str | None = None, run_id: str | None = None, outputs: None = None
    ) -> "OfflineRun":
        """Another offline run."""
        print(f"child_run: {name or 'unnamed'} (not kept)")
        return OfflineRun()

    def create_children(
        self,
        count: int | None = None,
        tag_key: str | None = None,
        tag_values: Iterable[Any] | None = None,
    ) -> "list[Run]":
        """As many offline runs."""
        tags = [{}] * (count or 0) if tag_values is None else [{tag_key: v} for v in tag_values]
        children: list[Run] = []
        for number, tags_of_one in enumerate(tags):
            child = self.child_run(f"child {number}")
            if tags_of_one:
                child.set_tags({str(name): value for name, value in tags_of_one.items()})
            children.append(child)
        return children

    def get_children(
        self,
        recursive: bool = False,
        tags: Any = None,
        properties: Any = None,
        type: Any = None,
        status: str | None = None,
    ) -> "Iterator[Run]":
        """None: nothing is kept."""
        return iter(())

    def download_file(self, name: str, output_file_path: str | Path | None = None) -> NoReturn:
        """There is nothing to download."""
        raise _not_kept("file")

    def download_files(self, *_: Any, **__: Any) -> NoReturn:
        """There is nothing to download."""
        raise _not_kept("file")

    def get_portal_url(self) -> NoReturn:
        """The studio has no page of it."""
        raise _not_kept("page")

    def get_environment(self) -> NoReturn:
        """What it runs in is not recorded."""
        raise _not_kept("environment on record")

    def reproduce(self, **_: Any) -> NoReturn:
        """There is no record of it to repeat."""
        raise _not_kept("record to repeat")

    def diff(self, other: RunFacts) -> NoReturn:
        """There is no record of it to compare."""
        raise _not_kept("record to compare")

    def take_snapshot(self, file_or_folder_path: str | Path) -> str:
        """Print what would be taken."""
        print(f"take_snapshot: {file_or_folder_path} (not kept)")
        return ""

    def restore_snapshot(
        self, snapshot_id: str | None = None, path: str | Path | None = None
    ) -> NoReturn:
        """There is no snapshot."""
        raise _not_kept("snapshot")

    def submit_child(
        self, config: Any, tags: dict[str, Any] | None = None, **more: Any
    ) -> NoReturn:
        """There is nobody to submit to."""
        raise _not_kept("compute")

    def wait_for_completion(
        self,
        show_output: bool = False,
        wait_post_processing: bool = False,
        raise_on_error: bool = True,
    ) -> NoReturn:
        """It ends with this process, so there is nothing to wait for."""
        raise OfflineRunError("An offline run ends with its process; waiting would never end.")

    def _take(
        self,
        name: str,
        kind: RecordKind,
        value: Any,
        attachment: Attachment | None = None,
        step: SupportsIndex | None = None,
    ) -> None:
        shown = value if attachment is None else f"{len(attachment.content):,} bytes (not kept)"
        print(f"{name} ({kind}) = {shown} (step {self._step(name, step)})")

    def _step(self, name: str, step: SupportsIndex | None) -> int:
        counter = self._steps.setdefault(name, itertools.count())
        return next(counter) if step is None else check_step(name, step)

    def __repr__(self) -> str:
        return f"OfflineRun({self.id!r})"


class _NoGateway(RunClient):
    """Stands where a gateway would: prints what it is told, and has nothing to give."""

    def __init__(self) -> None:
        self.run_id = f"OfflineRun_{uuid.uuid4()}"
        self._pairs: dict[str, dict[str, str]] = {"tags": {}, "properties": {}, "params": {}}
        self._said = {"display_name": self.run_id, "description": "", "status": "Running"}

    def details(self, patience: float = PATIENCE) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "type": "interactive",
            "attempt": 1,
            "parent_run_id": None,
            "snapshot_id": None,
            **self._said,
            **{name: dict(pairs) for name, pairs in self._pairs.items()},
        }

    def command(self, type: str, **fields: Any) -> dict[str, Any]:
        for part, pairs in self._pairs.items():
            pairs.update(fields.get(part, {}))
        for name in fields.get("names", ()):
            self._pairs["tags"].pop(name, None)
        ends = {"complete": "Completed", "fail": "Failed", "cancel": "Canceled"}
        self._said["status"] = ends.get(type, self._said["status"])
        names = ("display_name", "description")
        described = {str(name): str(fields[name]) for name in names if name in fields}
        self._said.update(described)
        pairs_said = {k: v for part in self._pairs for k, v in fields.get(part, {}).items()}
        said = [f"{name} = {value}" for name, value in {**pairs_said, **described}.items()]
        said += fields.get("names", ())
        if isinstance(error := fields.get("error"), RunError):
            said.append(f"{error.code}: {error.message}")
        print(f"{type}: {', '.join(said) or self._said['status']}")
        return {"status": self._said["status"], "attempt": 1, "outcome": "accepted"}

    def put_file(self, attempt: int, name: str, body: Body) -> dict[str, Any]:
        print(f"upload_file: {name} (not kept)")
        return {}

    def series(self, keys: Any, attempt: str | None = None) -> list[dict[str, Any]]:
        return []

    def records(self, keys: Any, attempt: str | None = None) -> list[dict[str, Any]]:
        return []

    def files(self) -> list[dict[str, Any]]:
        return []

    def lines(
        self, after: str | None = None, patience: float = PATIENCE
    ) -> tuple[list[dict[str, Any]], str | None]:
        return [], after


def _not_kept(what: str) -> OfflineRunError:
    return OfflineRunError(
        f"This is an offline run, which keeps nothing and has no {what}. Submit the script with "
        "`runhistory submit` to have one."
    )
