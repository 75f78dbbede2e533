"""The part of `Run` that is where it comes from: what it ran in, and running it again."""

from typing import TYPE_CHECKING, Any

from runhistory.sdk.run_facts import RunFacts

if TYPE_CHECKING:
    from runhistory.sdk.recorded_environment import RecordedEnvironment
    from runhistory.sdk.run import Run
    from runhistory.sdk.run_diff import RunDiff


class RunOrigin(RunFacts):
    """What a run was made from, which is on record and can be had again."""

    def get_environment(self) -> "RecordedEnvironment":
        """What it really ran in: `packages` {name: version}, `python_version`, `platform`, `lock`.

        Given to a ScriptRunConfig, this very environment is installed again.

        Raises:
            NotFound: nothing is on record (yet).
        """
        from runhistory.sdk.recorded_environment import read_environment

        return read_environment(self._client)

    def diff(self, other: RunFacts) -> "RunDiff":
        """What the run `other` has different from this one: code, packages, params, …

        Raises:
            RunHistoryError: something of either cannot be read.
        """
        from runhistory.sdk.run_diff import diff

        return diff(self, other)

    def reproduce(
        self,
        *,
        display_name: str | None = None,
        experiment: str | None = None,
        compute_target: str | None = None,
        tags: dict[str, Any] | None = None,
        any_python: bool = False,
    ) -> "Run":
        """A new run of the same code, call, variables, resources, packages and Python.

        Nothing is sent but its description: the code and the list of packages are kept. It
        names this run as the one that it `reproduces`. It fails, and says why, where the worker
        cannot have the same environment.

        Args:
            experiment, compute_target: others than this run's.
            any_python: take the worker's Python instead of the recorded version.

        Raises:
            Conflict: it cannot be repeated: it is interactive, or its script was never called.
        """
        from runhistory.domain.reproduction import NotReproducible, reproduction_of
        from runhistory.sdk.errors import Conflict
        from runhistory.sdk.experiment import Experiment, user_name
        from runhistory.sdk.limits import checked, pairs

        try:
            content = reproduction_of(
                self.get_details(),
                created_by=user_name(),
                experiment=experiment,
                display_name=display_name,
                compute_target=compute_target,
                tags=pairs("tags", tags),
                any_python=any_python,
            )
        except NotReproducible as error:
            raise Conflict(str(error)) from error
        new = Experiment(self._experiment.workspace, content.experiment)
        return new.create_run(checked(content, "run"))
