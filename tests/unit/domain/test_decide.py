"""Named cases of the rules: the usual way to each end, and what is refused with which words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from runhistory.domain.commands import (
    AddFiles,
    AddParams,
    ArchiveRun,
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    CreateExperiment,
    CreateRun,
    DeleteRun,
    DescribeRun,
    FailRun,
    PauseRun,
    ProvisionRun,
    ReactivateRun,
    RecordEnvironment,
    RemoveTags,
    ReportExit,
    ReportLife,
    ReportLost,
    ReportSilence,
    ResumeRun,
    SetTags,
    StartRun,
    TakeSnapshot,
    WarnRun,
)
from runhistory.domain.decide import Accepted, Context, Decision, Refused, Unchanged, decide
from runhistory.domain.events import Event, RunCompleted, RunDescribed, RunEvent, RunFailed
from runhistory.domain.ids import experiment_id
from runhistory.domain.recorder import IllegalTransition, Recorder
from runhistory.domain.state import OutOfOrder, Run, State, evolve, fold
from runhistory.domain.status import RunStatus
from runhistory.domain.values import (
    FileEntry,
    ResolvedEnvironment,
    RunContent,
    RunError,
    ScriptSpec,
)

RUN_ID = "019ab1f0a2c37d4e8b5f60718293a4b5"
SPEC = ScriptSpec(script="train.py", snapshot_id="0" * 64)
SCRIPT = RunContent(type="script", experiment="digits", spec=SPEC, params={"lr": "0.1"})
INTERACTIVE = RunContent(type="interactive", experiment="digits")
CONTEXT = Context(datetime(2026, 11, 23, tzinfo=UTC))
ERROR = RunError(code="ExitCode", message="It exited with 3.")


class Story:
    """One run and what it was told; each command has its type's name and a number as its id."""

    def __init__(self, *commands: tuple[type[Command], dict[str, Any]]) -> None:
        self.state: State | None = None
        self.events: list[Event] = []
        for type, fields in commands:
            assert isinstance(self.tell(type, **fields), Accepted)

    def tell(self, type: type[Command], **fields: Any) -> Decision:
        id = fields.pop("command_id", f"{type.TYPE}:{len(self.events)}")
        fields = {"workspace": "default", "run_id": RUN_ID, **fields}
        decision = decide(self.state, type(command_id=id, **fields), CONTEXT)
        if isinstance(decision, Accepted):
            self.events += decision.events
            self.state = fold(decision.events, self.state)
        return decision

    @property
    def timeline(self) -> list[RunStatus]:
        """Every status the run was in, once for each stay."""
        all = [event.status for event in self.events if isinstance(event, RunEvent)]
        return [status for i, status in enumerate(all) if i == 0 or status != all[i - 1]]


CREATE = (CreateRun, {"content": SCRIPT})
CLAIM = (ClaimRun, {"claim_id": "mine", "worker_id": "w1"})
START = (StartRun, {"claim_id": "mine"})
EXIT = (ReportExit, {"claim_id": "mine", "exit_code": 0})
FILES = (AddFiles, {"attempt": 1, "files": (FileEntry(name="m", sha256="1" * 64, size=1),)})
COMPLETE = (CompleteRun, {"claim_id": "mine"})
FAIL = (FailRun, {"claim_id": "mine", "error": ERROR})
CANCEL: tuple[type[Command], dict[str, Any]] = (CancelRun, {})
CONFIRM = (ConfirmCancel, {"claim_id": "mine"})
MORNING = datetime(2026, 11, 23, 9, tzinfo=UTC)
SILENCE = (ReportSilence, {"attempt": 1, "last_seen": MORNING})
LIFE = (ReportLife, {"attempt": 1})
LOSS = (ReportLost, {"attempt": 1, "last_seen": MORNING})
S = RunStatus
BEFORE_RUNNING = [S.NOT_STARTED, S.STARTING, S.QUEUED, S.PREPARING]

