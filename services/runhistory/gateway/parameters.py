"""Parameters of reads that several routes share."""

from typing import Annotated

from litestar.params import QueryParameter

from runhistory.query.experiments import Archived

ArchivedQuery = Annotated[
    Archived, QueryParameter(description="those in sight, those archived, or all")
]
