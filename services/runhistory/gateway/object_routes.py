"""Bytes: a run's files, blobs and snapshots."""

import mimetypes
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from litestar import Response, get, post, put
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from runhistory.domain.commands import AddFiles
from runhistory.domain.values import FileEntry, FileName
from runhistory.gateway.bodies import BlobKept, Digests, FileKept, MissingDigests, SnapshotKept
from runhistory.gateway.context import GatewayRequest
from runhistory.gateway.downloads import send_blob
from runhistory.gateway.errors import ApiError
from runhistory.gateway.run_routes import require_run
from runhistory.gateway.sending import send
from runhistory.gateway.wire import (
    AttemptParameter,
    AttemptQuery,
    CommandIdQuery,
    DigestParameter,
    FileNameParameter,
    RunIdParameter,
    TakesBytes,
    WatermarkQuery,
    WorkspaceParameter,
    command_id_of,
    fails,
    strict_body,
)
from runhistory.query import files as file_queries
from runhistory.snapshots.manifest import InvalidManifest, Manifest

MAX_MANIFEST_BYTES: Final = 32 * 1_048_576
_NAMES_SHOWN: Final = 20
RangeHeader = Annotated[
    str | None,
    HeaderParameter(name="Range", description="such as bytes=0-65535; answered with 206"),
]
_TYPES: Final = mimetypes.MimeTypes()  # Python's own table: the same answer on every machine


@put(
    "/runs/{run_id:str}/attempts/{attempt:int}/files/{name:path}",
    status_code=HTTPStatus.CREATED,
    operation_id="upload_file",
    operation_class=TakesBytes,
    request_max_body_size=None,
    responses=fails(404, 413),
)
async def upload_file(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    attempt: AttemptParameter,
    name: FileNameParameter,
    command_id: CommandIdQuery = None,
) -> FileKept:
    """Keep a file under a relative name. The same name again is the newer file."""
    gateway = request.gateway
    name = file_name(request)
    wish = command_id_of(command_id)
    await gateway.attempts.require(workspace, run_id, attempt)
    blob = await gateway.objects.put(workspace, request.stream(), limit=gateway.max_file_bytes)
    entry = FileEntry(
        name=name,
        sha256=blob.sha256,
        size=blob.size,
        content_type=_content_type(name, request.headers.get("content-type", "")),
    )
    reply = await send(
        gateway,
        AddFiles(
            workspace=workspace, run_id=run_id, command_id=wish, attempt=attempt, files=(entry,)
        ),
    )
    return FileKept(entry, reply.watermark)


@get(
    "/runs/{run_id:str}/files/{name:path}",
    operation_id="download_file",
    media_type="application/octet-stream",
    responses=fails(404, 416),
)
async def download_file(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    run_id: RunIdParameter,
    name: FileNameParameter,
    attempt: AttemptQuery = None,
    inline: Annotated[
        bool,
        QueryParameter(description="to be shown in place: pictures, and text as plain text"),
    ] = False,
    range: RangeHeader = None,
    watermarks: WatermarkQuery = None,
) -> Stream:
    """A file's bytes, of the newest attempt that kept it unless another is asked for."""
    gateway, name = request.gateway, file_name(request)
    await request.wait_for_watermarks()
    found = await gateway.reader.read(
        file_queries.find_file, workspace=workspace, run_id=run_id, name=name, attempt=attempt
    )
    if found is None:
        raise await _what_is_there(request, workspace, run_id, name, attempt)
    return await send_blob(
        request,
        workspace,
        found.sha256,
        name=name,
        content_type=found.content_type,
        is_inline=inline,
    )


@post(
    "/blobs/missing",
    status_code=HTTPStatus.OK,
    operation_id="find_missing_blobs",
    dto=strict_body(Digests),
    return_dto=None,
    responses=fails(),
)
async def find_missing_blobs(
    request: GatewayRequest, workspace: WorkspaceParameter, data: JSONBody[Digests]
) -> MissingDigests:
    """Which blobs are not here yet: only those have to be sent."""
    return MissingDigests(await request.gateway.objects.missing(workspace, data.sha256))


