"""Experiments and compute targets: what may be said about them, and what comes of it."""

from datetime import UTC, datetime
from typing import Any

from runhistory.domain.commands import (
    ArchiveExperiment,
    Command,
    CreateComputeTarget,
    CreateExperiment,
    CreateRun,
    DeleteComputeTarget,
    DeleteExperiment,
    DescribeExperiment,
    ReactivateExperiment,
    RemoveExperimentTags,
    SetExperimentTags,
    SetTags,
    UpdateComputeTarget,
)
from runhistory.domain.decide import Accepted, Context, Decision, Refused, Unchanged, decide
from runhistory.domain.events import Event
from runhistory.domain.ids import compute_target_id, experiment_id
from runhistory.domain.state import ComputeTarget, Experiment, State, fold
from runhistory.domain.values import NodePool, RunContent

CONTEXT = Context(datetime(2026, 11, 23, tzinfo=UTC))
EXPERIMENT = experiment_id("default", "digits")
TARGET = compute_target_id("default", "gpu-pool")


class Story:
    """One aggregate and what it was told."""

    def __init__(self, run_id: str, name: str) -> None:
        self.run_id, self.name = run_id, name
        self.state: State | None = None
        self.events: list[Event] = []

    def tell(self, type: type[Command], **fields: Any) -> Decision:
        fields = {"run_id": self.run_id, "name": self.name, **fields}
        id = fields.pop("command_id", f"{len(self.events)}")
        decision = decide(self.state, type(workspace="default", command_id=id, **fields), CONTEXT)
        if isinstance(decision, Accepted):
            self.events += decision.events
            self.state = fold(decision.events, self.state)
        return decision

    @property
    def types(self) -> list[str]:
        return [event.TYPE.removesuffix(".v1").partition(".")[2] for event in self.events]

    @property
    def experiment(self) -> Experiment:
        assert isinstance(self.state, Experiment)
        return self.state

    @property
    def target(self) -> ComputeTarget:
        assert isinstance(self.state, ComputeTarget)
        return self.state


def test_an_experiment_that_only_runs_know_begins_with_the_first_word_about_it() -> None:
    story = Story(EXPERIMENT, "digits")
    story.tell(SetExperimentTags, tags={"team": "vision"})
    assert story.types == ["created", "tags_set"]
    assert [event.version for event in story.events] == [1, 2]
    assert story.experiment.tags == {"team": "vision"}


def test_an_experiments_facts_change_and_repetitions_do_not_count() -> None:
    story = Story(EXPERIMENT, "digits")
    story.tell(CreateExperiment, description="one", tags={"a": "1", "b": "2"})
    for type, fields in (
        (SetExperimentTags, {"tags": {"a": "3"}}),
        (RemoveExperimentTags, {"names": ("b", "b", "unknown")}),
        (DescribeExperiment, {"description": "two"}),
        (ArchiveExperiment, {}),
        (ReactivateExperiment, {}),
    ):
        assert isinstance(story.tell(type, **fields), Accepted)
        assert story.tell(type, **fields) == Unchanged()
    assert story.types == [
        "created", "tags_set", "tags_removed", "described", "archived", "reactivated",
    ]  # fmt: skip
    assert (story.experiment.tags, story.experiment.description) == ({"a": "3"}, "two")
    assert not story.experiment.is_archived


def test_a_deleted_experiment_can_be_created_anew_and_starts_from_nothing() -> None:
    story = Story(EXPERIMENT, "digits")
    story.tell(CreateExperiment, tags={"a": "1"})
    story.tell(ArchiveExperiment)
    story.tell(DeleteExperiment)
    assert story.experiment.is_deleted
    story.tell(SetExperimentTags, tags={"b": "2"})
    assert story.types == ["created", "archived", "deleted", "created", "tags_set"]
    assert story.experiment.tags == {"b": "2"}
    assert not story.experiment.is_archived
    assert not story.experiment.is_deleted


def test_a_retry_gets_the_old_answer() -> None:
    story = Story(EXPERIMENT, "digits")
    story.tell(ArchiveExperiment, command_id="once")
    story.tell(ReactivateExperiment)
    again = story.tell(ArchiveExperiment, command_id="once")
    assert isinstance(again, Unchanged)
    assert again.applied is not None
    assert again.applied.version == 2


def test_ids_belong_to_names_and_to_one_kind_of_thing() -> None:
    story = Story(EXPERIMENT, "digits")
    wrong = story.tell(CreateExperiment, name="letters")
    assert isinstance(wrong, Refused)
    assert wrong.code == "wrong_experiment_id"
    story.tell(CreateExperiment)
    for command in (
        SetTags(workspace="default", run_id=EXPERIMENT, command_id="1", tags={"a": "1"}),
        CreateRun(
            workspace="default",
            run_id=EXPERIMENT,
            command_id="2",
            content=RunContent(type="interactive", experiment="digits"),
        ),
    ):
        refused = decide(story.state, command, CONTEXT)
        assert isinstance(refused, Refused)
        assert refused.code == "id_taken"


def test_a_compute_target_is_declared_updated_withdrawn_and_declared_again() -> None:
    story = Story(TARGET, "gpu-pool")
    small, large = NodePool(max_nodes=1), NodePool(max_nodes=8, slots=2)
    assert isinstance(story.tell(CreateComputeTarget, pool=small), Accepted)
    assert story.tell(CreateComputeTarget, pool=small) == Unchanged()
    refused = story.tell(CreateComputeTarget, pool=large)
    assert isinstance(refused, Refused)
    assert refused.code == "compute_target_exists"
    assert isinstance(story.tell(UpdateComputeTarget, pool=large), Accepted)
    assert story.target.pool == large
    assert isinstance(story.tell(DeleteComputeTarget), Accepted)
    assert isinstance(story.tell(DeleteComputeTarget), Refused)
    assert isinstance(story.tell(UpdateComputeTarget, pool=small), Refused)
    assert isinstance(story.tell(CreateComputeTarget, pool=small), Accepted)
    assert story.types == ["created", "updated", "deleted", "created"]


def test_a_pool_without_room_for_its_least_nodes_is_refused() -> None:
    refused = Story(TARGET, "gpu-pool").tell(
        CreateComputeTarget, pool=NodePool(min_nodes=3, max_nodes=2)
    )
    assert isinstance(refused, Refused)
    assert refused.code == "invalid_pool"


def test_local_is_there_without_being_declared_and_takes_another_pool() -> None:
    local = compute_target_id("default", "local")
    story = Story(local, "local")
    assert isinstance(story.tell(UpdateComputeTarget, pool=NodePool(max_nodes=3)), Accepted)
    assert story.target.pool.max_nodes == 3
    assert isinstance(story.tell(DeleteComputeTarget), Accepted)
    assert isinstance(story.tell(UpdateComputeTarget, pool=NodePool(max_nodes=3)), Accepted)
    assert story.types == ["created", "deleted", "created"]


def test_local_cannot_be_created_whatever_its_pool() -> None:
    """It would be a smaller one than was there."""
    story = Story(compute_target_id("default", "local"), "local")
    refused = story.tell(CreateComputeTarget, pool=NodePool(max_nodes=1))
    assert isinstance(refused, Refused)
    assert refused.code == "built_in_target"
    assert "compute update local" in refused.message
    story.tell(UpdateComputeTarget, pool=NodePool(max_nodes=3))
    assert isinstance(story.tell(CreateComputeTarget, pool=NodePool(max_nodes=3)), Refused)
