"""A run that repeats another: the same code, call, variables, resources and packages."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from runhistory.domain.values import ResolvedEnvironment, RunContent, ScriptSpec

_GIT: Final = "git."


class NotReproducible(Exception):
    """The run cannot be repeated; the message says why, and what to do."""


def reproduction_of(
    details: dict[str, Any],
    *,
    created_by: str,
    experiment: str | None = None,
    display_name: str | None = None,
    compute_target: str | None = None,
    tags: Mapping[str, str] | None = None,
    any_python: bool = False,
) -> RunContent:
    """The content of a run that repeats the one with these details, as the gateway tells them.

    Its environment is the recorded one: the lock's packages and the exact Python version, which
    `any_python` leaves to the worker. The git facts, which belong to the code, come along;
    tags and descriptions do not.

    Raises:
        NotReproducible
    """
    spec, recorded = _spec_of(details), _environment_of(details)
    environment = msgspec.structs.replace(
        spec.environment,
        lock_sha256=recorded.packages_sha256,
        python_version=None if any_python else recorded.python_version,
    )
    target = compute_target or spec.compute_target
    return RunContent(
        type="script",
        experiment=experiment or details["experiment"],
        display_name=display_name,
        created_by=created_by,
        reproduces=details["run_id"],
        tags=dict(tags or {}),
        properties={n: v for n, v in details["properties"].items() if n.startswith(_GIT)},
        spec=msgspec.structs.replace(spec, environment=environment, compute_target=target),
    )


def _spec_of(details: dict[str, Any]) -> ScriptSpec:
    run_id = details["run_id"]
    if not details.get("spec"):
        raise NotReproducible(
            f"Run {run_id} is interactive: it was logged by a program that runhistory did not "
            "start, so there is nothing to call again. Submit the code with "
            "`runhistory submit` to have runs that can be reproduced."
        )
    try:
        return msgspec.convert(details["spec"], ScriptSpec)
    except msgspec.ValidationError as error:
        raise NotReproducible(
            f"Run {run_id} was submitted in a way that this version does not know ({error}). "
            "Update runhistory and reproduce it again."
        ) from error


def _environment_of(details: dict[str, Any]) -> ResolvedEnvironment:
    told: dict[str, Any] = details.get("environment") or {}
    known = {name: told[name] for name in ResolvedEnvironment.__struct_fields__ if name in told}
    if not known.get("packages_sha256"):
        run_id = details["run_id"]
        raise NotReproducible(
            f"Run {run_id} ({details['status']}) has no environment on record, since its script "
            "was not called (yet), so nobody knows what packages it would have had. Submit its "
            f"code anew: `runhistory snapshot {run_id} --restore DIR`, then `runhistory submit`."
        )
    return msgspec.convert(known, ResolvedEnvironment)
