"""What refusals say: what can be done, and never more than a reply has room for."""

from datetime import UTC, datetime

from runhistory.domain.commands import (
    AddParams,
    CancelRun,
    Command,
    CompleteRun,
    CreateRun,
    DeleteRun,
    ResumeRun,
    StartRun,
)
from runhistory.domain.decide import Accepted, Context, Refused, decide
from runhistory.domain.state import fold
from runhistory.domain.values import MAX_TEXT, RunContent
from tests.support.landing import History

RUN = "0" * 32


def test_a_long_value_is_not_quoted_whole() -> None:
    context = Context(datetime.now(UTC))
    content = RunContent(type="interactive", experiment="e", params={"p": "x" * MAX_TEXT})
    created = decide(
        None, CreateRun(workspace="w", run_id=RUN, command_id="1", content=content), context
    )
    assert isinstance(created, Accepted)
    again = AddParams(workspace="w", run_id=RUN, command_id="2", params={"p": "other"})
    refused = decide(fold(created.events), again, context)
    assert isinstance(refused, Refused)
    assert refused.code == "param_exists"
    assert len(refused.message) <= 1_000


def test_it_says_what_the_status_forbids_and_what_can_be_done() -> None:
    content = RunContent(type="interactive", experiment="e")
    story = History().apply(
        CreateRun(workspace="w", run_id=RUN, command_id="1", content=content),
        StartRun(workspace="w", run_id=RUN, command_id="2"),
    )

    def said(type: type[Command]) -> str:
        command = type(workspace="w", run_id=RUN, command_id="later")
        refused = decide(story.state, command, Context(datetime.now(UTC)))
        assert isinstance(refused, Refused)
        return refused.message

    assert said(DeleteRun) == (
        f"Run {RUN} is Running; it cannot be deleted now. Wait until it is over, or cancel it "
        "first."
    )
    story.apply(CompleteRun(workspace="w", run_id=RUN, command_id="3"))
    assert said(CancelRun) == f"Run {RUN} is over (Completed); it cannot be canceled any more."
    assert said(ResumeRun).endswith("any more. Only a run that is Paused can.")
