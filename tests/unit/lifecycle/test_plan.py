"""A batch of commands is decided as if they came one by one."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from runhistory.domain.commands import (
    CancelRun,
    Command,
    CompleteRun,
    CreateRun,
    FailRun,
    SetTags,
    StartRun,
)
from runhistory.domain.decide import Context
from runhistory.domain.state import State
from runhistory.domain.values import RunContent, RunError
from runhistory.lifecycle.plan import plan

CONTEXT = Context(now=datetime(2026, 11, 23, tzinfo=UTC))
RUNS = ["a" * 32, "b" * 32]


def _command(kind: str, run_id: str, command_id: str) -> Command:
    head = {"workspace": "default", "run_id": run_id, "command_id": command_id}
    match kind:
        case "create":
            return CreateRun(content=RunContent(type="interactive", experiment="e"), **head)
        case "start":
            return StartRun(**head)
        case "complete":
            return CompleteRun(**head)
        case "fail":
            return FailRun(error=RunError(code="Bad", message="it broke"), **head)
        case "tag":
            return SetTags(tags={"colour": command_id}, **head)
        case _:
            return CancelRun(**head)


commands = st.lists(
    st.builds(
        _command,
        st.sampled_from(["create", "start", "complete", "fail", "tag", "cancel"]),
        st.sampled_from(RUNS),
        st.sampled_from([f"c{number}" for number in range(12)]),
    ),
    max_size=30,
)


@given(commands, st.integers(1, 10))
def test_batches_of_any_size_decide_alike(commands: list[Command], size: int) -> None:
    whole = plan(commands, {}, CONTEXT)
    states: dict[str, State] = {}
    outcomes = []
    for start in range(0, len(commands), size):
        part = plan(commands[start : start + size], states, CONTEXT)
        states.update(part.changed)
        outcomes.extend(part.outcomes)
    assert tuple(outcomes) == whole.outcomes
    assert states == whole.changed


@given(commands)
def test_each_command_has_one_reply_that_matches_its_events(commands: list[Command]) -> None:
    decided = plan(commands, {}, CONTEXT)
    assert [outcome.reply.command_id for outcome in decided.outcomes] == [
        command.command_id for command in commands
    ]
    for outcome in decided.outcomes:
        if outcome.events:
            assert outcome.reply.outcome == "accepted"
            assert outcome.reply.version == outcome.events[-1].version
        if outcome.reply.outcome == "refused":
            assert outcome.reply.code
            assert outcome.reply.message


def test_a_retry_gets_its_old_reply_again() -> None:
    create, start = (_command(kind, RUNS[0], kind) for kind in ("create", "start"))
    decided = plan([create, start, _command("complete", RUNS[0], "end"), start], {}, CONTEXT)
    first, again = decided.outcomes[1], decided.outcomes[3]
    assert again.events == ()
    assert again.reply == first.reply
    assert again.reply.status == "Running"
