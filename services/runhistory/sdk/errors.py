"""What can go wrong for a user of the SDK. Every message says what to do next."""

from typing import Any


class RunHistoryError(Exception):
    """The base of all errors of the SDK.

    Attributes:
        code: for programs (`run_not_found`, `unavailable`, …), as in the gateway's answer.
        status: the HTTP status of the answer; None when there was none.
        details: what the server adds; `details["status"]` is the run's status after a refusal.
    """

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.status = status
        self.details = details or {}


class InvalidRequest(RunHistoryError, ValueError):
    """What was asked is wrong in itself (400, 413, or seen before anything was sent)."""

    code = "invalid_request"


class InvalidMetric(InvalidRequest):
    """A point that cannot be kept: its name, value or step is wrong. Raised at the call."""

    code = "invalid_metric"


class InvalidConfig(InvalidRequest):
    """A ScriptRunConfig, an Environment or a config.json that cannot work."""

    code = "invalid_config"


class Unsupported(InvalidRequest):
    """Something of Azure ML that has no meaning here; the message says what to do instead."""

    code = "unsupported"


class UnsupportedName(Unsupported, AttributeError):
    """A name of Azure ML's that is not here; the message says what to do instead.

    It is an AttributeError too, so `hasattr` is false for it.
    """


class Unauthorized(RunHistoryError):
    """The token is missing, wrong, or not good for this (401, 403)."""

    code = "unauthorized"


class NotFound(RunHistoryError):
    """There is no such run, file or snapshot (404)."""

    code = "not_found"


class Gone(NotFound):
    """It was there and is not any more: a deleted run, events that are kept no longer (410)."""

    code = "gone"


class Conflict(RunHistoryError):
    """The run's status, or what exists already, does not allow it (409)."""

    code = "conflict"


class Unavailable(RunHistoryError):
    """No answer, or one that says: later. The outcome is unknown; a retry is safe."""

    code = "unavailable"


class NobodyAnswers(Unavailable):
    """Nothing listens at the address; the message says which one and where it came from."""

    code = "nobody_answers"


class FlushTimeout(RunHistoryError):
    """Points are still waiting to be sent. They are kept, and sending goes on."""

    code = "flush_timeout"


class NoRunContext(RunHistoryError):
    """`Run.get_context(allow_offline=False)` outside of a submitted run."""

    code = "no_run_context"


class OfflineRunError(RunHistoryError):
    """An offline run keeps nothing, so it has nothing to give back."""

    code = "offline"


class RunFailed(RunHistoryError):
    """The run that was waited for ended as Failed; `details` are the run's details."""

    code = "run_failed"
