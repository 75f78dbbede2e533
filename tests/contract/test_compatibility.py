"""An edit of a schema that would break a reader or a writer needs a new version of the type."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.compatibility import incompatibilities

ROOT = Path(__file__).resolve().parents[2]

OLD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10, "pattern": "^a"},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "status": {"$ref": "#/$defs/Status"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "files": {"type": "array", "items": {"$ref": "#/$defs/File"}},
    },
    "required": ["name", "count"],
    "$defs": {
        "Status": {"enum": ["on", "off"]},
        "File": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": []},
    },
}


def edited(path: str, value: Any) -> dict[str, Any]:
    """OLD with one place set, or removed where `value` is None."""
    new = copy.deepcopy(OLD)
    *way, last = path.split("/")
    place = new
    for name in way:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


FREE = {
    "nothing": edited("type", "object"),
    "an optional field more": edited("properties/extra", {"type": "string"}),
    "an optional field more, deeper": edited("$defs/File/properties/sha256", {"type": "string"}),
    "other words": edited("description", "Better said."),
    "a longer name": edited("properties/name/maxLength", 20),
    "any length": edited("properties/name/maxLength", None),
    "any spelling": edited("properties/name/pattern", None),
    "a wider range": edited("properties/count/minimum", -1),
    "a status more": edited("$defs/Status/enum", ["on", "off", "dim"]),
}
BREAKING = {
    "a field gone": edited("properties/note", None),
    "a field gone, deeper": edited("$defs/File/properties/size", None),
    "a field required": edited("required", ["name", "count", "note"]),
    "a field required, deeper": edited("$defs/File/required", ["size"]),
    "a field no more required": edited("required", ["name"]),
    "another type": edited("properties/name/type", "integer"),
    "a type more": edited("properties/name/type", ["string", "null"]),
    "an alternative gone": edited("properties/note/anyOf", [{"type": "string"}]),
    "another alternative": edited("properties/note/anyOf", [{"type": "integer"}, {"type": "null"}]),
    "a shorter name": edited("properties/name/maxLength", 9),
    "another spelling": edited("properties/name/pattern", "^b"),
    "a narrower range": edited("properties/count/maximum", 8),
    "a new limit": edited("properties/name/minLength", 1),
    "a status gone": edited("$defs/Status/enum", ["on"]),
    "an enumeration, new": edited("properties/name/enum", ["a"]),
    "other values of tags": edited("properties/tags/additionalProperties", {"type": "integer"}),
    "closed": edited("additionalProperties", False),
    "other elements": edited("properties/files/items", {"type": "string"}),
    "a keyword that is not known here": edited("properties/name/format", "date"),
}


@pytest.mark.parametrize("new", FREE.values(), ids=FREE.keys())
def test_free_edits(new: dict[str, Any]) -> None:
    assert incompatibilities(OLD, new) == []


@pytest.mark.parametrize("new", BREAKING.values(), ids=BREAKING.keys())
def test_breaking_edits(new: dict[str, Any]) -> None:
    assert incompatibilities(OLD, new) != []


def git(*arguments: str) -> str | None:
    """What git prints, or None when there is no git, no repository or no such thing in it."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def test_no_schema_breaks_with_the_one_on_main() -> None:
    published = ("main", "origin/main", "HEAD")
    base = next((ref for ref in published if git("rev-parse", "--verify", "-q", ref)), None)
    if base is None:
        pytest.skip("there is no git history to compare with")
    broken = []
    for path in (git("ls-tree", "--name-only", base, "schemas/events/") or "").split():
        if not (ROOT / path).exists():
            broken.append(f"{path} is gone: messages of this type are in the log for ever")
            continue
        old, new = json.loads(git("show", f"{base}:{path}") or ""), (ROOT / path).read_text()
        broken += [
            f"{Path(path).name} {found}" for found in incompatibilities(old, json.loads(new))
        ]
    assert broken == [], f"Not compatible with {base}; make a new version of the type instead."
