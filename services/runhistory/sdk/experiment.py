"""`Experiment`: a named collection of runs, and where runs are made."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlencode

import msgspec

from runhistory.domain.ids import experiment_id, new_command_id, new_run_id
from runhistory.domain.values import MAX_TEXT, Name, RunContent
from runhistory.sdk.azure_names import EXPERIMENT
from runhistory.sdk.config import ScriptRunConfig
from runhistory.sdk.errors import InvalidConfig, InvalidRequest, NotFound
from runhistory.sdk.git_facts import git_facts
from runhistory.sdk.limits import checked, names, pairs
from runhistory.sdk.refusals import Refusing, refuse, refuse_unknown
from runhistory.sdk.run import Run
from runhistory.sdk.run_client import path_of
from runhistory.sdk.run_search import find_runs, pairs_wanted
from runhistory.sdk.snapshot_upload import Progress, scan_folder, upload_snapshot
from runhistory.sdk.workspace import Workspace

ViewType = Literal["ActiveOnly", "ArchivedOnly", "All"]
_ARCHIVED: Final = {"ActiveOnly": "false", "ArchivedOnly": "true", "All": "all"}


class Experiment(Refusing):
    """An experiment of a workspace. It exists from its first run on; making the object asks
    nothing of the network.

    Raises:
        InvalidRequest: the name is empty, over 256 characters, or holds control characters.
    """

    _azures = EXPERIMENT

    def __init__(self, workspace: Workspace, name: str) -> None:
        try:
            self._name: str = msgspec.convert(name, Name)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"An experiment cannot be named {name!r}: {error}") from error
        self._workspace = workspace
        self._seen: dict[str, Any] | None = None

    # --- finding experiments ---

    @staticmethod
    def list(
        workspace: Workspace,
        experiment_name: str | None = None,
        view_type: ViewType = "ActiveOnly",
        tags: Any = None,
    ) -> "list[Experiment]":
        """The workspace's experiments, the last active first.

        Args:
            experiment_name: only the one of this name.
            view_type: those in sight, those archived, or all.
            tags: a name, several, or a dict of names and values; all of these.
        """
        if view_type not in _ARCHIVED:
            raise InvalidRequest(f"view_type is one of {', '.join(_ARCHIVED)}, not {view_type!r}.")
        answer = workspace.connection.get("/experiments", archived=_ARCHIVED[view_type])
        wanted = [one.partition(":") for one in pairs_wanted("tags", tags)]
        found = []
        for summary in answer["experiments"]:
            own = summary["tags"]
            has_tags = all(n in own and (not c or own[n] == v) for n, c, v in wanted)
            if has_tags and experiment_name in (None, summary["name"]):
                experiment = Experiment(workspace, summary["name"])
                experiment._seen = summary
                found.append(experiment)
        return found

    @staticmethod
    def delete(workspace: Workspace, experiment_id: str) -> None:
        """Delete an experiment that has no runs (any more), by its id or name.

        Raises:
            NotFound: there is none.
            Conflict: it has runs; delete these first, or archive it.
        """
        for experiment in Experiment.list(workspace, view_type="All"):
            if experiment_id in (experiment.id, experiment.name):
                experiment._command("delete")
                return
        raise NotFound(
            f"Workspace {workspace.name!r} has no experiment {experiment_id!r}; "
            "Experiment.list(workspace) gives those it has."
        )

    # --- what it is ---

    @property
    def workspace(self) -> Workspace:
        """The workspace that it belongs to."""
        return self._workspace

    @property
    def workspace_object(self) -> Workspace:
        """The same as `workspace`."""
        return self._workspace

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def id(self) -> str:
        """Its id, which follows from workspace and name."""
        return experiment_id(self._workspace.name, self._name)

    def get_portal_url(self) -> str:
        """The address of its runs in the studio."""
        return self._workspace.connection.address.page(
            f"runs?{urlencode({'experiment': self._name})}"
        )

    @property
    def description(self) -> str:
        """What is said of it, which may be changed: `experiment.description = "…"`."""
        return str(self._known("description"))

    @description.setter
    def description(self, value: str) -> None:
        self._command("describe", description=value)

    @property
    def tags(self) -> dict[str, str]:
        """Its tags as last seen; `refresh` asks again."""
        return dict(self._known("tags"))

    @property
    def archived(self) -> bool:
        """Whether it is out of sight, as last seen."""
        return bool(self._known("archived"))

    def refresh(self) -> None:
        """Ask again for what may have changed.

        Raises:
            NotFound: it does not exist yet: it has no run, and nobody created it.
        """
        from urllib.parse import quote

        path = f"/experiments/{quote(self._name, safe='')}"
        self._seen = self._workspace.connection.get(path)

    # --- what is said about it ---

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag; the same key again takes the new value."""
        self.set_tags({key: value})

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set tags; the same key again takes the new value. Values become texts."""
        self._command("set_tags", tags=pairs("tags", tags))

    def remove_tags(self, tags: str | Iterable[str]) -> None:
        """Remove one tag or several; one that is not set is passed over."""
        if wanted := names("tags", tags):
            self._command("remove_tags", names=wanted)

    def archive(self) -> None:
        """Put it out of sight: lists leave it out unless asked for it. Nothing is lost."""
        self._command("archive")

    def reactivate(self, new_name: None = None) -> None:
        """Undo `archive`."""
        refuse("Experiment.reactivate", new_name=(new_name, "an experiment keeps its name"))
        self._command("reactivate")

    # --- its runs ---

    def submit(
        self,
        config: ScriptRunConfig,
        tags: dict[str, Any] | None = None,
        *,
        display_name: str | None = None,
        description: str = "",
        properties: dict[str, Any] | None = None,
        parent: str | None = None,
        strict_secrets: bool = False,
        progress: Progress | None = None,
        **unknown: Any,
    ) -> Run:
        """Take a snapshot of the code, send what is missing of it, and queue the run.

        Returns as soon as the run is queued. The git repository, branch, commit and dirty flag
        of the folder become properties. `parent` is the id of the run that it is a child of. What
        looks like a secret in the code, arguments or variables is warned about, before anything
        is sent; with `strict_secrets` it is refused.

        Raises:
            InvalidConfig: the folder cannot be taken, .amlignore leaves the script out, or there
                are secrets and `strict_secrets`.
            Unsupported: an argument of Azure ML's that means nothing here was given.
            RunHistoryError: the gateway refuses it, or does not answer.
        """
        from runhistory.sdk.secrets import check_secrets

        refuse_unknown("Experiment.submit", unknown)
        tree = scan_folder(config.source_directory)
        if not config.command and config.script not in {e.path for e in tree.manifest.entries}:
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
            parent_run_id=parent,
            tags=pairs("tags", tags),
            properties=pairs("properties", {**git_facts(tree.root), **(properties or {})}),
            spec=config.as_spec(tree.snapshot_id),
        )
        checked(content, "run")
        check_secrets(tree, content.spec, strict=strict_secrets)
        upload_snapshot(self._workspace.connection, tree, progress)
        return self.create_run(content)

    def start_logging(
        self,
        outputs: None = None,
        snapshot_directory: str | Path | None = None,
        *,
        display_name: str | None = None,
        description: str = "",
        tags: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        **unknown: Any,
    ) -> Run:
        """Begin an interactive run: this process does the work, and says when it is over.

            with experiment.start_logging() as run:
                run.log("loss", 1.82)

        Args:
            snapshot_directory: keep this folder's code with the run. Azure ML takes the current
                folder by itself; here none is taken without being asked for.

        Raises:
            Unsupported: an argument of Azure ML's that means nothing here was given.
            RunHistoryError: the gateway refuses it, or does not answer.
        """
        refuse("Experiment.start_logging", outputs=(outputs, "keep files with run.upload_folder"))
        refuse_unknown("Experiment.start_logging", unknown)
        run = self.begin_run(
            display_name=display_name, description=description, tags=tags, properties=properties
        )
        if snapshot_directory is not None:
            run.take_snapshot(snapshot_directory)
        return run

    def begin_run(
        self,
        *,
        display_name: str | None = None,
        description: str = "",
        tags: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        parent: str | None = None,
        run_id: str | None = None,
    ) -> Run:
        """An interactive run that is created and started; see `start_logging`, `Run.child_run`.

        Raises:
            RunHistoryError: the gateway refuses it, or does not answer.
        """
        if run_id is not None:
            path_of(run_id)
        content = RunContent(
            type="interactive",
            experiment=self._name,
            display_name=display_name,
            description=description,
            created_by=user_name(),
            parent_run_id=parent,
            tags=pairs("tags", tags),
            properties=pairs("properties", {**git_facts("."), **(properties or {})}),
        )
        checked(content, "run")
        return self.create_run(content, run_id, start=True)

    def get_runs(
        self,
        type: Literal["script", "interactive"] | None = None,
        tags: Any = None,
        properties: Any = None,
        include_children: bool = False,
        *,
        status: str | None = None,
    ) -> Iterator[Run]:
        """The experiment's runs, newest first, fetched page by page as they are asked for.

        Only those with the type, with all of the tags and properties (a name, or a dict of names
        and values), and in the status, where given; children only with `include_children`.
        Archived runs are left out.
        """
        return find_runs(
            self._workspace,
            experiment=self._name,
            type=type,
            tags=tags,
            properties=properties,
            children=include_children,
            status=status,
        )

    def _command(self, type: str, **fields: Any) -> None:
        """Have a command applied once, however often it has to be sent."""
        command = {"type": type, "name": self._name, "command_id": new_command_id(), **fields}
        self._workspace.connection.send("POST", "/experiments/commands", command)
        self._seen = None

    def _known(self, field: str) -> Any:
        if self._seen is None:
            self.refresh()
        return (self._seen or {}).get(field)

    def create_run(
        self, content: RunContent, run_id: str | None = None, *, start: bool = False
    ) -> Run:
        """Create a run of this experiment by one command, with ids that stay over every retry: the
        same run, once. With `start` this process does its work, and begins at once.

        Raises:
            RunHistoryError: the gateway refuses it, or does not answer.
        """
        run_id = run_id or new_run_id()
        command = {"run_id": run_id, "command_id": new_command_id(), "content": content}
        if start:
            command["start"] = True
        created = self._workspace.connection.send("POST", "/runs", command)
        run = Run(self, run_id)
        if start:
            run.begin_attempt(int(created["attempt"]))
        return run

    def __repr__(self) -> str:
        return f"Experiment({self._workspace!r}, {self._name!r})"


def user_name() -> str:
    """Who runs this process, by the system; empty when it does not know."""
    import getpass

    try:
        return getpass.getuser()[:MAX_TEXT]
    except (OSError, KeyError, ImportError):
        return ""