@put(
    "/blobs/{sha256:str}",
    status_code=HTTPStatus.CREATED,
    operation_id="upload_blob",
    operation_class=TakesBytes,
    request_max_body_size=None,
    responses=fails(413),
)
async def upload_blob(
    request: GatewayRequest, workspace: WorkspaceParameter, sha256: DigestParameter
) -> BlobKept:
    """Keep a blob. Other bytes than the digest's are refused, and repeating it is harmless."""
    gateway = request.gateway
    blob = await gateway.objects.put(
        workspace, request.stream(), sha256=sha256, limit=gateway.max_file_bytes
    )
    return BlobKept(blob.sha256, blob.size)


@get(
    "/blobs/{sha256:str}",
    operation_id="download_blob",
    media_type="application/octet-stream",
    responses=fails(404, 416),
)
async def download_blob(
    request: GatewayRequest,
    workspace: WorkspaceParameter,
    sha256: DigestParameter,
    range: RangeHeader = None,
) -> Stream:
    """A blob's bytes, or the first of them, or the last."""
    return await send_blob(request, workspace, sha256, name=sha256)


@put(
    "/snapshots/{snapshot_id:str}",
    status_code=HTTPStatus.CREATED,
    operation_id="upload_snapshot",
    operation_class=TakesBytes,
    request_max_body_size=MAX_MANIFEST_BYTES,
    responses=fails(413),
)
async def upload_snapshot(
    request: GatewayRequest, workspace: WorkspaceParameter, snapshot_id: DigestParameter
) -> SnapshotKept:
    """Keep a snapshot's manifest (its canonical bytes) once all of its blobs are here."""
    data, objects = await request.body(), request.gateway.objects
    try:
        manifest = Manifest.decode(data)
    except InvalidManifest as error:
        raise ApiError(400, "invalid_manifest", str(error)) from error
    if missing := await objects.missing(workspace, manifest.blobs):
        raise ApiError(
            400,
            "invalid_manifest",
            f"{len(missing)} of the snapshot's blobs are not here. Send them first.",
            {"missing": missing[:_NAMES_SHOWN]},
        )
    await objects.put_manifest(workspace, snapshot_id, data)
    return SnapshotKept(snapshot_id)


@get(
    "/snapshots/{snapshot_id:str}",
    operation_id="download_snapshot",
    media_type="application/json",
    responses=fails(404),
)
async def download_snapshot(
    request: GatewayRequest, workspace: WorkspaceParameter, snapshot_id: DigestParameter
) -> Response[bytes]:
    """A snapshot's manifest."""
    data = await request.gateway.objects.get_manifest(workspace, snapshot_id)
    return Response(data, media_type="application/json")


def file_name(request: GatewayRequest) -> str:
    """The file's name as the client wrote it.

    Raises:
        ApiError: 400, it is not a relative path that climbs nowhere.
    """
    name = request.rest_of_path(b"/files/")
    try:
        return msgspec.convert(name.decode(), FileName)
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ApiError(
            400,
            "invalid_file_name",
            "A file's name is a relative path below the run, such as outputs/model.pt: forward "
            "slashes, no leading or doubled slash, no part that is . or .., no control "
            "characters or backslashes, UTF-8, at most 1,024 characters.",
            {"name": name.decode(errors="backslashreplace")[:1_024]},
        ) from error


async def _what_is_there(
    request: GatewayRequest, workspace: str, run_id: str, name: str, attempt: int | None
) -> ApiError:
    """What to say of a file that is not there: no such run, or which files it has."""
    await require_run(request, workspace, run_id)
    there = await request.gateway.reader.read(
        file_queries.list_files, workspace=workspace, run_id=run_id, attempt=attempt
    )
    names = [file.name for file in there]
    which = "" if attempt is None else f" in attempt {attempt}"
    hint = "The names of those it has are in details.files." if names else "It has none."
    return ApiError(
        404,
        "file_not_found",
        f"Run {run_id} has no file {name!r}{which}. {hint}",
        {"files": names[:_NAMES_SHOWN]},
    )


def _content_type(name: str, said: str) -> str:
    """What the client said, unless it said nothing of meaning; then by the name's ending."""
    if said and said.isprintable() and len(said) <= 256 and said != "application/octet-stream":
        return said
    return _TYPES.guess_type(name)[0] or "application/octet-stream"


HANDLERS: Final = (
    upload_file,
    download_file,
    find_missing_blobs,
    upload_blob,
    download_blob,
    upload_snapshot,
    download_snapshot,
)
