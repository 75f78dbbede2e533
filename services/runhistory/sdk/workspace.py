"""`Workspace`: a gateway and the workspace there; where everything else begins."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from runhistory.sdk.address import Address, find_address, given_address
from runhistory.sdk.azure_names import WORKSPACE
from runhistory.sdk.detached import connect
from runhistory.sdk.http import Connection
from runhistory.sdk.refusals import Refusing, refuse

if TYPE_CHECKING:
    from runhistory.sdk.compute_target import ComputeTarget
    from runhistory.sdk.event_messages import Event
    from runhistory.sdk.experiment import Experiment
    from runhistory.sdk.run import Run
    from runhistory.sdk.sql import SqlResult


_HOW_TO_BE_LET_IN: Final = "give Workspace(token=…), or set RUNHISTORY_TOKEN"
_AZURES: Final = "a workspace is a gateway's URL and a name"


class Workspace(Refusing):
    """A workspace of one gateway. Making one asks nothing of the network.

    Args:
        url: the gateway; default RUNHISTORY_URL, else http://127.0.0.1:8780.
        name: the workspace; default `default`.
        token: default RUNHISTORY_TOKEN.

    Raises:
        InvalidConfig: `url` is no address of a gateway.
        Unsupported: one of Azure's other four was given.
    """

    _azures = WORKSPACE

    def __init__(
        self,
        url: str | None = None,
        name: str | None = None,
        token: str | None = None,
        *,
        subscription_id: None = None,
        resource_group: None = None,
        workspace_name: None = None,
        auth: None = None,
    ) -> None:
        refuse(
            "Workspace",
            subscription_id=(subscription_id, _AZURES),
            resource_group=(resource_group, _AZURES),
            workspace_name=(workspace_name, "it is called `name`"),
            auth=(auth, _HOW_TO_BE_LET_IN),
        )
        self._connection = connect(given_address(url, name, token))

    @classmethod
    def from_config(
        cls, path: str | os.PathLike[str] | None = None, auth: None = None
    ) -> "Workspace":
        """The workspace by `.runhistory/config.json` from here (or `path`) upwards, else
        RUNHISTORY_URL with RUNHISTORY_WORKSPACE and RUNHISTORY_TOKEN, else the default address.

        Raises:
            InvalidConfig: `path` does not exist, or the file is not what it should be.
        """
        refuse("Workspace.from_config", auth=(auth, _HOW_TO_BE_LET_IN))
        return cls.at(find_address(path))

    @classmethod
    def get(
        cls,
        name: str,
        auth: None = None,
        subscription_id: None = None,
        resource_group: None = None,
        location: None = None,
        cloud: None = None,
        id: None = None,
    ) -> "Workspace":
        """The workspace of this name, at the gateway that `from_config` would find.

        Raises:
            Unsupported: an argument that only Azure has.
        """
        refuse(
            "Workspace.get",
            auth=(auth, _HOW_TO_BE_LET_IN),
            subscription_id=(subscription_id, _AZURES),
            resource_group=(resource_group, _AZURES),
            location=(location, _AZURES),
            cloud=(cloud, _AZURES),
            id=(id, _AZURES),
        )
        found = find_address()
        return cls(found.url, name, found.token)

    @classmethod
    def at(cls, address: Address) -> "Workspace":
        """The workspace at an address that was found already."""
        workspace = cls.__new__(cls)
        workspace._connection = connect(address)
        return workspace

    @property
    def name(self) -> str:
        """The workspace's name."""
        return self._connection.address.workspace

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self._connection.address.url

    @property
    def connection(self) -> Connection:
        """The HTTP connection that all objects of this workspace share."""
        return self._connection

    @property
    def experiments(self) -> dict[str, "Experiment"]:
        """The experiments in sight, by name; asks the gateway. See `Experiment.list`."""
        from runhistory.sdk.experiment import Experiment

        return {found.name: found for found in Experiment.list(self)}

    @property
    def compute_targets(self) -> dict[str, "ComputeTarget"]:
        """The compute targets by name, `local` among them; asks the gateway."""
        from runhistory.sdk.compute_target import ComputeTarget

        return {found.name: found for found in ComputeTarget.list(self)}

    def runs(
        self,
        type: Any = None,
        tags: Any = None,
        properties: Any = None,
        include_children: bool = False,
        *,
        status: str | None = None,
        archived: bool | None = False,
    ) -> Iterator["Run"]:
        """The runs of all experiments, newest first, fetched page by page as they are asked for.

        Args:
            type: `script` or `interactive`.
            tags, properties: a name, or a dict of names and values (None: any value); all of them.
            include_children: also runs that have a parent.
            status: such as `Running`.
            archived: those in sight (False), those archived (True), or all (None).
        """
        from runhistory.sdk.run_search import find_runs

        return find_runs(
            self,
            type=type,
            tags=tags,
            properties=properties,
            children=include_children,
            status=status,
            archived="all" if archived is None else archived,
        )

    def sql(self, query: str, limit: int = 10_000) -> "SqlResult":
        """The answer to one SELECT over this workspace's views (docs/sql.md), as new as this
        process's own writes.

        Args:
            query: in ClickHouse's dialect; views are named with or without `runhistory.`.
            limit: rows at most. What is cut off is warned about (AnswerTruncated).

        Raises:
            InvalidRequest: `code` is `invalid_sql` (the message names the place and what to
                write instead) or `query_too_expensive` (`details["limit"]`: time, memory, bytes).
        """
        from runhistory.sdk.sql import run_sql, warn_if_truncated

        result = run_sql(self._connection, query, limit)
        warn_if_truncated(result, limit)
        return result

    def get_run(self, run_id: str) -> "Run":
        """The run with this id.

        Raises:
            NotFound: there is none.
        """
        from runhistory.sdk.run import Run

        return Run.get(self, run_id)

    def find_run(self, reference: str, experiment: str | None = None) -> "Run":
        """A run by its id, a unique prefix of it (4 digits or more), its display name, or
        `@latest`; in one experiment, or in all.

        Raises:
            NotFound: there is none.
            Conflict: there are several; `details` names them.
        """
        found: Any = self._connection.get("/runs/resolve", ref=reference, experiment=experiment)
        return self.get_run(found["run_id"])

    def events(
        self,
        *,
        types: str | Sequence[str] | None = None,
        experiment: str | Sequence[str] | None = None,
        run: "str | Run | Sequence[str | Run] | None" = None,
        from_: str | datetime = "latest",
        follow: bool = True,
    ) -> Iterator["Event"]:
        """What happens in the workspace, as it happens; blocks while nothing does.

            for event in workspace.events(types="run.completed"):
                print(event.run_id, event.data["status"])

        Connects again by itself; nothing is missed and nothing given twice, also over a restart
        of the gateway. Events of a run come in their order.

        Args:
            types: `run.completed.v1`, `run.completed` or `run.*`; all that happens, without.
                Points and log lines come only by name: `metrics.logged.v1`, `logs.written.v1`.
            experiment: names; only events of these and their runs.
            run: ids or runs; only events of these.
            from_: `latest`, `beginning`, a time, or the `position` of an event, to go on behind it.
            follow: False: end after those that there are.

        Raises:
            NobodyAnswers: the gateway never answered.
            InvalidRequest: there is no such type, or `from_` is none of these.
            Gone: what came after this position is not kept any more.
        """
        from runhistory.sdk.event_messages import asked
        from runhistory.sdk.events import subscribe

        return subscribe(self._connection, asked(types, experiment, run, from_, follow))

    def __repr__(self) -> str:
        return f"Workspace(url={self.url!r}, name={self.name!r})"
