"""`Environment`: the Python environment of a run, checked when it is made.

Azure ML's way of naming packages (`CondaDependencies`) is taken where it names pip packages.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from runhistory.domain import values
from runhistory.sdk.azure_names import CONDA_DEPENDENCIES, ENVIRONMENT, PYTHON_SECTION
from runhistory.sdk.errors import InvalidConfig, Unsupported
from runhistory.sdk.limits import checked
from runhistory.sdk.refusals import Closed, refuse


class CondaDependencies(Closed):
    """Pip packages by Azure ML's name for them; conda packages are refused."""

    _azures = CONDA_DEPENDENCIES

    def __init__(self) -> None:
        self._packages: list[str] = []

    @staticmethod
    def create(
        pip_indexurl: None = None,
        pip_packages: Sequence[str] | None = None,
        conda_packages: Sequence[str] | None = None,
        python_version: None = None,
        pin_sdk_version: None = None,
    ) -> "CondaDependencies":
        """Dependencies on pip packages, such as `numpy>=2`.

        Raises:
            Unsupported: conda packages, or one of the other three; the message says where
                that is said instead.
        """
        if conda_packages:
            raise _no_conda(f"conda_packages={list(conda_packages)!r}")
        refuse(
            "CondaDependencies.create",
            pip_indexurl=(pip_indexurl, "let one of pip_packages be '--index-url URL'"),
            python_version=(python_version, "give Environment(python_version=…)"),
            pin_sdk_version=(pin_sdk_version, "a run has the worker's runhistory"),
        )
        found = CondaDependencies()
        for package in pip_packages or ():
            found.add_pip_package(package)
        return found

    def add_pip_package(self, pip_package: str) -> None:
        """One package more, as a line of a pip requirements file."""
        self._packages.append(pip_package)

    def add_conda_package(self, conda_package: str) -> NoReturn:
        """Refused: environments are made by pip.

        Raises:
            Unsupported: always.
        """
        raise _no_conda(conda_package)

    @property
    def pip_packages(self) -> list[str]:
        """The packages, in the order in which they were named."""
        return list(self._packages)


class PythonSection(Closed):
    """`environment.python`, where Azure ML's programs put their dependencies."""

    _azures = PYTHON_SECTION
    _settings = frozenset({"conda_dependencies"})

    def __init__(self) -> None:
        self.conda_dependencies: CondaDependencies | None = None


class Environment(Closed):
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

    _azures = ENVIRONMENT
    _settings = frozenset("name requirements python_version environment_variables python".split())

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
        self.python = PythonSection()
        self.as_value()

    @staticmethod
    def from_pip_requirements(
        name: str, file_path: str | os.PathLike[str], pip_version: None = None
    ) -> "Environment":
        """The environment that a requirements file describes.

        Raises:
            InvalidConfig: the file cannot be read, or one of its lines needs another file.
        """
        no_pip = "packages are resolved and installed by the worker's uv"
        refuse("Environment.from_pip_requirements", pip_version=(pip_version, no_pip))
        try:
            lines = Path(file_path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfig(f"The requirements cannot be read: {error}") from error
        return Environment(name, requirements=lines)

    @staticmethod
    def from_conda_specification(name: str, file_path: str | os.PathLike[str]) -> NoReturn:
        """Refused: environments are made by pip.

        Raises:
            Unsupported: always.
        """
        raise _no_conda(f"the specification {os.fspath(file_path)}")

    def as_value(self) -> values.Environment:
        """The environment as it stands in a run's spec."""
        variables = {
            name: text(value, f"environment variable {name}")
            for name, value in self.environment_variables.items()
        }
        value = values.Environment(
            name=self.name,
            requirements=self._all_requirements(),
            python_version=self.python_version,
            variables=variables,
        )
        return checked(value, "environment")

    def _all_requirements(self) -> tuple[str, ...] | None:
        """The lines of `requirements` and of `python.conda_dependencies`, None without either."""
        dependencies = self.python.conda_dependencies
        if dependencies is None:
            return self.requirements
        return (*(self.requirements or ()), *_requirements(dependencies.pip_packages))


def text(value: Any, what: str) -> str:
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


def _no_conda(what: str) -> Unsupported:
    return Unsupported(
        f"Environments are made by pip, so {what} cannot be had. Name pip packages: "
        "Environment(requirements=[…]), Environment.from_pip_requirements, or a requirements.txt."
    )