STORIES = {
    "completed": (
        (CREATE, CLAIM, START, EXIT, FILES, COMPLETE),
        [*BEFORE_RUNNING, S.RUNNING, S.FINALIZING, S.COMPLETED],
    ),
    "failed": (
        (CREATE, CLAIM, START, EXIT, FAIL),
        [*BEFORE_RUNNING, S.RUNNING, S.FINALIZING, S.FAILED],
    ),
    "failed while preparing": ((CREATE, CLAIM, FAIL), [*BEFORE_RUNNING, S.FAILED]),
    "failed while running": ((CREATE, CLAIM, START, FAIL), [*BEFORE_RUNNING, S.RUNNING, S.FAILED]),
    "canceled while queued": (
        (CREATE, CANCEL),
        [S.NOT_STARTED, S.STARTING, S.QUEUED, S.CANCEL_REQUESTED, S.CANCELED],
    ),
    "canceled while running": (
        (CREATE, CLAIM, START, CANCEL, FILES, CONFIRM),
        [*BEFORE_RUNNING, S.RUNNING, S.CANCEL_REQUESTED, S.CANCELED],
    ),
    "canceled while finalizing": (
        (CREATE, CLAIM, START, EXIT, CANCEL, CONFIRM),
        [*BEFORE_RUNNING, S.RUNNING, S.FINALIZING, S.CANCEL_REQUESTED, S.CANCELED],
    ),
    "worker lost while cancelling": (
        (CREATE, CLAIM, CANCEL, FAIL),
        [*BEFORE_RUNNING, S.CANCEL_REQUESTED, S.FAILED],
    ),
    "provisioned, paused, resumed": (
        (CREATE, (ProvisionRun, {}), CLAIM, START, (PauseRun, {}), (ResumeRun, {}), EXIT, COMPLETE),
        [
            S.NOT_STARTED,
            S.STARTING,
            S.QUEUED,
            S.PROVISIONING,
            S.PREPARING,
            S.RUNNING,
            S.PAUSED,
            S.RUNNING,
            S.FINALIZING,
            S.COMPLETED,
        ],
    ),
    "killed while paused": (
        (CREATE, CLAIM, START, (PauseRun, {}), EXIT, FAIL),
        [*BEFORE_RUNNING, S.RUNNING, S.PAUSED, S.FINALIZING, S.FAILED],
    ),
    "silent and back": (
        (CREATE, CLAIM, START, SILENCE, LIFE, EXIT, COMPLETE),
        [
            *BEFORE_RUNNING,
            S.RUNNING,
            S.NOT_RESPONDING,
            S.RUNNING,
            S.FINALIZING,
            S.COMPLETED,
        ],
    ),
    "silent, and its end is the next that is heard": (
        (CREATE, CLAIM, START, SILENCE, EXIT, COMPLETE),
        [*BEFORE_RUNNING, S.RUNNING, S.NOT_RESPONDING, S.FINALIZING, S.COMPLETED],
    ),
    "lost": (
        (CREATE, CLAIM, START, SILENCE, LOSS),
        [*BEFORE_RUNNING, S.RUNNING, S.NOT_RESPONDING, S.FAILED],
    ),
    "lost while it was to be canceled": (
        (CREATE, CLAIM, START, CANCEL, SILENCE, LOSS),
        [*BEFORE_RUNNING, S.RUNNING, S.CANCEL_REQUESTED, S.NOT_RESPONDING, S.CANCELED],
    ),
    "canceled while silent, and silent on": (
        (CREATE, CLAIM, START, SILENCE, CANCEL, SILENCE, LIFE, CONFIRM),
        [
            *BEFORE_RUNNING,
            S.RUNNING,
            S.NOT_RESPONDING,
            S.CANCEL_REQUESTED,
            S.NOT_RESPONDING,
            S.CANCEL_REQUESTED,
            S.CANCELED,
        ],
    ),
    "interactive": (
        ((CreateRun, {"content": INTERACTIVE}), (StartRun, {}), (CompleteRun, {})),
        [S.NOT_STARTED, S.RUNNING, S.COMPLETED],
    ),
    "interactive failed before its start": (
        ((CreateRun, {"content": INTERACTIVE}), (FailRun, {"error": ERROR})),
        [S.NOT_STARTED, S.FAILED],
    ),
    "interactive canceled": (
        ((CreateRun, {"content": INTERACTIVE}), (StartRun, {}), CANCEL),
        [S.NOT_STARTED, S.RUNNING, S.CANCEL_REQUESTED, S.CANCELED],
    ),
}


