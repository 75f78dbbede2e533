"""What a run is to execute: `ScriptRunConfig`. Checked when it is made, and once more when it is
submitted, since both it and its `run_config` may be changed in between."""

import copy
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from runhistory.domain import values
from runhistory.sdk.azure_names import RUN_CONFIGURATION
from runhistory.sdk.environment import Environment, text
from runhistory.sdk.errors import InvalidConfig
from runhistory.sdk.limits import checked
from runhistory.sdk.refusals import Closed, refuse

NAMES_SHOWN: Final = 20
_NO_CLUSTER: Final = "a run is one process on one node; start more from its script or command"
_NO_RESUME: Final = "let the script read the files of the earlier run, with Run.download_files"
_NO_DOCKER: Final = "runs execute in a Python environment, not in a container"


class RunConfiguration(Closed):
    """Azure ML's holder of what several configs share.

    Args:
        script, arguments, command: as in ScriptRunConfig, which may give its own.
        conda_dependencies: a CondaDependencies, for the environment.

    Attributes:
        target: a compute target or its name; None: `local`.
        environment: an Environment.
        environment_variables: for the script; they count for more than the environment's.
        max_run_duration_seconds: see ScriptRunConfig.

    Raises:
        Unsupported: `framework` or `communicator` was given. Setting any other attribute of
            Azure ML's raises UnsupportedName.
    """

    _azures = RUN_CONFIGURATION
    _settings = frozenset(
        "script arguments command target environment environment_variables "
        "max_run_duration_seconds".split()
    )

    def __init__(
        self,
        script: str | os.PathLike[str] | None = None,
        arguments: Sequence[Any] | None = None,
        framework: None = None,
        communicator: None = None,
        conda_dependencies: Any = None,
        command: Sequence[Any] | str | None = None,
    ) -> None:
        refuse(
            "RunConfiguration",
            framework=(framework, "scripts are called by python; else give command="),
            communicator=(communicator, _NO_CLUSTER),
        )
        self.script, self.arguments, self.command = script, arguments, command
        self.target: Any = None
        self.environment = Environment()
        self.environment.python.conda_dependencies = conda_dependencies
        self.environment_variables: dict[str, Any] = {}
        self.max_run_duration_seconds: int | None = None


class ScriptRunConfig(Closed):
    """A script in a folder of code, and what it needs. Names and order are Azure ML's.

    Target and environment lie in its `run_config`, and may be changed there as well:
    `config.run_config.target = "gpu-pool"`.

    Args:
        source_directory: the folder that the snapshot is taken of; default the current one.
        script: the entry script, relative to the folder.
        arguments: for the script; numbers and paths become text.
        run_config: a RunConfiguration, which is copied; what is given here counts for more.
        compute_target: where it runs; default `local`.
        environment: default the folder's requirements.txt, else the worker's interpreter.
        max_run_duration_seconds: the worker ends it after so many seconds of Running, and it is
            Failed with code `MaxDurationExceeded`. Default: no limit.
        command: instead of script and arguments: a list is called as it is, a text by `sh -c`,
            at the snapshot's root and with the environment's programs first on PATH.
        slots: CPU shares that it takes on its node.
        gpus: GPUs that it takes.

    Raises:
        InvalidConfig: the script is not in the folder, or an argument cannot be given to a
            process.
        Unsupported: an argument of Azure ML's that means nothing here was given.
    """

    _settings = frozenset(
        "source_directory script arguments command run_config compute_target resources".split()
    )

    def __init__(
        self,
        source_directory: str | os.PathLike[str] = ".",
        script: str | os.PathLike[str] | None = None,
        arguments: Sequence[Any] | None = None,
        run_config: RunConfiguration | None = None,
        compute_target: Any = None,
        environment: Environment | None = None,
        distributed_job_config: None = None,
        resume_from: None = None,
        max_run_duration_seconds: int | None = None,
        command: Sequence[Any] | str | None = None,
        docker_runtime_config: None = None,
        *,
        slots: int = 1,
        gpus: int = 0,
    ) -> None:
        refuse(
            "ScriptRunConfig",
            distributed_job_config=(distributed_job_config, _NO_CLUSTER),
            resume_from=(resume_from, _NO_RESUME),
            docker_runtime_config=(docker_runtime_config, _NO_DOCKER),
        )
        self.run_config = shared = _copied(run_config)
        if script is None and command is None:
            script, command = shared.script, shared.command
            arguments = shared.arguments if arguments is None else arguments
        if compute_target is not None:
            shared.target = compute_target
        if environment is not None:
            shared.environment = environment
        if max_run_duration_seconds is not None:
            shared.max_run_duration_seconds = _duration(max_run_duration_seconds)
        self.source_directory = Path(source_directory)
        self.command = _command(command, script, arguments)
        self.script = (
            Path(self.command[0]).name
            if self.command
            else find_script(self.source_directory, script)
        )
        self.arguments = _arguments(arguments)
        self.resources = checked(values.Resources(slots=slots, gpus=gpus), "slots and gpus")
        self._environment()

    @property
    def compute_target(self) -> str:
        """The name of the compute target; setting it sets `run_config.target`."""
        target = self.run_config.target
        return str(getattr(target, "name", target) or "local")

    @compute_target.setter
    def compute_target(self, target: Any) -> None:
        self.run_config.target = target

    def as_spec(self, snapshot_id: str) -> values.ScriptSpec:
        """The spec of a run of this script in the snapshot.

        Raises:
            InvalidConfig: something in it is over a limit, which the message names.
        """
        spec = values.ScriptSpec(
            script=self.script,
            snapshot_id=snapshot_id,
            arguments=tuple(_arguments(self.arguments)),
            command=tuple(self.command),
            max_duration_seconds=_duration(self.run_config.max_run_duration_seconds),
            compute_target=self.compute_target,
            environment=self._environment(),
            resources=self.resources,
        )
        return checked(spec, "config")

    def _environment(self) -> values.Environment:
        """Of the environment and the variables in `run_config`."""
        environment = self.run_config.environment
        if not isinstance(environment, Environment):
            raise InvalidConfig("environment must be a runhistory.Environment.")
        value = environment.as_value()
        given = self.run_config.environment_variables or {}
        variables = {name: text(v, f"environment variable {name}") for name, v in given.items()}
        return msgspec.structs.replace(value, variables={**value.variables, **variables})


