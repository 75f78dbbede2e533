"""Which edits of a message's schema keep its version: `incompatibilities(old, new)`.

A message is written by one version of the program and read by others, older and newer, and the
log is kept for ever. So the only free change is an optional field more (and a limit that takes
more than before, or an enumeration that has more). Anything else is a new version of the type.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

ANNOTATIONS = {"$comment", "$defs", "$id", "$ref", "$schema", "default", "description", "title"}
LOWER = {"minimum", "minLength", "minItems", "minProperties"}
UPPER = {"maximum", "maxLength", "maxItems", "maxProperties"}
SCHEMAS = {"items", "propertyNames"}


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """What a reader or writer of the old schema would trip over, each with its place."""
    return list(_compare(old, new, old, new, "$"))


def _compare(old: Any, new: Any, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    for keyword in sorted((set(old) | set(new)) - ANNOTATIONS):
        before, after = old.get(keyword), new.get(keyword)
        if keyword == "properties":
            yield from _properties(before or {}, after or {}, old_root, new_root, at)
        elif keyword == "required":
            yield from _required(set(before or ()), set(after or ()), at)
        elif keyword == "anyOf" and before and after and len(before) == len(after):
            for i, pair in enumerate(zip(before, after, strict=True)):
                yield from _compare(*pair, old_root, new_root, f"{at}|{i}")
        elif keyword in SCHEMAS and before and after:
            yield from _compare(before, after, old_root, new_root, f"{at}[]")
        elif keyword == "additionalProperties" and isinstance(before, dict):
            yield from _compare(before, after or {}, old_root, new_root, f"{at}.*")
        elif _narrows(keyword, before, after):
            yield f"{at}: {keyword} was {before!r} and is {after!r}"


def _resolved(schema: Any, root: Schema) -> Schema:
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    reference = schema.get("$ref")
    found: Schema = root["$defs"][reference.removeprefix("#/$defs/")] if reference else schema
    return found


def _properties(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str
) -> Iterator[str]:
    for name in sorted(old):
        if name in new:
            yield from _compare(old[name], new[name], old_root, new_root, f"{at}.{name}")
        else:
            yield f"{at}.{name}: the field is gone"


def _required(old: set[str], new: set[str], at: str) -> Iterator[str]:
    for name in sorted(new - old):
        yield f"{at}.{name}: the field is required now"
    for name in sorted(old - new):
        yield f"{at}.{name}: readers count on the field, and it may be absent now"


def _narrows(keyword: str, before: Any, after: Any) -> bool:
    if before == after:
        return False
    if keyword in LOWER:
        return after is not None and (before is None or after > before)
    if keyword in UPPER:
        return after is not None and (before is None or after < before)
    if keyword == "enum":
        return before is None or (after is not None and not set(before) <= set(after))
    if keyword in ("additionalProperties", "pattern"):
        return after is not None
    return True
