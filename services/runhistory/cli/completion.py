"""What the shell is offered at a TAB: runs and experiments, from the gateway.

Nobody waits long for a completion, and nobody wants to read an error in the middle of a line: a
gateway that does not answer within a moment completes nothing.
"""

import contextlib
from collections.abc import Iterable
from typing import Any, Final

SECONDS: Final = 1.0
OFFERED: Final = 50

Offers = list[tuple[str, str]]
"""What may be put in, and what it is."""


def runs(incomplete: str) -> Offers:
    """Display names of the newest runs; ids for who has begun to type one."""
    offers: Offers = [("@latest", "the newest run")]
    for run in _ask("/runs", "runs", limit=OFFERED, children="true"):
        what = f"{run['experiment']}, {run['status']}"
        offers += [(run["display_name"], what), (run["run_id"], f"{run['display_name']}, {what}")]
    names = [offer for offer in offers if offer[0].startswith(incomplete)]
    return names if incomplete else [offer for offer in names if len(offer[0]) != 32]


def experiments(incomplete: str) -> Offers:
    """Names of experiments, the last active first."""
    found = _ask("/experiments", "experiments")
    return [
        (one["name"], f"{sum(one['runs'].values())} runs")
        for one in found
        if one["name"].startswith(incomplete)
    ][:OFFERED]


def _ask(path: str, field: str, **query: Any) -> Iterable[dict[str, Any]]:
    with contextlib.suppress(Exception):
        import orjson

        from runhistory.cli.reading import open_workspace

        answer = open_workspace().connection.request(
            "GET", path, query=query, patience=0.0, answer_within=SECONDS
        )
        found: list[dict[str, Any]] = orjson.loads(answer.content)[field]
        return found
    return []
