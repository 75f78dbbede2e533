"""A refusal's message fits into a reply, whatever it quotes: one that does not is never read."""

from datetime import UTC, datetime

from runhistory.domain.commands import AddParams, CreateRun
from runhistory.domain.decide import Accepted, Context, Refused, decide
from runhistory.domain.state import fold
from runhistory.domain.values import MAX_TEXT, RunContent

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
