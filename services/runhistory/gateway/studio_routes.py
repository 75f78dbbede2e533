"""`/`: the studio. A page's address is the program's, which is the same file for all of them.

The pages show text that runs wrote, so the browser is told to run nothing but the files of the
build: no inline script, no inline style, no `eval`, no markup made from text (trusted types: only
the framework's own templates), nothing of another origin, and not inside another site's frame.
"""

from http import HTTPStatus
from typing import Final

from litestar import HttpMethod, Response, route
from litestar.exceptions import NotFoundException

from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.studio_pages import ASSETS, INDEX, StudioPages

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types svelte-trusted-html",
    )
)

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_READING: Final = [HttpMethod.GET, HttpMethod.HEAD]
_YEAR: Final = 31_536_000


@route(["/", "/w", "/w/{rest:path}"], http_method=_READING, include_in_schema=False)
async def get_page(request: GatewayRequest) -> Response[bytes]:
    """The program; it reads from its address what to show."""
    return _answer(request, INDEX)


@route("/{rest:path}", http_method=[*HttpMethod], include_in_schema=False)
async def find_nothing(request: GatewayRequest) -> Response[bytes]:
    """No page has this address: people are told by the program, all else by the API's error."""
    request.scope["path_template"] = ""  # it is counted as no route's
    if request.method not in _READING or "text/html" not in request.headers.get("accept", ""):
        raise NotFoundException
    return _answer(request, INDEX, HTTPStatus.NOT_FOUND)


@route(
    [f"/{ASSETS}{{name:str}}", "/favicon.svg", "/theme.js"],
    http_method=_READING,
    include_in_schema=False,
)
async def get_file(request: GatewayRequest) -> Response[bytes]:
    """A part of the program."""
    return _answer(request, request.scope["path"].removeprefix("/"))


def _answer(
    request: GatewayRequest, name: str, status: HTTPStatus = HTTPStatus.OK
) -> Response[bytes]:
    pages: StudioPages = request.app.state.pages
    file = pages.find(name)
    if file is None:
        raise NotFoundException
    headers = {
        **_HEADERS,
        "Cache-Control": f"public, max-age={_YEAR}, immutable" if file.is_immutable else "no-cache",
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == file.etag:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    content = file.content
    if file.pressed and "gzip" in request.headers.get("accept-encoding", ""):
        content = file.pressed
        headers["Content-Encoding"] = "gzip"
    body = b"" if request.method == HttpMethod.HEAD else content
    headers["Content-Length"] = str(len(content))
    return Response(body, status_code=status, media_type=file.media_type, headers=headers)


HANDLERS: Final = (get_page, find_nothing, get_file)