@pytest.mark.parametrize(("commands", "timeline"), STORIES.values(), ids=STORIES.keys())
def test_the_way_to_each_end(commands: Any, timeline: list[RunStatus]) -> None:
    assert Story(*commands).timeline == timeline


def refusal(decision: Decision) -> tuple[str, str]:
    assert isinstance(decision, Refused)
    return decision.code, decision.message


def test_an_unknown_run_is_not_found_by_its_id() -> None:
    code, message = refusal(Story().tell(CancelRun))
    assert code == "run_not_found"
    assert RUN_ID in message


def test_a_canceled_run_cannot_be_completed_and_its_status_is_said() -> None:
    code, message = refusal(
        Story(CREATE, CLAIM, START, CANCEL, CONFIRM).tell(*COMPLETE[:1], claim_id="mine")
    )
    assert code == "not_allowed"
    assert "Canceled" in message


def test_the_second_claim_is_refused_and_the_first_ones_retry_is_not() -> None:
    story = Story(CREATE)
    assert isinstance(story.tell(ClaimRun, command_id="a", claim_id="a", worker_id="w1"), Accepted)
    assert refusal(story.tell(ClaimRun, command_id="b", claim_id="b", worker_id="w2"))[0] == (
        "not_allowed"
    )
    again = story.tell(ClaimRun, command_id="a", claim_id="a", worker_id="w1")
    assert isinstance(again, Unchanged)
    assert again.applied is not None
    assert (again.applied.status, again.applied.attempt) == (S.PREPARING, 1)


def test_another_claims_reports_are_fenced_off() -> None:
    assert refusal(Story(CREATE, CLAIM).tell(StartRun, claim_id="other"))[0] == "not_the_holder"
    assert refusal(Story(CREATE, CLAIM).tell(StartRun))[0] == "not_the_holder"
    assert refusal(Story(CREATE).tell(StartRun, claim_id="mine"))[0] == "not_allowed"


def test_an_interactive_run_may_begin_with_its_creation() -> None:
    create = CreateRun(
        workspace="w", run_id=RUN_ID, command_id="1", content=INTERACTIVE, start=True
    )
    decision = decide(None, create, CONTEXT)
    assert isinstance(decision, Accepted)
    state = fold(decision.events)
    assert isinstance(state, Run)
    assert [event.TYPE for event in decision.events] == ["run.created.v1", "run.started.v1"]
    assert (state.status, state.attempt) == (RunStatus.RUNNING, 1)
    again = decide(state, create, CONTEXT)
    assert isinstance(again, Unchanged)
    assert again.applied is not None
    assert again.applied.attempt == 1, "a retry is told its attempt"
    script = CreateRun(workspace="w", run_id=RUN_ID, command_id="1", content=SCRIPT, start=True)
    decision = decide(None, script, CONTEXT)
    assert isinstance(decision, Accepted)
    assert decision.events[-1].status is RunStatus.QUEUED


@pytest.mark.parametrize(
    ("content", "hours", "happened", "is_recorded"),
    [(INTERACTIVE, -1, -1, True), (INTERACTIVE, 1, 0, True), (SCRIPT, -1, 0, False)],
)
def test_what_was_recorded_earlier_happened_then_and_never_in_the_future_nor_in_a_queue(
    content: RunContent, hours: int, happened: int, is_recorded: bool
) -> None:
    at = CONTEXT.now + timedelta(hours=hours)
    tags: tuple[type[Command], dict[str, Any]] = (SetTags, {"tags": {"a": "1"}, "at": at})
    story = Story((CreateRun, {"content": content, "start": True, "at": at}), tags)
    time = CONTEXT.now + timedelta(hours=happened)
    expected = (time, CONTEXT.now if is_recorded else None)
    assert len(story.events) >= 3
    for event in story.events:
        assert isinstance(event, RunEvent)
        assert (event.time, event.decided) == expected


