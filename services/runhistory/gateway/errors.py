"""Every error as one JSON shape with a code, a message that says what to do, and its status."""

from http import HTTPStatus
from typing import Any, Final, get_args

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Send
from litestar.typing import FieldDefinition
from msgspec import Struct
from obstore.exceptions import BaseError as ObjectStoreError

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.domain.values import RunId, Sha256, Workspace
from runhistory.events.metric_batch import InvalidBatch, TooLarge
from runhistory.events.strict_json import NotStrictJson
from runhistory.gateway.appender import LogUnavailable
from runhistory.gateway.attempts import AttemptNotFound, RunNotFound
from runhistory.gateway.event_log import EventLogUnavailable
from runhistory.gateway.run_keys import TooManyKeys
from runhistory.gateway.watermarks import NotYetVisible
from runhistory.kafka.commands import ReplyTimeout
from runhistory.objects.store import BlobTooLarge, DigestMismatch, ObjectNotFound
from runhistory.query.deleted_runs import RunDeleted
from runhistory.query.metrics import TooManyPoints
from runhistory.query.runs import InvalidCursor

RETRY_SECONDS: Final = 1
"""What Retry-After says: the client's own back-off does the rest."""

_MEANINGS: Final = {
    RunId: "a run id, which is 32 hex digits",
    Sha256: "a SHA-256, which is 64 hex digits",
    Workspace: "a name of letters, digits, `_`, `.` and `-`, at most 63, the first no sign",
}
"""What the domain's patterns mean, for people."""

log: Any = structlog.get_logger(__name__)


class ErrorDetail(Struct, frozen=True):
    """`code` is for programs, `message` says what to do, `details` is what the code needs."""

    code: str
    message: str
    details: dict[str, Any] = {}


