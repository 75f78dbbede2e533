"""The rules of liveness, with a clock that the test turns."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runhistory.domain.commands import (
    CancelRun,
    ClaimRun,
    Command,
    CompleteRun,
    ConfirmCancel,
    CreateRun,
    ReportExit,
    ReportLife,
    ReportLost,
    ReportSilence,
    SetTags,
    StartRun,
    WarnRun,
)
from runhistory.domain.decide import Accepted, Context, decide
from runhistory.domain.events import RunFailed, RunNotResponding, RunResponded, RunWarned
from runhistory.domain.ids import new_run_id
from runhistory.domain.state import Run, State, evolve
from runhistory.domain.status import RunStatus
from runhistory.domain.values import RunContent, ScriptSpec
from runhistory.events.heartbeat import Heartbeat
from runhistory.watch.liveness import Liveness, Sight
from runhistory.watch.settings import WatchSettings

S = RunStatus
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = WatchSettings()
OPEN = Sight(log=-1e9, gateway=-1e9)
"""All has been in view for ages."""


class World:
    """One run under the real rules of the domain, and watchers that see its events.

    `now` is in seconds since START; every watcher's clock shows it plus a number of its own.
    """

    def __init__(self, watchers: int = 1, run_type: str = "script", run_id: str = "") -> None:
        self.now = 0.0
        self.run_id = run_id or new_run_id()
        self.state: State | None = None
        self.events: list[Any] = []
        self.numbers = iter(range(10**6))
        self.watchers = [self.watcher(1_000.0 * (n + 1)) for n in range(watchers)]
        spec = ScriptSpec(script="t.py", snapshot_id="0" * 64) if run_type == "script" else None
        self.do(CreateRun, content=RunContent(type=run_type, experiment="e", spec=spec))  # type: ignore[arg-type]
        if run_type == "script":
            self.do(ClaimRun, claim_id="c", worker_id="w")
            self.do(StartRun, claim_id="c")
        else:
            self.do(StartRun)

    def watcher(self, clock: float) -> tuple[Liveness, float]:
        liveness = Liveness(SETTINGS, lambda time: clock + (time - START).total_seconds())
        for event in self.events:
            liveness.apply(event, 0)
        return liveness, clock

    @property
    def time(self) -> datetime:
        return START + timedelta(seconds=self.now)

    @property
    def run(self) -> Run:
        assert isinstance(self.state, Run)
        return self.state

    def do(self, command: type[Command], **fields: Any) -> bool:
        return self.apply(
            command(
                workspace="default",
                run_id=self.run_id,
                command_id=f"user-{next(self.numbers)}",
                **fields,
            )
        )

    def apply(self, command: Command) -> bool:
        """As the lifecycle does: an id that was applied is not applied again."""
        if self.state is not None and command.command_id in self.state.applied:
            return False
        decision = decide(self.state, command, Context(now=self.time))
        if not isinstance(decision, Accepted):
            return False
        for event in decision.events:
            self.state = evolve(self.state, event)
            self.events.append(event)
            for liveness, _ in self.watchers:
                liveness.apply(event, 0)
        return True

    def heartbeat(self, **fields: Any) -> Heartbeat:
        about = {"workspace": "default", "run_id": self.run_id, "attempt": 1, "source": "t"}
        return Heartbeat(**{**about, "time": self.time, **fields})

    def beat(self, **fields: Any) -> list[Command]:
        """A heartbeat that every watcher hears; what they say to it is applied."""
        heartbeat, said = self.heartbeat(**fields), []
        for liveness, clock in self.watchers:
            said += liveness.beat(heartbeat, 0, _us(self.time), clock + self.now)
        for command in said:
            self.apply(command)
        return said

    def due(self, number: int = 0, sight: Sight = OPEN) -> list[Command]:
        liveness, clock = self.watchers[number]
        return liveness.due(0, clock + self.now, sight)

    def judge(self, sight: Sight = OPEN) -> list[Command]:
        said = [command for n in range(len(self.watchers)) for command in self.due(n, sight)]
        for command in said:
            self.apply(command)
        return said

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


def test_a_minute_of_silence_is_told_with_the_last_sign() -> None:
    world = World()
    world.now = 10
    world.beat()
    world.now = 69.9
    assert world.due() == []
    world.now = 70
    (command,) = world.judge()
    assert isinstance(command, ReportSilence)
    assert command.last_seen == START + timedelta(seconds=10)
    assert world.run.status is S.NOT_RESPONDING


@pytest.mark.parametrize("before", [S.PREPARING, S.RUNNING, S.FINALIZING, S.CANCEL_REQUESTED])
def test_life_brings_the_status_back(before: RunStatus) -> None:
    world = World()
    if before is S.PREPARING:
        world = _preparing()
    elif before is S.FINALIZING:
        world.do(ReportExit, claim_id="c", exit_code=0)
    elif before is S.CANCEL_REQUESTED:
        world.do(CancelRun)
    world.now = 100
    world.judge()
    assert world.run.status is S.NOT_RESPONDING
    world.now = 101
    (command,) = world.beat()
    assert isinstance(command, ReportLife)
    assert world.run.status is before


def _preparing() -> World:
    world = World.__new__(World)
    world.now, world.run_id, world.state, world.events = 0.0, new_run_id(), None, []
    world.numbers = iter(range(10**6))
    world.watchers = [world.watcher(0.0)]
    spec = ScriptSpec(script="t.py", snapshot_id="0" * 64)
    world.do(CreateRun, content=RunContent(type="script", experiment="e", spec=spec))
    world.do(ClaimRun, claim_id="c", worker_id="w")
    return world


def test_what_waits_or_is_over_is_not_judged() -> None:
    world = World()
    world.do(ReportExit, claim_id="c", exit_code=0)
    world.do(CompleteRun, claim_id="c")
    world.now = 1e6
    assert world.due() == []


def test_after_seven_minutes_it_is_lost() -> None:
    world = World()
    world.now = 60
    world.judge()
    world.now = 419
    assert world.due() == []
    world.now = 420
    (command,) = world.judge()
    assert isinstance(command, ReportLost)
    assert "attempt 1" in command.message
    assert world.run.status is S.FAILED
    assert world.due() == []


def test_a_loss_that_arrives_late_ends_no_run_that_was_heard_of_since() -> None:
    """Its sender was frozen between deciding and sending; the run is silent, but not for long."""
    world = World()
    world.now = 60
    world.judge()
    world.now = 420
    (late,) = world.due()
    world.beat()
    world.now = 480
    world.judge()
    assert world.run.status is S.NOT_RESPONDING
    assert not world.apply(late)


def test_one_that_was_to_be_cancelled_and_is_lost_is_canceled() -> None:
    world = World()
    world.do(CancelRun)
    world.now = 60
    world.judge()
    world.now = 420
    world.judge()
    assert world.run.status is S.CANCELED


def test_a_cancel_in_silence_does_not_hide_the_silence() -> None:
    """The same last sign, but another status: another silence, which has to be told too."""
    world = World()
    world.now = 60
    world.judge()
    world.do(CancelRun)
    assert world.run.status is S.CANCEL_REQUESTED
    world.judge()
    assert world.run.status is S.NOT_RESPONDING
    world.now = 420
    world.judge()
    assert world.run.status is S.CANCELED


def test_life_that_came_before_the_silence_was_told_counts() -> None:
    world = World()
    world.now = 70
    (silence,) = world.due()
    world.beat()  # it lands while the command is under way
    world.apply(silence)
    assert world.run.status is S.NOT_RESPONDING
    (command,) = world.judge()
    assert isinstance(command, ReportLife)
    assert world.run.status is S.RUNNING


def test_heartbeats_of_before_the_silence_are_no_life() -> None:
    """A watcher that was started anew reads them all once more."""
    world = World()
    world.now = 10
    old = world.heartbeat()
    world.beat()
    world.now = 100
    world.judge()
    liveness, clock = world.watcher(5_000)
    assert liveness.beat(old, 0, _us(START + timedelta(seconds=10)), clock + 10) == []
    assert world.run.status is S.NOT_RESPONDING


def test_an_old_attempts_heartbeats_say_nothing_of_the_new_one() -> None:
    liveness, _ = (world := World()).watchers[0]
    world.now = 60
    world.judge()
    assert liveness.beat(world.heartbeat(attempt=7), 0, _us(world.time), 9e9) == []


@pytest.mark.parametrize(
    "sight",
    [
        Sight(log=None, gateway=0.0),
        Sight(log=1_000.0 + 1e6 - 59, gateway=0.0),
    ],
)
def test_nobody_is_judged_by_who_could_not_have_heard(sight: Sight) -> None:
    world = World()
    world.now = 1e6
    assert world.due(sight=sight) == []


def test_interactive_runs_are_not_judged_while_the_gateway_is_away() -> None:
    script, interactive = World(), World(run_type="interactive")
    for world in (script, interactive):
        world.now = 1e6
    away = Sight(log=0.0, gateway=None)
    just_back = Sight(log=0.0, gateway=1_000.0 + 1e6 - 59)
    for sight in (away, just_back):
        assert interactive.due(sight=sight) == []
        assert script.due(sight=sight) != []
    assert interactive.due(sight=Sight(log=0.0, gateway=0.0)) != []


def test_an_idle_gpu_is_warned_of_once_for_each_stretch() -> None:
    world = World(watchers=2)
    first = START + timedelta(seconds=5)
    for world.now in range(10, 1_500, 10):
        world.beat(gpu_idle_since={"GPU-a": first})
    assert world.count(RunWarned) == 1
    second = world.time
    world.watchers.append(world.watcher(77))  # it knows from the events what was said
    assert world.watchers[2][0].beat(
        world.heartbeat(gpu_idle_since={"GPU-a": first}), 0, _us(world.time), 0
    ) == []  # fmt: skip
    for world.now in range(1_500, 3_000, 10):
        world.beat(gpu_idle_since={"GPU-a": second, "GPU-b": second})
    assert world.count(RunWarned) == 3
    warned = next(event for event in world.events if isinstance(event, RunWarned))
    assert warned.code == "GpuIdle"
    assert "GPU-a" in warned.message
    assert "10 minutes" in warned.message


def test_an_idle_gpu_of_a_run_that_does_not_run_is_no_news() -> None:
    world = _preparing()
    world.now = 1_000
    assert world.beat(gpu_idle_since={"GPU-a": START}) == []
    assert not any(isinstance(command, WarnRun) for command in world.judge())


class TwoWatchers(RuleBasedStateMachine):
    """Whatever happens in whatever order: each silence is told once, and none is invented."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(watchers=2)
        self.last_beat = 0.0
        self.pending: list[Command] = []

    @rule(seconds=st.floats(0.1, 200))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @precondition(lambda self: not self.world.run.is_terminal)
    @rule()
    def it_beats(self) -> None:
        self.last_beat = self.world.now
        self.world.beat()

    @rule(number=st.integers(0, 1), deliver=st.booleans())
    def one_judges(self, number: int, deliver: bool) -> None:
        before = self.world.run.status
        for command in self.world.due(number):
            quiet = self.world.now - self.last_beat
            if isinstance(command, ReportSilence):
                assert quiet >= SETTINGS.not_responding - 1e-6
            if isinstance(command, ReportLost):
                assert quiet >= SETTINGS.lost - 1e-6
                assert before is S.NOT_RESPONDING
            self.pending.append(command)
        if deliver:
            self.commands_arrive(1)

    @rule(times=st.integers(1, 2))
    def commands_arrive(self, times: int) -> None:
        """Late, and some twice."""
        for command in self.pending * times:
            if self.world.apply(command) and isinstance(command, ReportLost):
                assert command.last_seen >= START + timedelta(seconds=self.last_beat - 0.001)
        self.pending = []

    @rule(number=st.integers(0, 1), clock=st.floats(0, 1e6))
    def one_is_started_anew(self, number: int, clock: float) -> None:
        liveness, clock = self.world.watcher(clock)
        last = START + timedelta(seconds=self.last_beat)
        liveness.beat(self.world.heartbeat(time=last), 0, _us(last), clock + self.last_beat)
        self.world.watchers[number] = (liveness, clock)

    @precondition(lambda self: not self.world.run.is_terminal)
    @rule()
    def a_user_says_something(self) -> None:
        self.world.do(SetTags, tags={"t": str(self.world.now)})

    @precondition(lambda self: not self.world.run.is_terminal)
    @rule()
    def a_user_cancels(self) -> None:
        self.world.do(CancelRun)

    @precondition(lambda self: self.world.run.known_status is S.CANCEL_REQUESTED)
    @rule()
    def the_worker_confirms(self) -> None:
        self.world.do(ConfirmCancel, claim_id="c")

    @invariant()
    def silences_and_lives_alternate(self) -> None:
        silences = self.world.count(RunNotResponding)
        lives = self.world.count(RunResponded)
        assert lives <= silences
        assert self.world.count(RunFailed) <= 1

    def teardown(self) -> None:
        """In the end it is told what is: all that is pending comes, and time goes on."""
        world = self.world
        for seconds in (61, 1, 440, 1):
            world.now += seconds
            self.commands_arrive(1)
            world.judge()
        assert world.run.is_terminal


