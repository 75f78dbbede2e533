"""The life-cycle under every command in every order: several runs, workers that come too late,
claims of others, retries of anything that was ever sent."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runhistory.domain.commands import (
    COMMANDS,
    AddFiles,
    AddParams,
    AddProperties,
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    CreateRun,
    DescribeRun,
    FailRun,
    PauseRun,
    ProvisionRun,
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
from runhistory.domain.decide import Accepted, Context, Refused, Unchanged, decide
from runhistory.domain.events import (
    Event,
    RunClaimed,
    RunDeleted,
    RunEvent,
    RunNotResponding,
    RunResponded,
)
from runhistory.domain.ids import experiment_id, new_run_id
from runhistory.domain.state import Applied, Run, State, fold
from runhistory.domain.status import FOLLOWS, TERMINAL, RunStatus
from runhistory.domain.values import (
    FileEntry,
    ResolvedEnvironment,
    RunContent,
    RunError,
    ScriptSpec,
)

WORKSPACE = "default"
SPEC = ScriptSpec(script="train.py", snapshot_id="0" * 64)
SCRIPT = RunContent(type="script", experiment="digits", spec=SPEC, params={"lr": "0.1"})
INTERACTIVE = RunContent(type="interactive", experiment="digits", properties={"git": "3f2c"})
FILE = FileEntry(name="outputs/model", sha256="1" * 64, size=3)
ERROR = RunError(code="ExitCode", message="3")
BOUND_TO_A_RUN = [type for name, type in COMMANDS.items() if name.startswith("run.")]
Wish = type[Command]
NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=2).map(tuple)
PAIRS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=2)


class LifeCycle(RuleBasedStateMachine):
    """Drives `decide` with whatever the world may send, and keeps a log as Kafka would."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = [new_run_id() for _ in range(3)]
        self.logs: dict[str, list[Event]] = {id: [] for id in self.ids}
        self.states: dict[str, State | None] = dict.fromkeys(self.ids)
        self.sent: list[tuple[Command, Applied | None]] = []
        self.now = datetime(2026, 11, 23, tzinfo=UTC)

    @rule(run=st.integers(0, 2), type=st.sampled_from(BOUND_TO_A_RUN), data=st.data())
    def anything(self, run: int, type: type[Command], data: st.DataObject) -> None:
        self.send(self.command(self.ids[run], type, data))

    @rule(run=st.integers(0, 2), content=st.sampled_from([SCRIPT, INTERACTIVE]))
    def create(self, run: int, content: RunContent) -> None:
        self.send(
            CreateRun(
                workspace=WORKSPACE,
                run_id=self.ids[run],
                command_id=self.fresh("create"),
                content=content,
            )
        )

    @rule(run=st.integers(0, 2), data=st.data())
    def next_step_of_the_usual_way(self, run: int, data: st.DataObject) -> None:
        """What a good worker would send now, so that long lives are seen too."""
        state = self.states[self.ids[run]]
        due: dict[RunStatus, type[Command]] = {
            RunStatus.NOT_STARTED: StartRun,
            RunStatus.QUEUED: data.draw(st.sampled_from([ClaimRun, ProvisionRun])),
            RunStatus.PROVISIONING: ClaimRun,
            RunStatus.PAUSED: ResumeRun,
            RunStatus.NOT_RESPONDING: data.draw(st.sampled_from([ReportLife, ReportLost])),
            RunStatus.PREPARING: StartRun,
            RunStatus.RUNNING: data.draw(st.sampled_from([ReportExit, ReportSilence, PauseRun])),
            RunStatus.FINALIZING: CompleteRun,
            RunStatus.CANCEL_REQUESTED: ConfirmCancel,
        }
        if isinstance(state, Run) and state.status in due:
            wish = due[state.status]
            if state.type == "interactive" and state.status is RunStatus.RUNNING:
                wish = CompleteRun
            self.send(self.command(state.run_id, wish, data, claim=state.claim_id))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """A client that saw no answer sends the very same command again, however late."""
        command, applied = data.draw(st.sampled_from(self.sent))
        if applied is None:
            return
        before = self.states[command.run_id]
        decision = decide(before, command, Context(self.now))
        assert decision == Unchanged(applied)

    @rule(run=st.integers(0, 2), data=st.data(), type=st.sampled_from(BOUND_TO_A_RUN))
    def from_another_workspace(self, run: int, type: type[Command], data: st.DataObject) -> None:
        command = self.command(self.ids[run], type, data, workspace="other")
        if self.states[command.run_id] is not None:
            decision = decide(self.states[command.run_id], command, Context(self.now))
            assert isinstance(decision, Refused)
            assert decision.code == "id_taken"

    def fresh(self, word: str) -> str:
        return f"{word}:{len(self.sent)}"

    def command(
        self,
        run_id: str,
        type: Wish,
        data: st.DataObject,
        claim: str | None = None,
        workspace: str = WORKSPACE,
    ) -> Command:
        state = self.states[run_id]
        held = state.claim_id if isinstance(state, Run) else None
        if claim is None and type is not ClaimRun:
            claim = data.draw(st.sampled_from([held, held, "claim:foreign", None]))
        attempt = data.draw(st.integers(1, 2))
        fields: dict[Wish, dict[str, Any]] = {
            CreateRun: {"content": data.draw(st.sampled_from([SCRIPT, INTERACTIVE]))},
            ClaimRun: {"claim_id": f"claim:{len(self.sent)}", "worker_id": "w"},
            StartRun: {"claim_id": claim},
            ReportExit: {"claim_id": claim or "claim:none", "exit_code": 0},
            CompleteRun: {"claim_id": claim},
            FailRun: {"claim_id": claim, "error": ERROR},
            CancelRun: {"reason": "enough"},
            ConfirmCancel: {"claim_id": claim or "claim:none"},
            SetTags: {"tags": data.draw(PAIRS)},
            AddProperties: {"properties": data.draw(PAIRS)},
            AddParams: {"params": data.draw(PAIRS)},
            AddFiles: {"attempt": data.draw(st.integers(0, 2)), "files": (FILE,)},
            ReportSilence: {"attempt": attempt, "last_seen": self.now},
            ReportLife: {"attempt": attempt},
            ReportLost: {"attempt": attempt, "last_seen": self.now},
            WarnRun: {"code": "GpuIdle", "message": "GPU 0 is idle."},
            RecordEnvironment: {
                "claim_id": claim,
                "environment": ResolvedEnvironment(python_version="3.12.4"),
            },
            TakeSnapshot: {"snapshot_id": data.draw(st.sampled_from(["0" * 64, "1" * 64]))},
            RemoveTags: {"names": data.draw(NAMES)},
            DescribeRun: {"display_name": data.draw(st.sampled_from([None, "a", "b"]))},
        }
        word = self.fresh(type.TYPE)
        return type(workspace=workspace, run_id=run_id, command_id=word, **fields.get(type, {}))

    def send(self, command: Command) -> None:
        before = self.states[command.run_id]
        self.now += timedelta(seconds=1)
        decision = decide(before, command, Context(self.now))
        if isinstance(decision, Accepted):
            self.apply(before, command, decision.events)
        elif isinstance(decision, Refused):
            self.check_refusal(before, decision)
            self.sent.append((command, None))
        else:
            self.sent.append((command, decision.applied))

    def apply(self, before: State | None, command: Command, events: tuple[Event, ...]) -> None:
        assert events
        for event in events:
            assert isinstance(event, RunEvent)
            assert event.command_id == command.command_id
            assert event.run_id == command.run_id
            assert event.time == self.now
        after = fold(events, before)
        assert isinstance(after, Run)
        self.logs[command.run_id].extend(events)
        self.states[command.run_id] = after
        applied = Applied(after.version, after.status, after.attempt)
        assert after.applied[command.command_id] == applied
        self.sent.append((command, applied))
        if isinstance(before, Run):
            self.check_fence(before, command)
            if isinstance(command, AddParams):
                assert command.params.items() <= after.params.items()
            assert before.params.items() <= after.params.items()
            assert before.properties.items() <= after.properties.items()

    def check_fence(self, before: Run, command: Command) -> None:
        """Nobody but the holder moves a script run that is held."""
        reports = StartRun | ReportExit | CompleteRun | FailRun | ConfirmCancel | RecordEnvironment
        if before.type == "script" and isinstance(command, reports):
            assert command.claim_id == before.claim_id is not None

    def check_refusal(self, before: State | None, refused: Refused) -> None:
        assert refused.message.endswith(".")
        assert refused.code.replace("_", "").isalpha()
        if isinstance(before, Run):
            assert before.status in refused.message

    @invariant()
    def versions_have_no_hole(self) -> None:
        for log in self.logs.values():
            assert [event.version for event in log] == list(range(1, len(log) + 1))

    @invariant()
    def statuses_follow_and_the_end_is_the_end(self) -> None:
        for log in self.logs.values():
            statuses = [event.status for event in log if isinstance(event, RunEvent)]
            assert statuses[:1] in ([], [RunStatus.NOT_STARTED])
            for before, after in pairwise(statuses):
                assert before == after or after in FOLLOWS[before]
                assert before not in TERMINAL or before == after

    @invariant()
    def life_brings_the_old_status_back(self) -> None:
        for log in self.logs.values():
            for number, event in enumerate(log):
                if isinstance(event, RunResponded):
                    told = [one for one in log[:number] if isinstance(one, RunEvent)]
                    before = [one for one in told if one.status is not RunStatus.NOT_RESPONDING]
                    assert event.status == before[-1].status
                    assert any(isinstance(one, RunNotResponding) for one in told)

    @invariant()
    def nothing_comes_after_a_deletion(self) -> None:
        for log in self.logs.values():
            assert not any(isinstance(event, RunDeleted) for event in log[:-1])

    @invariant()
    def attempts_grow_with_claims_alone(self) -> None:
        for log in self.logs.values():
            attempts = [event.attempt for event in log if isinstance(event, RunEvent)]
            assert attempts == sorted(attempts)
            claims = [event.attempt for event in log if isinstance(event, RunClaimed)]
            assert claims == list(range(1, len(claims) + 1))
            assert len(claims) <= 1  # nothing gives a run back yet, so the first claim is the only

    @invariant()
    def state_is_the_fold_of_the_log(self) -> None:
        for id in self.ids:
            state, log = self.states[id], self.logs[id]
            assert fold(log) == state
            if isinstance(state, Run):
                last = log[-1]
                assert isinstance(last, RunEvent)
                assert (last.status, last.attempt) == (state.status, state.attempt)
                assert last.experiment_id == experiment_id(WORKSPACE, "digits")


LifeCycle.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLifeCycle = LifeCycle.TestCase
