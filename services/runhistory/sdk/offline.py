"""`OfflineRun`: what a script gets outside of a submitted run. Prints, and keeps nothing.

So the same script runs with and without runhistory. What would be refused in a submitted run (a
value that is no number, a file that is not there) is refused here too, where it costs nothing.
"""

import itertools
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn, SupportsIndex

from runhistory.sdk.errors import OfflineRunError
from runhistory.sdk.http import PATIENCE, Body
from runhistory.sdk.metric_values import check_name, check_step, number
from runhistory.sdk.run import Run
from runhistory.sdk.run_client import RunClient


class OfflineRun(Run):
    """A run of this process alone: the doors of `Run`, with nothing behind them."""

    def __init__(self) -> None:
        self._client = _NoGateway()
        self._seen = self._client.details()
        self._is_this_process = False
        self._attempt = 1
        self._writer = None
        self._ended_here = False
        self._steps: dict[str, itertools.count[int]] = {}

    @property
    def experiment(self) -> NoReturn:
        """An offline run belongs to none."""
        raise _not_kept("experiment")

    @property
    def parent(self) -> None:
        """An offline run is nobody's child."""
        return

    def log(
        self, name: str, value: Any, description: str = "", step: SupportsIndex | None = None
    ) -> None:
        """Print one point; refuses what a run with a gateway would refuse."""
        counter = self._steps.setdefault(check_name(name), itertools.count())
        value = number(name, value)
        at = next(counter) if step is None else check_step(name, step)
        print(f"{name} = {value:g} (step {at})")

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Print one point for each element."""
        for element in [number(check_name(name), element) for element in value]:
            self.log(name, element)

    def download_file(self, name: str, output_file_path: str | Path | None = None) -> NoReturn:
        """There is nothing to download."""
        raise _not_kept("file")

    def restore_snapshot(
        self, snapshot_id: str | None = None, path: str | Path | None = None
    ) -> NoReturn:
        """There is no snapshot."""
        raise _not_kept("snapshot")

    def wait_for_completion(
        self,
        show_output: bool = False,
        wait_post_processing: bool = False,
        raise_on_error: bool = True,
    ) -> NoReturn:
        """It ends with this process, so there is nothing to wait for."""
        raise OfflineRunError("An offline run ends with its process; waiting would never end.")

    def __repr__(self) -> str:
        return f"OfflineRun({self.id!r})"


class _NoGateway(RunClient):
    """Stands where a gateway would: prints what it is told, and has nothing to give."""

    def __init__(self) -> None:
        self.run_id = f"OfflineRun_{uuid.uuid4()}"
        self._tags: dict[str, str] = {}
        self._properties: dict[str, str] = {}
        self._status = "Running"

    def details(self, patience: float = PATIENCE) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "display_name": self.run_id,
            "description": "",
            "type": "interactive",
            "status": self._status,
            "attempt": 1,
            "tags": dict(self._tags),
            "properties": dict(self._properties),
            "snapshot_id": None,
        }

    def command(self, type: str, **fields: Any) -> dict[str, Any]:
        self._tags.update(fields.get("tags", {}))
        self._properties.update(fields.get("properties", {}))
        ends = {"complete": "Completed", "fail": "Failed", "cancel": "Canceled"}
        self._status = ends.get(type, self._status)
        said = ", ".join(
            f"{name} = {value}"
            for part in ("tags", "properties")
            for name, value in fields.get(part, {}).items()
        )
        print(f"{type}: {said or self._status}")
        return {"status": self._status, "attempt": 1}

    def put_file(self, attempt: int, name: str, body: Body) -> dict[str, Any]:
        print(f"upload_file: {name} (not kept)")
        return {}

    def series(self, keys: Any) -> list[dict[str, Any]]:
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
