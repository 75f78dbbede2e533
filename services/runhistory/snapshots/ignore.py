"""Which paths an ignore file excludes, with git's meaning to the byte.

Git looks at one path at a time, from the root down. The last pattern that matches decides, `!`
turns it round, and an excluded directory is never entered, so nothing below it comes back. That
last rule is the walker's (tree.py); this module answers for one path whose parents are all in.

A pattern becomes one regular expression over bytes, because git's matcher works on bytes: `?` is
one byte, and é in UTF-8 is two. Where a pattern can never match (an unclosed `[`, a backslash at
its end) git keeps it and it matches nothing; so do we. The rules were read in git's dir.c and
wildmatch.c; a property test compares with git itself. docs/decisions/ignore-rules.md says why
this is not a library.
"""

import re
import string
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

_GLOB_SPECIAL: Final = b"*?[\\"
_SLASH: Final = ord("/")
_BACKSLASH: Final = ord("\\")
_BLANKS: Final = b" \t"
_ASCII: Final = range(128)

_PUNCTUATION: Final = string.punctuation.encode()
_CLASSES: Final[dict[bytes, frozenset[int]]] = {
    b"alnum": frozenset((string.ascii_letters + string.digits).encode()),
    b"alpha": frozenset(string.ascii_letters.encode()),
    b"blank": frozenset(_BLANKS),
    b"cntrl": frozenset(c for c in _ASCII if c < 32 or c == 127),
    b"digit": frozenset(string.digits.encode()),
    b"graph": frozenset(c for c in _ASCII if 32 < c < 127),
    b"lower": frozenset(string.ascii_lowercase.encode()),
    b"print": frozenset(c for c in _ASCII if 32 <= c < 127),
    b"punct": frozenset(_PUNCTUATION),
    b"space": frozenset(b" \t\n\v\f\r"),
    b"upper": frozenset(string.ascii_uppercase.encode()),
    b"xdigit": frozenset(string.hexdigits.encode()),
}


class _NeverMatches(Exception):
    """The pattern is malformed in a way that git answers with no match at all."""


class Rule(Struct, frozen=True):
    """One pattern line."""

    regex: re.Pattern[bytes]
    excludes: bool
    directories_only: bool
    whole_path: bool

    def matches(self, path: bytes, is_directory: bool) -> bool:
        """Whether the line speaks about `path`, which is relative to the root."""
        if self.directories_only and not is_directory:
            return False
        subject = path if self.whole_path else path.rpartition(b"/")[2]
        return self.regex.fullmatch(subject) is not None


class IgnoreRules:
    """The lines of one ignore file, in their order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._latest_first = tuple(rules)[::-1]

    @classmethod
    def parse(cls, content: bytes) -> "IgnoreRules":
        """The rules in the content of an ignore file. No content is an error: git has none."""
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        return cls(rule for line in lines if (rule := _parse_line(line)) is not None)

    def excludes(self, path: bytes, *, is_directory: bool) -> bool:
        """Whether `path` is out; its parents must be in. A link is no directory."""
        for rule in self._latest_first:
            if rule.matches(path, is_directory):
                return rule.excludes
        return False


def _parse_line(line: bytes) -> Rule | None:
    if line.startswith(b"#"):
        return None
    pattern = _without_trailing_spaces(line.removesuffix(b"\r").partition(b"\0")[0])
    excludes = not pattern.startswith(b"!")
    if not excludes:
        pattern = pattern[1:]
    directories_only = pattern.endswith(b"/")
    if directories_only:
        pattern = pattern[:-1]
    whole_path = b"/" in pattern
    if whole_path:
        pattern = pattern.removeprefix(b"/")
    try:
        regex = _translate(pattern)
    except _NeverMatches:
        return None
    return Rule(regex, excludes, directories_only, whole_path) if pattern else None


def _without_trailing_spaces(line: bytes) -> bytes:
    """Only blanks count as spaces here, and one after a backslash stays."""
    end = index = 0
    while index < len(line):
        if line[index] == _BACKSLASH:
            index += 1
            if index == len(line):
                return line
            end = index + 1
        elif line[index] != ord(" "):
            end = index + 1
        index += 1
    return line[:end]


def _translate(pattern: bytes) -> re.Pattern[bytes]:
    regex, index = b"", 0
    while index < len(pattern):
        byte = pattern[index]
        if byte == ord("*"):
            part, index = _translate_stars(pattern, index)
        elif byte == ord("?"):
            part, index = b"[^/]", index + 1
        elif byte == ord("["):
            part, index = _translate_bracket(pattern, index + 1)
        elif byte == _BACKSLASH:
            part, index = re.escape(_byte_at(pattern, index + 1)), index + 2
        else:
            part, index = re.escape(pattern[index : index + 1]), index + 1
        regex += part
    return re.compile(regex, re.DOTALL)


def _byte_at(pattern: bytes, index: int) -> bytes:
    if index >= len(pattern):
        raise _NeverMatches
    return pattern[index : index + 1]


def _translate_stars(pattern: bytes, start: int) -> tuple[bytes, int]:
    end = start
    while pattern[end : end + 1] == b"*":
        end += 1
    # `**` crosses directories where it is a whole part of the path. Git cuts off the literal
    # beginning of a pattern before it looks, so in `a**/b` it counts as a whole part too.
    before, after = pattern[:start], pattern[end : end + 2]
    begins_part = before.endswith(b"/") or not any(c in _GLOB_SPECIAL for c in before)
    if end - start > 1 and begins_part:
        if after[:1] == b"/":
            return b"(?:.*/)?", end + 1
        if after in (b"", b"\\/"):
            return b".*", end
    return b"[^/]*", end


def _translate_bracket(pattern: bytes, index: int) -> tuple[bytes, int]:
    """The set that begins at `index` (after its `[`) as a regex, and the index after its `]`."""
    negated = _byte_at(pattern, index) in (b"!", b"^")
    index += negated
    members: set[int] = set()
    previous: int | None = None  # the byte that a range may begin with
    first = True
    while first or _byte_at(pattern, index) != b"]":
        first = False
        byte, following = _byte_at(pattern, index), pattern[index + 1 : index + 2]
        if byte == b"-" and previous is not None and following not in (b"", b"]"):
            index += 1 + (following == b"\\")
            members.update(range(previous, _byte_at(pattern, index)[0] + 1))
            previous = None
        elif byte == b"[" and following == b":" and (name := _class_at(pattern, index + 2)):
            members |= _CLASSES.get(name[:-1]) or _never()
            index += 2 + len(name)
            previous = None
        else:
            index += byte == b"\\"
            previous = _byte_at(pattern, index)[0]
            members.add(previous)
        index += 1
    allowed = set(range(1, 256)) - members if negated else members
    escapes = b"".join(b"\\x%02x" % byte for byte in sorted(allowed - {_SLASH}))
    return (b"[" + escapes + b"]" if escapes else b"(?!)"), index + 1


def _class_at(pattern: bytes, index: int) -> bytes | None:
    """`digit:` where `index` stands after the `[:` of `[:digit:]`; None where no `:]` follows."""
    end = pattern.find(b"]", index)
    if end < 0:
        raise _NeverMatches
    name = pattern[index:end]
    return name if name.endswith(b":") else None


def _never() -> frozenset[int]:
    raise _NeverMatches
