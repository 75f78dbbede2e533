"""The content of a run that repeats another: all that makes it, and nothing else."""

from typing import Any

import msgspec
import pytest

from runhistory.domain.reproduction import NotReproducible, reproduction_of
from runhistory.domain.values import Environment, Resources, ScriptSpec

SPEC = ScriptSpec(
    script="train.py",
    snapshot_id="1" * 64,
    arguments=("--lr", "0.1"),
    max_duration_seconds=60,
    compute_target="pool",
    environment=Environment(name="mine", requirements=("numpy>=2",), variables={"SEED": "1"}),
    resources=Resources(slots=2, gpus=1),
)
DETAILS: dict[str, Any] = {
    "run_id": "0" * 32,
    "status": "Completed",
    "experiment": "digits",
    "properties": {"git.commit": "abc", "mine": "1"},
    "tags": {"a": "b"},
    "spec": msgspec.to_builtins(SPEC),
    "environment": {"python_version": "3.11.7", "packages_sha256": "2" * 64, "added_later": 1},
}


def test_everything_that_makes_the_run_comes_back() -> None:
    content = reproduction_of(DETAILS, created_by="me")
    locked = msgspec.structs.replace(
        SPEC.environment, lock_sha256="2" * 64, python_version="3.11.7"
    )
    assert content.spec == msgspec.structs.replace(SPEC, environment=locked)
    assert (content.reproduces, content.experiment, content.created_by) == (
        "0" * 32,
        "digits",
        "me",
    )
    assert (content.properties, content.tags, content.params) == ({"git.commit": "abc"}, {}, {})


def test_place_name_and_python_may_be_others() -> None:
    content = reproduction_of(
        DETAILS,
        created_by="me",
        experiment="again",
        display_name="once more",
        compute_target="local",
        tags={"x": "1"},
        any_python=True,
    )
    assert content.spec is not None
    assert (content.experiment, content.display_name) == ("again", "once more")
    assert (content.spec.compute_target, content.tags) == ("local", {"x": "1"})
    assert content.spec.environment.python_version is None
    assert content.spec.environment.lock_sha256 == "2" * 64


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"spec": None}, "interactive"),
        ({"environment": None}, "no environment on record"),
        ({"environment": {"python_version": "3.11.7"}}, "no environment on record"),
        ({"spec": {**msgspec.to_builtins(SPEC), "sidecar": 1}}, "Update runhistory"),
    ],
)
def test_what_cannot_be_repeated_says_why(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(NotReproducible, match=says):
        reproduction_of({**DETAILS, **changed}, created_by="me")
