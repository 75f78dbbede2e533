"""`Experiment`: a named collection of runs, and where runs are made."""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from runhistory.domain.ids import experiment_id, new_command_id, new_run_id
from runhistory.domain.values import MAX_TEXT, Name, RunContent
from runhistory.sdk.config import ScriptRunConfig
from runhistory.sdk.errors import InvalidConfig, InvalidRequest
from runhistory.sdk.git_facts import git_facts
from runhistory.sdk.limits import checked, pairs
from runhistory.sdk.run import Run
from runhistory.sdk.snapshot_upload import Progress, upload_snapshot
from runhistory.sdk.workspace import Workspace

PAGE: Final = 100


class Experiment:
    """An experiment of a workspace. It exists from its first run on; making the object asks
    nothing of the network.

    Raises:
        InvalidRequest: the name is empty, over 256 characters, or holds control characters.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        try:
            self._name: str = msgspec.convert(name, Name)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"An experiment cannot be named {name!r}: {error}") from error
        self._workspace = workspace

    @property
    def workspace(self) -> Workspace:
        """The workspace that it belongs to."""
        return self._workspace

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def id(self) -> str:
        """Its id, which follows from workspace and name."""
        return experiment_id(self._workspace.name, self._name)

    def submit(
        self,
        config: ScriptRunConfig,
        tags: dict[str, Any] | None = None,
        *,
        display_name: str | None = None,
        description: str = "",
        properties: dict[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Run:
        """Take a snapshot of the code, send what is missing of it, and queue the run.

        Returns as soon as the run is queued. The git repository, branch, commit and dirty flag
        of the folder become properties.

        Raises:
            InvalidConfig: the folder cannot be taken, or .amlignore leaves the script out.
            RunHistoryError: the gateway refuses it, or does not answer.
        """
        from runhistory.snapshots import SnapshotError, scan

        run_id = new_run_id()
        try:
            tree = scan(config.source_directory)
        except SnapshotError as error:
            raise InvalidConfig(str(error)) from error
        if config.script not in {entry.path for entry in tree.manifest.entries}:
            raise InvalidConfig(
                f"{tree.ignore_file or 'The rule that leaves out .venv, outputs and logs'} leaves "
                f"the script {config.script!r} out of the snapshot. Bring it back with `!`."
            )
        content = RunContent(
            type="script",
            experiment=self._name,
            display_name=display_name,
            description=description,
            created_by=user_name(),
            tags=pairs("tags", tags),
            properties=pairs("properties", {**git_facts(tree.root), **(properties or {})}),
            spec=config.as_spec(tree.snapshot_id),
        )
        checked(content, "run")
        upload_snapshot(self._workspace.connection, tree, progress)
        return self._create(run_id, content)

    def start_logging(
        self,
        *,
        display_name: str | None = None,
        description: str = "",
        tags: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> Run:
        """Begin an interactive run: this process does the work, and says when it is over.

            with experiment.start_logging() as run:
                run.log("loss", 1.82)

        Raises:
            RunHistoryError: the gateway refuses it, or does not answer.
        """
        content = RunContent(
            type="interactive",
            experiment=self._name,
            display_name=display_name,
            description=description,
            created_by=user_name(),
            tags=pairs("tags", tags),
            properties=pairs("properties", {**git_facts("."), **(properties or {})}),
        )
        checked(content, "run")
        run = self._create(new_run_id(), content)
        run.start()
        return run

    def get_runs(
        self,
        type: Literal["script", "interactive"] | None = None,
        tags: dict[str, str] | None = None,
        *,
        status: str | None = None,
    ) -> Iterator[Run]:
        """The experiment's runs, newest first, fetched page by page as they are asked for.

        Only those with the type, with all of the tags, and in the status, where given.
        """
        cursor: str | None = None
        wanted = [f"{name}:{value}" for name, value in (tags or {}).items()]
        while True:
            page = self._workspace.connection.get(
                "/runs",
                experiment=self._name,
                type=type,
                tag=wanted,
                status=status,
                limit=PAGE,
                cursor=cursor,
            )
            for summary in page["runs"]:
                yield Run(self, summary["run_id"], summary=summary)
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _create(self, run_id: str, content: RunContent) -> Run:
        """One command, with ids that stay over every retry: the same run, once."""
        command = {"run_id": run_id, "command_id": new_command_id(), "content": content}
        self._workspace.connection.send("POST", "/runs", command)
        return Run(self, run_id)

    def __repr__(self) -> str:
        return f"Experiment({self._workspace!r}, {self._name!r})"


def user_name() -> str:
    """Who runs this process, by the system; empty when it does not know."""
    import getpass

    try:
        return getpass.getuser()[:MAX_TEXT]
    except (OSError, KeyError, ImportError):
        return ""
