"""What a batch of commands brings about, before anything is written. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from runhistory.domain.commands import Command
from runhistory.domain.decide import Accepted, Context, Decision, Refused, decide
from runhistory.domain.events import Event
from runhistory.domain.state import Applied, Run, State, evolve
from runhistory.events.codec import Reply


class Planned(Struct, frozen=True):
    """One command's outcome: its events, and its reply, which still lacks a watermark."""

    events: tuple[Event, ...]
    reply: Reply


class Plan(Struct, frozen=True):
    """A batch's outcome: one Planned for each command in order, and the states they lead to."""

    outcomes: tuple[Planned, ...]
    changed: dict[str, State]


def plan(commands: Iterable[Command], states: Mapping[str, State], context: Context) -> Plan:
    """Decide about `commands` one after the other; later ones see what earlier ones changed."""
    changed: dict[str, State] = {}
    outcomes = []
    for command in commands:
        state = changed.get(command.run_id, states.get(command.run_id))
        decision = decide(state, command, context)
        events = decision.events if isinstance(decision, Accepted) else ()
        for event in events:
            state = evolve(state, event)
        if events and state is not None:
            changed[command.run_id] = state
        outcomes.append(Planned(events, _reply(command, decision, state, context)))
    return Plan(tuple(outcomes), changed)


def _reply(command: Command, decision: Decision, state: State | None, context: Context) -> Reply:
    """The reply; to the retry of an applied command it tells the old outcome."""
    old = None if isinstance(decision, Accepted | Refused) else decision.applied
    at = old or _now(state)
    refused = decision if isinstance(decision, Refused) else None
    accepted = isinstance(decision, Accepted) or old is not None
    return Reply(
        workspace=command.workspace,
        run_id=command.run_id,
        command_id=command.command_id,
        outcome="refused" if refused else "accepted" if accepted else "unchanged",
        time=context.now,
        version=at.version,
        status=at.status,
        attempt=at.attempt,
        deleted=isinstance(state, Run) and state.is_deleted,
        code=refused.code if refused else None,
        message=refused.message if refused else None,
    )


def _now(state: State | None) -> Applied:
    if isinstance(state, Run):
        return Applied(state.version, state.status, state.attempt)
    return Applied(state.version if state else 0, None, 0)
