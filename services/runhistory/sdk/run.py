"""`Run`: one execution, as a script sees its own and as anybody sees another's.

The object holds little: what the gateway said last. What it logs goes through the process's writer
(metric_writer.py), everything else is a request. Its methods are parted by subject: run_facts,
run_logging, run_ingestion, run_annotations, run_files, run_family, run_origin, run_life.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runhistory.sdk.azure_names import RUN
from runhistory.sdk.refusals import Refusing, refuse
from runhistory.sdk.run_annotations import RunAnnotations
from runhistory.sdk.run_client import RunClient
from runhistory.sdk.run_facts import RunFacts
from runhistory.sdk.run_family import RunFamily
from runhistory.sdk.run_files import RunFiles
from runhistory.sdk.run_ingestion import RunIngestion
from runhistory.sdk.run_life import RunLife
from runhistory.sdk.run_origin import RunOrigin

if TYPE_CHECKING:
    from runhistory.sdk.experiment import Experiment
    from runhistory.sdk.workspace import Workspace


class Run(
    RunLife, RunFamily, RunFiles, RunIngestion, RunOrigin, RunAnnotations, RunFacts, Refusing
):
    """A run of an experiment. Making the object asks nothing of the network.

    Methods that ask the gateway raise RunHistoryError: `Unavailable` when it does not answer,
    `Conflict` when the run's status does not allow it, `NotFound`, `InvalidRequest`.

    Raises:
        InvalidRequest: `run_id` is no run id.
    """

    _azures = RUN

    def __init__(
        self,
        experiment: "Experiment",
        run_id: str,
        outputs: None = None,
        *,
        summary: dict[str, Any] | None = None,
        submitted_attempt: int | None = None,
    ) -> None:
        """`summary` is what the gateway said of the run last; `submitted_attempt` is the attempt
        that this very process is."""
        refuse("Run", outputs=(outputs, "keep files with upload_folder"))
        super().__init__(experiment, run_id, summary)
        self._is_this_process = submitted_attempt is not None
        self._attempt = submitted_attempt

    @classmethod
    def get_context(cls, allow_offline: bool = True) -> "Run":
        """The submitted run that this process is: one object, no network.

        Elsewhere an offline run, which prints what it is given and keeps nothing.

        Raises:
            NoRunContext: elsewhere, with `allow_offline=False`.
        """
        from runhistory.sdk.context import current_run

        return current_run(allow_offline)

    @classmethod
    def get_submitted_run(cls) -> "Run":
        """The same as `get_context`, by Azure ML's older name."""
        return cls.get_context()

    @staticmethod
    def get(workspace: "Workspace", run_id: str) -> "Run":
        """The run with this id.

        Raises:
            NotFound: there is none.
        """
        from runhistory.sdk.experiment import Experiment

        details = RunClient(workspace.connection, run_id).details()
        return Run(Experiment(workspace, details["experiment"]), run_id, summary=details)

    @staticmethod
    def list(
        experiment: "Experiment",
        type: Any = None,
        tags: Any = None,
        properties: Any = None,
        status: str | None = None,
        include_children: bool = False,
    ) -> Iterator["Run"]:
        """The experiment's runs, newest first; see `Experiment.get_runs`."""
        return experiment.get_runs(
            type, tags, properties, include_children=include_children, status=status
        )

    def __repr__(self) -> str:
        return f"Run({self._experiment.name!r}, {self.id!r})"