def _copied(config: RunConfiguration | None) -> RunConfiguration:
    """A copy that may be changed, with the environment's object in common."""
    if config is None:
        return RunConfiguration()
    if not isinstance(config, RunConfiguration):
        raise InvalidConfig("run_config must be a runhistory.RunConfiguration.")
    copied = copy.copy(config)
    copied.environment_variables = dict(config.environment_variables or {})
    return copied


def _duration(seconds: Any) -> int | None:
    """The value itself.

    Raises:
        InvalidConfig: it is no whole number of seconds that a run may last.
    """
    most: int = get_args(values.Seconds)[1].le
    if seconds is None or (type(seconds) is int and 1 <= seconds <= most):
        return seconds
    raise InvalidConfig(
        f"max_run_duration_seconds cannot be {seconds!r}. Give whole seconds from 1 to {most:,}, "
        "or leave it out for no limit."
    )


def _command(
    command: Sequence[Any] | str | None, script: object, arguments: Sequence[Any] | None
) -> list[str]:
    """The command as a process is called with it; empty where there is a script instead.

    Raises:
        InvalidConfig: there is a script too, or the command is empty.
    """
    if command is None:
        return []
    if script is not None or arguments is not None:
        raise InvalidConfig("Give command, or script and arguments, and not both.")
    if isinstance(command, str):
        command = ["sh", "-c", command] if command.strip() else []
    if not command:
        raise InvalidConfig("command is empty. Give a list such as ['python', 'train.py'].")
    return [text(value, f"command[{i}]") for i, value in enumerate(command)]


def find_script(folder: Path, script: str | os.PathLike[str] | None) -> str:
    """The script's path within the folder, with forward slashes.

    Raises:
        InvalidConfig: no such folder or script; the message names the folder's Python files.
    """
    if not folder.is_dir():
        raise InvalidConfig(f"source_directory {str(folder)!r} is no folder.")
    if not script:
        raise InvalidConfig(f"script is missing. {_python_files(folder)}")
    path = Path(os.path.normpath(script))
    if path.is_absolute() and path.is_relative_to(folder.resolve()):
        path = path.relative_to(folder.resolve())
    if path.is_absolute() or ".." in path.parts:
        raise InvalidConfig(f"The script {str(script)!r} must lie in {str(folder)!r}.")
    if not (folder / path).is_file():
        raise InvalidConfig(
            f"There is no script {str(script)!r} in {str(folder)!r}. {_python_files(folder)}"
        )
    return path.as_posix()


def _python_files(folder: Path) -> str:
    found = sorted(islice(_walk(folder), NAMES_SHOWN + 1))
    if not found:
        return "The folder has no Python files."
    more = ", …" if len(found) > NAMES_SHOWN else ""
    return f"Its Python files: {', '.join(found[:NAMES_SHOWN])}{more}."


def _walk(folder: Path) -> Iterator[str]:
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in files:
            if name.endswith(".py"):
                yield Path(at, name).relative_to(folder).as_posix()


def _arguments(arguments: Sequence[Any] | None) -> list[str]:
    if isinstance(arguments, str | bytes):
        raise InvalidConfig(
            f"arguments must be a list such as ['--lr', 0.1], not the text {arguments!r}."
        )
    return [text(value, f"arguments[{i}]") for i, value in enumerate(arguments or ())]
