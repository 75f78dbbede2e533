"""The body of an HTTP request, in pieces: by length or chunked, plain or compressed."""

import importlib
import sys
import zlib
from collections.abc import Iterator
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any, Final, Protocol

PIECE: Final = 256 << 10
MAX_DRAINED: Final = 1 << 30


class BadBody(Exception):
    """The body is not what the request says that it is, or ends too early."""


class BodyTooLarge(Exception):
    """A statement is longer than a statement may be."""


class Source(Protocol):
    """What a body is read from: both calls block until they have something."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


class Body:
    """Reads one request's body; `finished` when nothing of it is left on the connection."""

    def __init__(self, source: Source, headers: "Message[str, str]") -> None:
        self._source = source
        if "chunked" in headers.get("Transfer-Encoding", "").lower():
            self._raw = self._chunked()
        else:
            self._raw = self._by_length(_length(headers))
        self._decompress = _decompressor(headers.get("Content-Encoding", "identity").lower())
        self._buffer = b""
        self.finished = False

    def read_some(self, limit: int = 1 << 62) -> bytes:
        """The next piece, at most `limit` bytes; empty at the end.

        Raises:
            BadBody: it does not decompress, or the client left in its middle.
        """
        while not self._buffer:
            piece = next(self._raw, None)
            if piece is None:
                self._check_end()
                return b""
            self._buffer = self._decompressed(piece)
        piece, self._buffer = self._buffer[:limit], self._buffer[limit:]
        return piece

    def read_all(self, limit: int) -> bytes:
        """The rest of it.

        Raises:
            BodyTooLarge: more than `limit` bytes.
            BadBody: as `read_some`.
        """
        pieces = []
        while piece := self.read_some():
            pieces.append(piece)
            limit -= len(piece)
            if limit < 0:
                raise BodyTooLarge("The statement is too long. Send rows with INSERT … FORMAT.")
        return b"".join(pieces)

    def drain(self) -> None:
        """Read and forget the rest, so that the client can finish sending and hear the answer."""
        left = MAX_DRAINED
        for piece in self._raw:
            left -= len(piece)
            if left < 0:
                return

    def _by_length(self, length: int) -> Iterator[bytes]:
        yield from self._exactly(length)
        self.finished = True

    def _chunked(self) -> Iterator[bytes]:
        while True:
            line = self._source.readline(1_024)
            try:
                length = int(line.split(b";")[0].strip() or b"-", 16)
            except ValueError:
                raise BadBody("A chunk of the body has no length.") from None
            if length < 0:
                raise BadBody("A chunk of the body has no length.")
            if length == 0:
                break
            yield from self._exactly(length)
            if self._source.readline(3) not in (b"\r\n", b"\n"):
                raise BadBody("A chunk of the body is longer than it says.")
        while self._source.readline(8_192) not in (b"\r\n", b"\n", b""):
            pass  # trailers say nothing to us
        self.finished = True

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self._source.read(min(length, PIECE))
            if not piece:
                raise ConnectionError("The client left in the middle of its request.")
            length -= len(piece)
            yield piece

    def _decompressed(self, piece: bytes) -> bytes:
        if self._decompress is None:
            return piece
        try:
            plain: bytes = self._decompress.decompress(piece)
        except Exception as error:  # each library raises its own
            raise BadBody(f"The body does not decompress: {error}") from error
        return plain

    def _check_end(self) -> None:
        if self._decompress is not None and not self._decompress.eof:
            raise BadBody("The compressed body ends too early.")


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form.

    Raises:
        BadBody: it is none.
    """
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(payload, bytes):
            raise BadBody("The form has a part without a name.")
        fields[name] = payload.decode()
    return fields


def _length(headers: "Message[str, str]") -> int:
    text = headers.get("Content-Length", "0")
    if not text.isdecimal():
        raise BadBody(f"Content-Length is no number: {text!r}")
    return int(text)


def _decompressor(encoding: str) -> Any:
    match encoding:
        case "identity" | "":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        case "deflate":
            return zlib.decompressobj()
        case "lz4":
            return importlib.import_module("lz4.frame").LZ4FrameDecompressor()
        case "zstd":
            module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
            return importlib.import_module(module).ZstdDecompressor()
        case other:
            raise BadBody(f"Content-Encoding {other!r} is not known here.")
