"""`RecordedEnvironment`: what a run really ran in, as it can be read and used again."""

from functools import cached_property
from typing import Final

import msgspec

from runhistory.domain import values
from runhistory.environments.lock import InvalidLock, Lock, parse_lock
from runhistory.sdk.environment import Environment
from runhistory.sdk.errors import NotFound, RunHistoryError
from runhistory.sdk.run_client import RunClient

_NOT_YET: Final = (
    "Run {} has no environment on record ({}). A script run's is recorded before its script is "
    "called, an interactive run's a second after its start."
)


class RecordedEnvironment(Environment):
    """The environment that a run ran in; given to a ScriptRunConfig, it is installed again.

    `requirements` are the lines of its lock: every package at its exact version, with the hashes
    of its distributions, or, where it is an interpreter that was found, a digest of its files.
    """

    def __init__(
        self, recorded: values.ResolvedEnvironment, lock: Lock, asked: values.Environment
    ) -> None:
        super().__init__(
            asked.name,
            python_version=recorded.python_version,
            environment_variables=dict(asked.variables),
        )
        self._recorded, self._lock = recorded, lock
        self.requirements = tuple(lock.text.splitlines())

    @property
    def implementation(self) -> str:
        """Such as `CPython`."""
        return self._recorded.implementation

    @property
    def platform(self) -> str:
        """The system that it was on."""
        return self._recorded.platform

    @property
    def machine(self) -> str:
        """The machine's architecture, such as `x86_64`."""
        return self._recorded.machine

    @cached_property
    def packages(self) -> dict[str, str]:
        """{name: version}; a URL for a package that came from one, empty for a folder of code."""
        return self._lock.versions

    @property
    def lock(self) -> str:
        """The text of the lock, a pip requirements file."""
        return self._lock.text

    def as_value(self) -> values.Environment:
        """The environment as it stands in a run's spec: by its lock."""
        value = super().as_value()
        if not hasattr(self, "_lock"):
            return value  # the checks of the base class, before there is one
        return msgspec.structs.replace(value, requirements=None, lock_sha256=self._lock.sha256)


def read_environment(client: RunClient) -> RecordedEnvironment:
    """What the run ran in.

    Raises:
        NotFound: nothing is on record (yet).
        RunHistoryError: the gateway does not answer, or sends what is no lock.
    """
    details = client.details()
    if not details.get("environment"):
        raise NotFound(_NOT_YET.format(client.run_id, details["status"]))
    recorded = msgspec.convert(details["environment"], values.ResolvedEnvironment)
    asked = msgspec.convert(
        (details.get("spec") or {}).get("environment") or {}, values.Environment
    )
    return RecordedEnvironment(recorded, read_lock(client, recorded), asked)


def read_lock(client: RunClient, recorded: values.ResolvedEnvironment) -> Lock:
    """The packages of an environment that is on record.

    Raises:
        NotFound: they are gone.
        RunHistoryError: the gateway does not answer, or sends what is no lock.
    """
    if recorded.packages_sha256 is None:
        raise NotFound(f"The packages of run {client.run_id} are not on record.")
    data = client.connection.request("GET", f"/blobs/{recorded.packages_sha256}").content
    try:
        return parse_lock(data.decode())
    except (InvalidLock, UnicodeDecodeError) as error:
        raise RunHistoryError(
            f"The packages of run {client.run_id} cannot be read: {error}"
        ) from error
