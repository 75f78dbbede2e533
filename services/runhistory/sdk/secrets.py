"""Secrets that are about to be kept for ever: files that usually hold some, values that look so.

Findings name a place and a kind, never the secret itself. Few false alarms matter more than
finding everything: names are those that tools themselves use, shapes are those that the issuers
of tokens documented, and a value after `password=` counts only if it looks random.
"""

import logging
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from runhistory.domain.values import ScriptSpec
from runhistory.sdk.errors import InvalidConfig

if TYPE_CHECKING:
    from runhistory.snapshots import Tree

SCANNED_BYTES: Final = 1_048_576
"""So much of each file is looked at."""

FINDINGS_A_FILE: Final = 5
FINDINGS_SHOWN: Final = 20

logger: Final = logging.getLogger("runhistory")

_NAMES: Final = {
    "environment variables": (".env", ".env.*"),
    "a private key": ("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.ppk",
                      "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"),
    "credentials": ("credentials", "credentials.*", ".credentials", ".netrc", "_netrc", ".pgpass",
                    ".git-credentials", ".htpasswd", "client_secret*.json", "secrets.yaml",
                    "secrets.yml", "secrets.json", "secrets.toml", "service-account*.json",
                    "service_account*.json"),
    "a registry's token": (".npmrc", ".pypirc", ".dockercfg"),
    "access to a cluster": ("kubeconfig", "*.kubeconfig", "kube.config"),
}  # fmt: skip
_PATHS: Final = {".docker/config.json", ".kube/config", ".aws/config", ".ssh/config"}
_HARMLESS: Final = (
    "*.example", "*.sample", "*.template", "*.dist", "*.defaults", "*.pub", "credentials.py",
    "credentials.md", "cacert.pem", "ca-bundle.pem", "*.crt.pem",
)  # fmt: skip