def test_the_same_content_is_the_same_run_and_other_content_is_not() -> None:
    story = Story(CREATE)
    assert story.tell(CreateRun, command_id="other", content=SCRIPT) == Unchanged()
    changed = msgspec.structs.replace(SCRIPT, params={"lr": "0.2"})
    for command_id in ("other", "run.create.v1:0"):
        code, message = refusal(story.tell(CreateRun, command_id=command_id, content=changed))
        assert code == "run_exists"
        assert "Queued" in message


@pytest.mark.parametrize(
    "content",
    [
        msgspec.structs.replace(SCRIPT, spec=None),
        msgspec.structs.replace(INTERACTIVE, spec=SPEC),
    ],
)
def test_a_script_has_a_spec_and_others_have_none(content: RunContent) -> None:
    assert refusal(Story().tell(CreateRun, content=content))[0] == "invalid_content"


def test_params_are_written_once_and_tags_over_and_over() -> None:
    story = Story(CREATE)
    assert story.tell(AddParams, params={"lr": "0.1"}) == Unchanged()
    assert refusal(story.tell(AddParams, params={"lr": "0.2", "new": "1"}))[0] == "param_exists"
    assert isinstance(story.tell(AddParams, params={"lr": "0.1", "new": "1"}), Accepted)
    assert isinstance(story.tell(SetTags, tags={"a": "1"}), Accepted)
    assert isinstance(story.tell(SetTags, tags={"a": "2"}), Accepted)
    assert isinstance(story.state, Run)
    assert story.state.params == {"lr": "0.1", "new": "1"}
    assert story.state.tags == {"a": "2"}


def test_files_of_an_attempt_that_never_was_are_refused() -> None:
    assert refusal(Story(CREATE).tell(FILES[0], **FILES[1]))[0] == "attempt_not_found"


def test_an_experiments_id_is_no_runs_id() -> None:
    id = experiment_id("default", "digits")
    story = Story((CreateRun, {"run_id": id, "content": INTERACTIVE}))
    assert refusal(story.tell(CreateExperiment, run_id=id, name="digits"))[0] == "id_taken"
    story = Story((CreateExperiment, {"run_id": id, "name": "digits"}))
    assert story.tell(CreateExperiment, run_id=id, command_id="2", name="digits") == Unchanged()
    assert refusal(story.tell(CreateRun, run_id=id, content=INTERACTIVE))[0] == "id_taken"
    assert refusal(story.tell(CancelRun, run_id=id))[0] == "id_taken"
    assert refusal(Story().tell(CreateExperiment, name="digits"))[0] == "wrong_experiment_id"


def test_events_are_folded_in_order_alone() -> None:
    story = Story(CREATE, CLAIM)
    for events in (story.events[1:], [story.events[0]] * 2, [story.events[0], *story.events[2:]]):
        with pytest.raises(OutOfOrder):
            fold(events)
    other = Story((CreateExperiment, {"run_id": experiment_id("default", "d"), "name": "d"}))
    with pytest.raises(OutOfOrder):
        evolve(story.state, msgspec.structs.replace(other.events[0], version=5))


def test_the_recorder_refuses_a_step_that_does_not_follow() -> None:
    story = Story(CREATE)
    assert isinstance(story.state, Run)
    wish = CancelRun(workspace="default", run_id=RUN_ID, command_id="c")
    with pytest.raises(IllegalTransition, match="Queued -> Completed"):
        Recorder(story.state, wish, CONTEXT).add(RunCompleted, S.COMPLETED)


def test_a_report_about_an_attempt_that_is_over_changes_nothing() -> None:
    story = Story(CREATE, CLAIM, START)
    for type in (ReportSilence, ReportLost):
        told = story.tell(type, attempt=2, last_seen=MORNING)
        assert refusal(told)[0] == "not_allowed"
    assert refusal(story.tell(*LOSS[:1], **LOSS[1]))[0] == "not_allowed"  # it was not silent
    assert story.tell(ReportLife, attempt=1) == Unchanged()
    queued = Story(CREATE).tell(ReportSilence, attempt=1, last_seen=MORNING)
    assert refusal(queued)[0] == "not_allowed"


