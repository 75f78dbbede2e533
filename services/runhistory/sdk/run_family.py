"""The part of `Run` that has parents and children, and reads the metrics of them all."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from runhistory.sdk.errors import InvalidRequest
from runhistory.sdk.refusals import refuse
from runhistory.sdk.run_logging import RunLogging
from runhistory.sdk.run_search import find_runs

if TYPE_CHECKING:
    from runhistory.sdk.config import ScriptRunConfig
    from runhistory.sdk.run import Run
    from runhistory.sdk.run_metrics import Attempts


class RunFamily(RunLogging):
    """Runs nest: a child names its parent when it is created, and lives a life of its own."""

    @property
    def parent(self) -> "Run | None":
        """The run that it is a child of."""
        from runhistory.sdk.run import Run

        parent = self._known("parent_run_id")
        return Run.get(self._experiment.workspace, parent) if parent else None

    def child_run(
        self, name: str | None = None, run_id: str | None = None, outputs: None = None
    ) -> "Run":
        """Begin a child whose work this process does; end it with `complete`, or as a block:

            with run.child_run("fold 1") as child:
                child.log("accuracy", 0.9)

        Args:
            name: its display name; one is made without.
            run_id: 32 hex digits; one is made without.
        """
        refuse("Run.child_run", outputs=(outputs, "keep files with upload_folder"))
        return self._experiment.begin_run(display_name=name, parent=self.id, run_id=run_id)

    def create_children(
        self,
        count: int | None = None,
        tag_key: str | None = None,
        tag_values: Iterable[Any] | None = None,
    ) -> "list[Run]":
        """Begin several children: `count`, or one for each of `tag_values`, which has the tag
        `tag_key` of this value.

        Raises:
            InvalidRequest: neither, both, or a key without values.
        """
        values = None if tag_values is None else list(tag_values)
        if (tag_key is None) != (values is None):
            raise InvalidRequest("tag_key and tag_values go together.")
        if values is None:
            if count is None or count < 1:
                raise InvalidRequest("Give count (1 or more), or tag_key and tag_values.")
            tags: list[dict[str, Any]] = [{}] * count
        else:
            if count not in (None, len(values)):
                raise InvalidRequest(f"count is {count}, and there are {len(values)} tag_values.")
            tags = [{str(tag_key): value} for value in values]
        return [
            self._experiment.begin_run(parent=self.id, tags=tags_of_one) for tags_of_one in tags
        ]

    def submit_child(
        self, config: "ScriptRunConfig", tags: dict[str, Any] | None = None, **more: Any
    ) -> "Run":
        """Submit a script as a child; as `Experiment.submit`, with the same arguments."""
        return self._experiment.submit(config, tags, parent=self.id, **more)

    def get_children(
        self,
        recursive: bool = False,
        tags: Any = None,
        properties: Any = None,
        type: Any = None,
        status: str | None = None,
    ) -> "Iterator[Run]":
        """Its children, newest first, fetched page by page as they are asked for; their children
        as well, with `recursive`.

        `tags` and `properties` are a name, or a dict of names and values (None: any value).
        """
        return find_runs(
            self._experiment.workspace,
            parent=self.id,
            recursive=recursive,
            tags=tags,
            properties=properties,
            type=type,
            status=status,
            archived="all",
        )

    def get_metrics(
        self,
        name: str | None = None,
        recursive: bool = False,
        run_type: Any = None,
        populate: bool = False,
        *,
        attempts: "Attempts" = "latest",
    ) -> dict[str, Any]:
        """What was logged, all or under `name`: {name: value}. Holds what this process logged.

        One value is as it was logged; several are a list in the order of their steps. Rows and
        tables are {column: [cells]}, and {column: cell} for one row; images and charts the name
        of their file, or with `populate` what is in it (bytes, and the chart's dict). The samples
        of host and GPUs (`system/…`) come only when asked for by name.

        `attempts` chooses, for a run that was started more than once: `latest`, where an attempt
        hides earlier ones of the same name from its own first step on; `all`, by step and attempt;
        or one attempt by its number, counted from 1.

        With `recursive` it is {run id: metrics}, of this run and all its descendants; `run_type`
        (`script`, `interactive`) takes only those of the type.
        """
        if not recursive:
            return self._read_metrics(name, populate, attempts)
        found = {}
        if run_type is None or self.type == run_type:
            found[self.id] = self._read_metrics(name, populate, attempts)
        for child in self.get_children(recursive=True, type=run_type):
            found[child.id] = child.get_metrics(name, populate=populate, attempts=attempts)
        return found
