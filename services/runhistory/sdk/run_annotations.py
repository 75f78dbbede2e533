"""The part of `Run` that says something about it: tags, properties, params, names, sight."""

from collections.abc import Iterable
from typing import Any

from runhistory.sdk.limits import names, pairs
from runhistory.sdk.run_facts import RunFacts


class RunAnnotations(RunFacts):
    """Tags may change, properties and params are written once. Each call is one command."""

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag; the same key again takes the new value."""
        self.set_tags({key: value})

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set tags; the same key again takes the new value. Values become texts."""
        self._client.command("set_tags", tags=pairs("tags", tags))

    def remove_tags(self, tags: str | Iterable[str]) -> None:
        """Remove one tag or several; one that is not set is passed over."""
        if wanted := names("tags", tags):
            self._client.command("remove_tags", names=wanted)

    def add_properties(self, properties: dict[str, Any]) -> None:
        """Add properties. They are written once: another value for a key is a Conflict."""
        self._client.command("add_properties", properties=pairs("properties", properties))

    def log_params(self, params: dict[str, Any]) -> None:
        """Keep what the run was started with, such as {"lr": 0.1}. Written once: the same value
        again is fine, another one is a Conflict. Values become texts.

        `--lr 0.1` and `--lr=0.1` in the arguments of a submitted script are params already.
        """
        self._client.command("add_params", params=pairs("params", params))

    @property
    def params(self) -> dict[str, str]:
        """Its params as last seen."""
        return dict(self._known("params") or {})

    def archive(self) -> None:
        """Put it out of sight: lists leave it out unless asked for it. Nothing is lost."""
        self._client.command("archive")

    def reactivate(self) -> None:
        """Undo `archive`."""
        self._client.command("reactivate")

    def delete(self) -> None:
        """Delete it for good: its points, records, lines and files go; its id stays taken.

        Raises:
            Conflict: it is going on; cancel it first.
        """
        self._client.command("delete")
        self._seen = None
