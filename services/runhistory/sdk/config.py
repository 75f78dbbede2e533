"""What a run is to execute: `ScriptRunConfig`. Checked when it is made."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from runhistory.domain import values
from runhistory.sdk.environment import Environment, text
from runhistory.sdk.errors import InvalidConfig
from runhistory.sdk.limits import checked
from runhistory.sdk.refusals import refuse

NAMES_SHOWN: Final = 20
_NO_CLUSTER: Final = "a run is one process on one node; start more from its script or command"
_NO_RESUME: Final = "let the script read the files of the earlier run, with Run.download_files"
_NO_DOCKER: Final = "runs execute in a Python environment, not in a container"


class RunConfiguration:
    """Azure ML's holder of what several configs share: target and environment.

    Args:
        script, arguments, command: as in ScriptRunConfig, which may give its own.
    """

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


class ScriptRunConfig:
    """A script in a folder of code, and what it needs. Names and order are Azure ML's.

    Args:
        source_directory: the folder that the snapshot is taken of; default the current one.
        script: the entry script, relative to the folder.
        arguments: for the script; numbers and paths become text.
        run_config: a RunConfiguration; what is given here counts for more.
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
        shared = RunConfiguration() if run_config is None else run_config
        if not isinstance(shared, RunConfiguration):
            raise InvalidConfig("run_config must be a runhistory.RunConfiguration.")
        if environment is not None and not isinstance(environment, Environment):
            raise InvalidConfig("environment must be a runhistory.Environment.")
        if script is None and command is None:
            script, command = shared.script, shared.command
            arguments = shared.arguments if arguments is None else arguments
        self.source_directory = Path(source_directory)
        self.command = _command(command, script, arguments)
        self.script = (
            Path(self.command[0]).name
            if self.command
            else find_script(self.source_directory, script)
        )
        self.arguments = _arguments(arguments)
        target = compute_target if compute_target is not None else shared.target
        self.compute_target = str(getattr(target, "name", target) or "local")
        self.environment = environment if run_config is None else environment or shared.environment
        self.environment_variables = dict(shared.environment_variables)
        self.max_run_duration_seconds = max_run_duration_seconds or shared.max_run_duration_seconds
        self.resources = checked(values.Resources(slots=slots, gpus=gpus), "slots and gpus")

    def as_spec(self, snapshot_id: str) -> values.ScriptSpec:
        """The spec of a run of this script in the snapshot.

        Raises:
            InvalidConfig: something in it is over a limit, which the message names.
        """
        environment = (self.environment or Environment()).as_value()
        given = {name: text(value, name) for name, value in self.environment_variables.items()}
        spec = values.ScriptSpec(
            script=self.script,
            snapshot_id=snapshot_id,
            arguments=tuple(self.arguments),
            command=tuple(self.command),
            max_duration_seconds=self.max_run_duration_seconds,
            compute_target=self.compute_target,
            environment=msgspec.structs.replace(
                environment, variables={**environment.variables, **given}
            ),
            resources=self.resources,
        )
        return checked(spec, "config")


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
