"""From the bytes of an output stream to lines, the same lines however the bytes are cut.

Lines end with `\\n` or `\\r\\n`. A lone `\\r` is how progress bars write over themselves: what
stands before it was overwritten, and is marked as such, so that whoever shows lines may leave
most of a bar's states out. Bytes that are no UTF-8 become U+FFFD; a line longer than the limit
is split; the last line counts without its end. Memory is bounded by the limit and one chunk.
"""

import codecs
import re
from typing import Final, NamedTuple

from runhistory.events.log_batch import MAX_LINE_LENGTH

_PARTS: Final = re.compile(r"[^\r\n]+|\r|\n")


class Line(NamedTuple):
    """One line without its end. `overwritten`: a `\\r` followed it, and then other text."""

    text: str
    overwritten: bool = False


class LineSplitter:
    """Bytes in, lines out. One for each stream."""

    def __init__(self, limit: int = MAX_LINE_LENGTH) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._limit = limit
        self._rest = ""
        self._returned = False  # a \r came, and it is not known yet what follows it

    def feed(self, data: bytes) -> list[Line]:
        """The lines that `data` ends."""
        return self._split(self._decoder.decode(data))

    def close(self) -> list[Line]:
        """The last line, when it has no end."""
        lines = self._split(self._decoder.decode(b"", final=True))
        if self._rest:
            lines.append(Line(self._rest))
        self._rest = ""
        return lines

    def _split(self, text: str) -> list[Line]:
        lines: list[Line] = []
        for part in _PARTS.findall(text):
            if part == "\n":
                lines.append(Line(self._take_rest()))
            elif part == "\r":
                self._returned = True
            else:
                if self._returned and self._rest:
                    lines.append(Line(self._rest, overwritten=True))
                    self._rest = ""
                self._returned = False
                self._grow(part, lines)
        return lines

    def _grow(self, part: str, lines: list[Line]) -> None:
        self._rest += part
        while len(self._rest) > self._limit:
            lines.append(Line(self._rest[: self._limit]))
            self._rest = self._rest[self._limit :]

    def _take_rest(self) -> str:
        rest, self._rest, self._returned = self._rest, "", False
        return rest
