"""What may have been meant: names near to one that is not there."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final

from runhistory.cli import completion
from runhistory.sdk.errors import NotFound

MOST: Final = 3


def advice(name: str, names: Iterable[str]) -> str:
    """` Did you mean 'bert'?`, with the blank; nothing where no name is near."""
    by_lower = {one.lower(): one for one in names if one != name}
    near = get_close_matches(name.lower(), by_lower, n=MOST, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(by_lower[one]) for one in near)}?" if near else ""


@contextmanager
def meant(name: str, offers: completion.Offer) -> Iterator[None]:
    """Have the error that something has no such name say which names are near.

    Raises:
        NotFound: the same, with the advice.
    """
    try:
        yield
    except NotFound as error:
        near = advice(name, (offer for offer, _ in offers("")))
        if not near:
            raise
        raise NotFound(
            f"{error}{near}", code=error.code, status=error.status, details=error.details
        ) from error