TestTwoWatchers = TwoWatchers.TestCase
TestTwoWatchers.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(beats=st.lists(st.floats(0, 1_000), max_size=30), shuffled=st.randoms())
@settings(max_examples=60, deadline=None)
def test_heartbeats_count_the_same_in_any_order(beats: list[float], shuffled: Any) -> None:
    def said(order: list[float]) -> Iterator[Command]:
        world = World(run_id="0" * 32)
        liveness, clock = world.watchers[0]
        for at in order:
            heartbeat = world.heartbeat()
            liveness.beat(heartbeat, 0, _us(START + timedelta(seconds=at)), clock + at)
        yield from liveness.due(0, clock + 1_030, OPEN)

    again = [*beats, *beats]
    shuffled.shuffle(again)
    assert list(said(beats)) == list(said(again))


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=30)])
@pytest.mark.parametrize("starts_at_once", [True, False])
def test_a_recorded_run_is_not_silent_however_long_its_sync_rests(
    ahead: timedelta, starts_at_once: bool
) -> None:
    """Also where the clock of the recording went wrong: nobody speaks for it all the same."""
    world = World()
    world.run_id, world.state, world.now = new_run_id(), None, 10_000.0
    content = RunContent(type="interactive", experiment="e")
    world.do(CreateRun, content=content, start=starts_at_once, at=START + ahead)
    if not starts_at_once:
        world.do(StartRun, at=START + ahead)
    assert world.events[-1].time == min(START + ahead, world.time)
    liveness, _ = world.watchers[0]
    others = liveness.attempts
    world.now += 1e6
    assert [command for command in world.due() if command.run_id == world.run_id] == []
    assert world.do(CompleteRun, at=START + ahead)
    assert world.run.status is S.COMPLETED
    assert liveness.attempts == others


def test_the_end_of_a_run_that_lived_may_come_until_minutes_after_the_gateway_is_back() -> None:
    """Its process has gone meanwhile, and its end waits on disk."""
    world = World(run_type="interactive")
    back = 10_000.0
    sight = Sight(log=0.0, gateway=1_000.0 + back)
    for world.now, status in (
        (back + 59, S.RUNNING),
        (back + 61, S.NOT_RESPONDING),
        (back + 419, S.NOT_RESPONDING),
        (back + 421, S.FAILED),
    ):
        world.judge(sight)
        assert world.run.status is status
