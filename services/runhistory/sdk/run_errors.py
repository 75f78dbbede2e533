"""What a failing process says about why, as the lifecycle keeps it."""

import re
import traceback
from typing import Any

from runhistory.domain.values import MAX_TEXT, RunError


def run_error(details: Any, code: str | None = None) -> RunError:
    """The error of a run from an exception (its type is the code, its traceback the details) or
    from anything that has a text. What is too long keeps its end."""
    if isinstance(details, BaseException):
        text = str(details) or type(details).__name__
        trace = "".join(traceback.format_exception(details))
        return RunError(_code(code or type(details).__name__), _end(text), _end(trace))
    text = str(details) if details else "The process that logged the run failed it."
    return RunError(_code(code or "UserError"), _end(text))


def _code(code: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", " ", code)[:256]


def _end(text: str) -> str:
    """The last MAX_TEXT characters, without halves of characters that no JSON can hold."""
    return text[-MAX_TEXT:].encode("utf-8", "replace").decode()