_SHAPES: Final = {
    "an AWS access key": ((b"AKIA", b"ASIA"), rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a GitHub token": (
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b",
    ),
    "a GitLab token": ((b"glpat-",), rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Hugging Face token": ((b"hf_",), rb"\bhf_[A-Za-z0-9]{30,}\b"),
    "an API key (sk-…)": (
        (b"sk-",), rb"\bsk-(?=[A-Za-z_-]{0,64}[0-9])(?:[a-z0-9]+-){0,3}[A-Za-z0-9_]{20,}",
    ),
    "a Slack token": ((b"xox",), rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    "a Google API key": ((b"AIza",), rb"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a PyPI token": ((b"pypi-AgE",), rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{40,}"),
    "an npm token": ((b"npm_",), rb"\bnpm_[A-Za-z0-9]{36}\b"),
    "a Stripe key": ((b"k_live_",), rb"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    "an Azure storage key": ((b"AccountKey=",), rb"AccountKey=[A-Za-z0-9+/]{80,}={0,2}"),
    "a JSON web token": (
        (b".eyJ",), rb"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}",
    ),
    "a private key": ((b"PRIVATE KEY-----",), rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
}  # fmt: skip
"""Kind: texts of which one is in every such secret (looked for first: that is quick), its shape."""

_COMPILED: Final = {kind: (hints, re.compile(shape)) for kind, (hints, shape) in _SHAPES.items()}
_IN_URL: Final = re.compile(rb"://[^\s:/@\"'{}<>$]{1,64}:([^\s:/@\"'{}<>$]{6,128})@")
_ASSIGNED: Final = re.compile(  # of small letters
    rb"(?:pass(?:word|wd)|pwd|secret|token|(?:api|access|auth|private)[_-]?key)"
    rb"[\"']?\s{0,4}(?::=|[=:])\s{0,4}[\"']?([a-z0-9+/_.~!@#%^&*-]{12,200})"
)
_PLACEHOLDERS: Final = re.compile(
    rb"(?i)example|change.?me|your|placeholder|dummy|xxxx|\*\*\*|test|^(?:password|passwd|secret)$"
)
_CODE: Final = re.compile(rb"^[A-Za-z_]+(?:\.[A-Za-z_][A-Za-z_0-9]*)+$|^[A-Za-z_]+$")
_RANDOM_BITS: Final = 3.3  # bits a character: words have less, hex digits 3.5 or more


class Finding(Struct, frozen=True):
    """Something that looks like a secret: where (a file, an argument), which line, what kind."""

    place: str
    kind: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.place}:{self.line}" if self.line else self.place
        return f"{where} ({self.kind})"


def kind_of_name(path: str) -> str | None:
    """What a file of this name usually holds; None for what is harmless."""
    pure = PurePosixPath(path)
    name = pure.name.lower()
    if any(fnmatchcase(name, pattern) for pattern in _HARMLESS):
        return None
    if "/".join(pure.parts[-2:]) in _PATHS:
        return "credentials"
    for kind, patterns in _NAMES.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return kind
    return None


def secrets_in(text: bytes) -> list[tuple[int, str]]:
    """(line from 1, kind) of all in the text that looks like a secret; at most one a line."""
    kinds: dict[int, str] = {}
    for position, kind in _found_in(text):
        kinds.setdefault(text.count(b"\n", 0, position) + 1, kind)
    return sorted(kinds.items())


def _found_in(text: bytes) -> Iterator[tuple[int, str]]:
    """(position, kind), by kinds."""
    for kind, (hints, shape) in _COMPILED.items():
        if any(hint in text for hint in hints):
            for match in shape.finditer(text):
                if not _PLACEHOLDERS.search(match[0]):
                    yield match.start(), kind
    if b"://" in text:
        for match in _IN_URL.finditer(text):
            if not _PLACEHOLDERS.search(match[1]):
                yield match.start(), "a password in a URL"
    small = text.lower()  # of bytes: no letter becomes two, and positions stay
    for match in _ASSIGNED.finditer(small):
        is_call = text[match.end() : match.end() + 1] in (b"(", b"[")
        if not is_call and _is_random(text[match.start(1) : match.end(1)]):
            yield match.start(), "a password or token"


def find_in_values(
    arguments: Sequence[str], variables: Mapping[str, str], command: Sequence[str] = ()
) -> list[Finding]:
    """What looks like a secret in the arguments and variables that a run is given."""
    found = []
    for what, words in (("arguments", arguments), ("command", command)):
        for number, word in enumerate(words):
            option = words[number - 1].lstrip("-") if _is_value(words, number) else ""
            if kind := _kind_of_value(word) or _kind_of_value(f"{option}={word}"):
                found.append(Finding(f"{what}[{number}]", kind))
    for name, value in variables.items():
        if kind := _kind_of_value(value) or _kind_of_value(f"{name}={value}"):
            found.append(Finding(f"environment variable {name}", kind))
    return found


def find_in_tree(tree: "Tree") -> list[Finding]:
    """What looks like a secret in a folder's snapshot, in the order of paths.

    Reads the first MiB of each text file. A file that is gone meanwhile is passed over.
    """
    found: list[Finding] = []
    for file in tree.manifest.files:
        if kind := kind_of_name(file.path):
            found.append(Finding(file.path, kind))
            continue
        try:
            with (tree.root / file.path).open("rb") as opened:
                text = opened.read(SCANNED_BYTES)
        except OSError:
            continue
        if b"\0" in text[:8192]:
            continue
        for line, kind in secrets_in(text)[:FINDINGS_A_FILE]:
            found.append(Finding(file.path, kind, line))
    return found


def check_secrets(tree: "Tree", spec: ScriptSpec | None, *, strict: bool = False) -> None:
    """Warn about what looks like a secret and is about to be kept.

    Raises:
        InvalidConfig: there is something, and `strict`.
    """
    found = find_in_tree(tree)
    if spec is not None:
        found += find_in_values(spec.arguments, spec.environment.variables, spec.command)
    if not found:
        return
    more = f" and {len(found) - FINDINGS_SHOWN} more" if len(found) > FINDINGS_SHOWN else ""
    text = (
        f"This looks like secrets, and would be kept with the run: "
        f"{', '.join(map(str, found[:FINDINGS_SHOWN]))}{more}. Leave files out by "
        f"{tree.ignore_file or '.amlignore'}, and give secrets to the worker's environment."
    )
    if strict:
        raise InvalidConfig(f"{text} Nothing was sent.")
    logger.warning("runhistory: %s", text)


def _is_value(words: Sequence[str], number: int) -> bool:
    """Whether the word is what the option before it is set to."""
    before = words[number - 1] if number else ""
    return before.startswith("-") and "=" not in before and not words[number].startswith("-")


def _kind_of_value(text: str) -> str | None:
    return next((kind for _, kind in secrets_in(text.encode())), None)


def _is_random(value: bytes) -> bool:
    """Whether it is no placeholder, no name in code, and no plain words."""
    if _bits(value) < _RANDOM_BITS or re.search(rb"\d", value) is None:
        return False
    return not _PLACEHOLDERS.search(value) and not _CODE.match(value)


def _bits(value: bytes) -> float:
    """Shannon's entropy, in bits a character."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