def test_a_lost_run_says_since_when() -> None:
    story = Story(CREATE, CLAIM, START, SILENCE, LOSS)
    failed = story.events[-1]
    assert isinstance(failed, RunFailed)
    assert failed.error.code == "Lost"
    assert "2026-11-23 09:00:00" in failed.error.message


def test_warnings_and_environments_leave_the_status_alone() -> None:
    story = Story(CREATE, CLAIM)
    environment = ResolvedEnvironment(python_version="3.12.4")
    for type, fields in (
        (WarnRun, {"code": "GpuIdle", "message": "GPU 0 is idle."}),
        (RecordEnvironment, {"environment": environment, "claim_id": "mine"}),
    ):
        assert isinstance(story.tell(type, **fields), Accepted)
    assert story.timeline == BEFORE_RUNNING
    foreign = story.tell(RecordEnvironment, environment=environment, claim_id="other")
    assert refusal(foreign)[0] == "not_the_holder"


def test_a_run_has_one_snapshot() -> None:
    story = Story((CreateRun, {"content": INTERACTIVE}), (StartRun, {}))
    assert isinstance(story.tell(TakeSnapshot, snapshot_id="1" * 64), Accepted)
    assert story.tell(TakeSnapshot, snapshot_id="1" * 64) == Unchanged()
    assert refusal(story.tell(TakeSnapshot, snapshot_id="2" * 64))[0] == "snapshot_exists"
    assert refusal(Story(CREATE).tell(TakeSnapshot, snapshot_id="1" * 64))[0] == "snapshot_exists"


def test_names_and_tags_change_and_only_what_changed_is_told() -> None:
    story = Story(CREATE)
    story.tell(SetTags, tags={"a": "1", "b": "2"})
    assert isinstance(story.tell(RemoveTags, names=("a", "a", "unknown")), Accepted)
    assert story.tell(RemoveTags, names=("a",)) == Unchanged()
    story.tell(DescribeRun, display_name="best", description="")
    described = story.events[-1]
    assert isinstance(described, RunDescribed)
    assert (described.display_name, described.description) == ("best", None)
    assert story.tell(DescribeRun, display_name="best") == Unchanged()
    assert isinstance(story.state, Run)
    assert (story.state.tags, story.state.display_name) == ({"b": "2"}, "best")


def test_archiving_is_allowed_in_every_status_and_can_be_taken_back() -> None:
    story = Story(CREATE, CLAIM, START)
    assert isinstance(story.tell(ArchiveRun), Accepted)
    assert story.tell(ArchiveRun) == Unchanged()
    assert isinstance(story.tell(ReactivateRun), Accepted)
    assert story.tell(ReactivateRun) == Unchanged()


def test_a_run_is_deleted_when_nothing_of_it_is_under_way_and_its_id_stays_taken() -> None:
    story = Story(CREATE, CLAIM, START)
    code, message = refusal(story.tell(DeleteRun))
    assert code == "not_allowed"
    assert "cancel it first" in message
    for type, fields in (EXIT, COMPLETE, (DeleteRun, {"command_id": "delete"})):
        assert isinstance(story.tell(type, **fields), Accepted)
    again = story.tell(DeleteRun, command_id="delete")
    assert isinstance(again, Unchanged)
    assert again.applied is not None
    for type, fields in ((SetTags, {"tags": {"a": "1"}}), (DeleteRun, {}), CREATE):
        assert refusal(story.tell(type, **fields, command_id="later"))[0] == "run_deleted"


def test_arguments_become_params_and_given_ones_count_for_more() -> None:
    spec = msgspec.structs.replace(SPEC, arguments=("--lr", "0.5", "--depth=3", "--fast"))
    story = Story((CreateRun, {"content": msgspec.structs.replace(SCRIPT, spec=spec)}))
    assert isinstance(story.state, Run)
    assert story.state.params == {"lr": "0.1", "depth": "3", "fast": "true"}
    command = msgspec.structs.replace(SPEC, command=("python", "train.py", "--depth", "4"))
    story = Story((CreateRun, {"content": msgspec.structs.replace(SCRIPT, spec=command)}))
    assert isinstance(story.state, Run)
    assert story.state.params == {"lr": "0.1", "depth": "4"}
