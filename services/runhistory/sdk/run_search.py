"""Lists of runs from the gateway, page by page as they are asked for."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from runhistory.sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from runhistory.sdk.run import Run
    from runhistory.sdk.workspace import Workspace

PAGE: Final = 100


def find_runs(
    workspace: "Workspace", *, tags: Any = None, properties: Any = None, **asked: Any
) -> Iterator["Run"]:
    """Runs, newest first. `asked` is what `GET /runs` takes; `tags` and `properties` may be a
    name, several names, or a dict of names and values (None: any value).

    Raises:
        InvalidRequest: one of them has another form, or the gateway refuses what is asked.
    """
    from runhistory.sdk.experiment import Experiment
    from runhistory.sdk.run import Run

    query: dict[str, Any] = {
        name: str(v).lower() if isinstance(v, bool) else v for name, v in asked.items()
    }
    query["tag"] = pairs_wanted("tags", tags)
    query["property"] = pairs_wanted("properties", properties)
    cursor: str | None = None
    while True:
        page = workspace.connection.get("/runs", **query, limit=PAGE, cursor=cursor)
        for summary in page["runs"]:
            experiment = Experiment(workspace, summary["experiment"])
            yield Run(experiment, summary["run_id"], summary=summary)
        cursor = page.get("next_cursor")
        if not cursor:
            return


def pairs_wanted(what: str, given: Any) -> list[str]:
    """As the gateway takes them: `name`, or `name:value`.

    Raises:
        InvalidRequest: it is no name, list of names, or dict.
    """
    match given:
        case None:
            return []
        case str():
            return [given]
        case Mapping():
            return [name if v is None else f"{name}:{v}" for name, v in given.items()]
        case list() | tuple() if all(isinstance(name, str) for name in given):
            return list(given)
    raise InvalidRequest(f"{what} is a name, a list of names, or a dict of names and values.")
