"""Parameters of reads that several routes share."""

from typing import Annotated, Final, get_args

from litestar.params import QueryParameter

from runhistory.domain.values import RunId
from runhistory.query.experiments import Archived

ExperimentQuery = Annotated[str | None, QueryParameter(description="only runs of this experiment")]
CursorQuery = Annotated[str | None, QueryParameter(description="as the page before gave it")]
ArchivedQuery = Annotated[
    Archived, QueryParameter(description="those in sight, those archived, or all")
]
PairsQuery = Annotated[
    list[str] | None,
    QueryParameter(description="name:value, or name for any value; all of these"),
]
_RUN_ID: Final = get_args(RunId)[1].pattern
ParentQuery = Annotated[
    str | None, QueryParameter(pattern=_RUN_ID, description="only children of this run")
]
ReproducesQuery = Annotated[
    str | None, QueryParameter(pattern=_RUN_ID, description="only runs that reproduce this one")
]