class ErrorBody(Struct, frozen=True):
    """The body of every answer with a status of 400 or more."""

    error: ErrorDetail


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(
        self, status: int, code: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details or {}
        self.headers: dict[str, str] = {}
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers["Retry-After"] = str(RETRY_SECONDS)

    def body(self) -> bytes:
        """The JSON of the answer."""
        return msgspec.json.encode(
            ErrorBody(ErrorDetail(self.code, self.message, self.details)), enc_hook=str
        )


def respond(request: Request[Any, Any, Any], exception: Exception) -> Response[bytes]:
    """The answer to whatever a handler raised."""
    if isinstance(exception, HTTPException):
        error = _of_framework(request, exception)
    else:
        error = translate(request.url.path, exception)
    return Response(
        error.body(),
        status_code=error.status,
        media_type=MediaType.JSON,
        headers={"Cache-Control": "no-store", **error.headers},
    )


async def answer_error(error: ApiError, send: Send) -> None:
    """The same answer, where the framework is not asked."""
    body = error.body()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **error.headers,
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(error.status), "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def translate(path: str, exception: Exception) -> ApiError:
    """What an exception of ours or of an adapter means to the caller; a bug is logged."""
    error = _of_ours(exception)
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", path=path, exc_info=exception)
    return error


def _of_ours(exception: Exception) -> ApiError:
    match exception:
        case ApiError():
            return exception
        case TooManyKeys():
            return ApiError(413, "too_many_keys", _nothing_kept(exception), exception.details)
        case TooLarge():
            return ApiError(413, "too_large", _nothing_kept(exception), exception.details)
        case BlobTooLarge():
            return ApiError(413, "too_large", str(exception))
        case TooManyPoints():
            details = {"points": exception.points, "limit": exception.limit}
            return ApiError(413, "too_many_points", str(exception), details)
        case InvalidBatch():
            return ApiError(400, "invalid_batch", _nothing_kept(exception))
        case NotStrictJson():
            text = f"The body does not fit: {_in_words(str(exception))}"
            return ApiError(400, "invalid_request", text)
        case DigestMismatch():
            return ApiError(400, "digest_mismatch", f"{exception} Nothing was stored.")
        case InvalidCursor():
            return ApiError(400, "invalid_cursor", str(exception))
        case RunNotFound():
            return ApiError(404, "run_not_found", str(exception))
        case AttemptNotFound():
            return ApiError(404, "attempt_not_found", str(exception))
        case RunDeleted():
            return ApiError(410, "run_deleted", str(exception))
        case ObjectNotFound():
            return ApiError(404, "not_found", str(exception))
        case _:
            return _of_another_part(exception)


def _nothing_kept(exception: InvalidBatch) -> str:
    return f"Nothing of the batch was kept: {exception}"


def _of_another_part(exception: Exception) -> ApiError:
    """Kafka, ClickHouse or the object store is away, slow or silent."""
    match exception:
        case ReplyTimeout():
            return ApiError(503, "reply_timeout", str(exception))
        case NotYetVisible():
            return ApiError(503, "not_yet_visible", str(exception))
        case LogUnavailable() | EventLogUnavailable():
            return ApiError(503, "unavailable", str(exception))
        case EngineUnavailable():
            return ApiError(
                503,
                "unavailable",
                "ClickHouse does not answer, so nothing can be read for now. Writes go on. "
                "Try again shortly.",
            )
        case ObjectStoreError() | OSError():
            log.warning("object_store_failed", error=repr(exception))
            return ApiError(503, "unavailable", "The object store does not answer. Try again.")
        case _:
            return ApiError(
                500,
                "internal_error",
                "The gateway has a bug: its log holds the details. What the request asked for "
                "may have happened; repeating it with the same ids is safe.",
            )


def _of_framework(request: Request[Any, Any, Any], exception: HTTPException) -> ApiError:
    match exception.status_code:
        case HTTPStatus.NOT_FOUND:
            error = ApiError(
                404,
                "not_found",
                f"There is no {request.scope['path']} here. /openapi.json lists every path.",
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = (exception.headers or {}).get("allow", "")
            error = ApiError(
                405,
                "method_not_allowed",
                f"{request.method} is not for this path; it takes {allowed}.",
            )
            error.headers["Allow"] = allowed
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            limit = request.route_handler.resolve_request_max_body_size()
            error = ApiError(
                413, "too_large", f"The body may have {limit} bytes. Send less.", {"limit": limit}
            )
        case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            error = ApiError(status, "invalid_request", _what_is_invalid(request, exception))
        case status:
            error = ApiError(status, "internal_error", exception.detail)
    return error


def _what_is_invalid(request: Request[Any, Any, Any], exception: HTTPException) -> str:
    if not isinstance(exception, ValidationException) or not isinstance(exception.extra, list):
        return exception.detail
    problems = {
        problem.get("key", "request"): problem.get("message", "not valid")
        for problem in exception.extra
    }
    if "data" in problems:  # bodies are checked elsewhere: all that is found here is none
        return "The body is empty. Send JSON; /openapi.json says which."
    return "; ".join(
        f"{_name(request, key)}: {_in_words(message)}{_choices(request, key)}"
        for key, message in problems.items()
    )


def _in_words(message: str) -> str:
    """A decoder's message with the domain's patterns told as what they mean."""
    for domain_type, meaning in _MEANINGS.items():
        pattern: str = get_args(domain_type)[1].pattern
        message = message.replace(f"`str` matching regex {pattern!r}", meaning)
    return message


def _name(request: Request[Any, Any, Any], parameter: str) -> str:
    """A parameter's name as it is sent."""
    definition = _parameters(request).get(parameter)
    return getattr(definition and definition.kwarg_definition, "name", None) or parameter


def _choices(request: Request[Any, Any, Any], parameter: str) -> str:
    """What a parameter may be, where that is one of a few words."""
    parameters = _parameters(request)
    if parameter not in parameters:
        return ""
    words = _enums(msgspec.json.schema(parameters[parameter].annotation))
    return f"; it is one of {', '.join(words)}" if words else ""


def _parameters(request: Request[Any, Any, Any]) -> dict[str, FieldDefinition]:
    """Those of the route's handler, and of what makes its arguments."""
    route = request.route_handler
    makers = [one.parsed_fn_signature for one in route.resolve_dependencies().values()]
    return {
        name: definition
        for signature in (*makers, route.parsed_fn_signature)
        for name, definition in signature.parameters.items()
    }


def _enums(schema: Any) -> list[str]:
    """Every word that a JSON schema names as a choice."""
    match schema:
        case {"enum": words}:
            return [str(word) for word in words]
        case dict():
            return [word for part in schema.values() for word in _enums(part)]
        case list():
            return [word for part in schema for word in _enums(part)]
        case _:
            return []
