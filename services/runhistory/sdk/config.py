"""What a run is to execute: `ScriptRunConfig` and its `Environment`. Checked when they are made."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from runhistory.domain import values
from runhistory.sdk.errors import InvalidConfig
from runhistory.sdk.limits import checked

NAMES_SHOWN: Final = 20
_WITHOUT_MEANING: Final = {
    "run_config": "give script, arguments, compute_target and environment themselves",
    "distributed_job_config": "runs use one process on one node",
    "resume_from": "let the script read the files of the earlier run",
    "max_run_duration_seconds": "runs have no time limit",
    "command": "give script and arguments",
    "docker_runtime_config": "runs execute in a Python environment, not in a container",
}


class Environment:
    """The Python environment of a run.

    Args:
        name: for people; two environments with the same requirements are the same one.
        requirements: lines as in a pip requirements file. None: the requirements.txt at the
            snapshot's root, and without that the worker's own interpreter.
        python_version: such as "3.12"; None: the worker's.
        environment_variables: given to the script; numbers become text.

    Raises:
        InvalidConfig: a requirement that needs another file, or a value that is no text.
    """

    def __init__(
        self,
        name: str = "",
        *,
        requirements: Sequence[str] | None = None,
        python_version: str | None = None,
        environment_variables: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.requirements = None if requirements is None else _requirements(requirements)
        self.python_version = python_version
        self.environment_variables = dict(environment_variables or {})
        self.as_value()

    @staticmethod
    def from_pip_requirements(name: str, file_path: str | os.PathLike[str]) -> "Environment":
        """The environment that a requirements file describes.

        Raises:
            InvalidConfig: the file cannot be read, or one of its lines needs another file.
        """
        try:
            lines = Path(file_path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfig(f"The requirements cannot be read: {error}") from error
        return Environment(name, requirements=lines)

    def as_value(self) -> values.Environment:
        """The environment as it stands in a run's spec."""
        variables = {
            name: _text(value, f"environment variable {name}")
            for name, value in self.environment_variables.items()
        }
        value = values.Environment(
            name=self.name,
            requirements=self.requirements,
            python_version=self.python_version,
            variables=variables,
        )
        return checked(value, "environment")


class ScriptRunConfig:
    """A script in a folder of code, and what it needs. Names and order are Azure ML's.

    Args:
        source_directory: the folder that the snapshot is taken of; default the current one.
        script: the entry script, relative to the folder.
        arguments: for the script; numbers and paths become text.
        compute_target: where it runs; default `local`.
        environment: default the folder's requirements.txt, else the worker's interpreter.
        slots: CPU shares that it takes on its node.
        gpus: GPUs that it takes.

    Raises:
        InvalidConfig: the script is not in the folder, an argument cannot be given to a process,
            or an argument of Azure ML's that means nothing here was given.
    """

    def __init__(
        self,
        source_directory: str | os.PathLike[str] = ".",
        script: str | os.PathLike[str] | None = None,
        arguments: Sequence[Any] | None = None,
        run_config: None = None,
        compute_target: Any = None,
        environment: Environment | None = None,
        distributed_job_config: None = None,
        resume_from: None = None,
        max_run_duration_seconds: None = None,
        command: None = None,
        docker_runtime_config: None = None,
        *,
        slots: int = 1,
        gpus: int = 0,
    ) -> None:
        given = locals()
        for name, instead in _WITHOUT_MEANING.items():
            if given[name] is not None:
                raise InvalidConfig(f"ScriptRunConfig({name}=…) has no meaning here: {instead}.")
        if environment is not None and not isinstance(environment, Environment):
            raise InvalidConfig("environment must be a runhistory.Environment.")
        self.source_directory = Path(source_directory)
        self.script = find_script(self.source_directory, script)
        self.arguments = _arguments(arguments)
        self.compute_target = str(getattr(compute_target, "name", compute_target) or "local")
        self.environment = environment
        self.resources = checked(values.Resources(slots=slots, gpus=gpus), "slots and gpus")

    def as_spec(self, snapshot_id: str) -> values.ScriptSpec:
        """The spec of a run of this script in the snapshot.

        Raises:
            InvalidConfig: something in it is over a limit, which the message names.
        """
        environment = self.environment or Environment()
        spec = values.ScriptSpec(
            script=self.script,
            snapshot_id=snapshot_id,
            arguments=tuple(self.arguments),
            compute_target=self.compute_target,
            environment=environment.as_value(),
            resources=self.resources,
        )
        return checked(spec, "config")


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
    return [_text(value, f"arguments[{i}]") for i, value in enumerate(arguments or ())]


def _text(value: Any, what: str) -> str:
    """A value as a process is given it: texts, numbers and paths."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if callable(getattr(value, "item", None)):
        value = value.item()  # a scalar of an array library
    if not isinstance(value, str | int | float):
        raise InvalidConfig(f"{what} is {value!r}; it must be a text, a number or a path.")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidConfig(f"{what} is no valid Unicode text: {text!r}.") from None
    if "\0" in text:
        raise InvalidConfig(f"{what} holds a NUL, which no process can be given: {text!r}.")
    return text


def _requirements(lines: Sequence[str]) -> tuple[str, ...]:
    if isinstance(lines, str | bytes):
        raise InvalidConfig("requirements must be a list of lines, such as ['numpy>=2'].")
    for line in lines:
        if line.strip().startswith(("-r", "-c", "--requirement", "--constraint", "-e", ".", "/")):
            raise InvalidConfig(
                f"The requirement {line!r} needs another file, which would not be there. Put a "
                "requirements.txt in the root of the code instead and leave environment out."
            )
    return tuple(lines)
