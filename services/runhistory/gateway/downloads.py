"""Bytes that somebody's script wrote, on their way to a browser: it may keep them, not run them.

A download is an attachment without an origin of its own. Shown in place is only what a browser
cannot run: pictures of four types, and text, which is text whatever it says of itself.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import quote

from litestar.response import Stream
from litestar.response.streaming import ASGIStreamingResponse

from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.errors import ApiError

BYTES: Final = "application/octet-stream"
TEXT: Final = "text/plain"  # the framework says that it is UTF-8
_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXTS: Final = re.compile(
    r"text/.+|application/(.+\+)?(json|xml|yaml|toml|javascript|x-yaml|x-sh|x-python|x-ndjson)"
)
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

Window = tuple[int, int]
"""From the first byte up to before the second."""


def parse_range(text: str, size: int) -> Window | None:
    """The window that a Range header names; None: all of it.

    Several ranges at once, or another unit than bytes, may be answered with everything (RFC 9110).

    Raises:
        ApiError: 416, there is nothing in this range.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or found[1] == found[2] == "":
        return None
    if found[1]:
        begin, end = int(found[1]), int(found[2]) + 1 if found[2] else size
        if found[2] and end <= begin:
            return None
    else:
        begin, end = max(0, size - int(found[2])), size
    if begin >= size:
        error = ApiError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            f"There are {size} bytes, and none of them is in the range {text.strip()[:100]!r}.",
            {"size": size},
        )
        error.headers["Content-Range"] = f"bytes */{size}"
        raise error
    return begin, min(end, size)


def shown_type(content_type: str) -> str | None:
    """As what it may be shown in place; None: it may only be kept."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _PICTURES:
        return kind
    return TEXT if _TEXTS.fullmatch(kind) else None


async def send_blob(
    request: GatewayRequest,
    workspace: str,
    sha256: str,
    *,
    name: str,
    content_type: str = "",
    is_inline: bool = False,
) -> Stream:
    """The blob, or the part that the request's Range names; shown in place where that is safe.

    Raises:
        ApiError: 416.
        ObjectNotFound: there is no such blob.
    """
    objects, window = request.gateway.objects, None
    if asked := request.headers.get("range"):
        window = parse_range(asked, await objects.size(workspace, sha256))
    size, pieces = await objects.stream(workspace, sha256, window)
    shown = shown_type(content_type) if is_inline else None
    headers = {**_safe(name, sha256, "inline" if shown else "attachment"), **_lengths(size, window)}
    return _Download(
        pieces,
        status_code=HTTPStatus.PARTIAL_CONTENT if window else HTTPStatus.OK,
        media_type=shown or BYTES,
        headers=headers,
    )


class _Download(Stream):
    """A stream whose type is its own, and not the one that the route is documented with."""

    def to_asgi_response(self, *given: Any, **more: Any) -> ASGIStreamingResponse:
        """The framework's response."""
        more["media_type"] = self.media_type
        return cast("ASGIStreamingResponse", super().to_asgi_response(*given, **more))


def _safe(name: str, sha256: str, disposition: str) -> Mapping[str, str]:
    """Headers that let no browser run what somebody's script wrote."""
    return {
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(name.rpartition('/')[2])}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "ETag": f'"{sha256}"',
    }


def _lengths(size: int, window: Window | None) -> Mapping[str, Any]:
    headers = {"Accept-Ranges": "bytes"}
    if window is None:
        return {**headers, "Content-Length": str(size)}
    begin, end = window
    return {
        **headers,
        "Content-Length": str(end - begin),
        "Content-Range": f"bytes {begin}-{end - 1}/{size}",
    }
