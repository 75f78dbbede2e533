"""Passing over names that a newer writer added, at every depth.

The values inside a command (a run's content, a file's entry) forbid unknown names, so that a
typing error is refused at the door. The same values stand in events, where an added name must
not stop an older reader. msgspec decides this by type and not by decoder, so a reader whose
strict decoding failed prunes what he does not know and tries once more.
"""

from typing import Any

from msgspec import inspect


def prune(value: Any, type: inspect.Type) -> Any:
    """`value` (of plain dicts and lists) without the members that `type` has no field for."""
    match type:
        case inspect.Metadata(type=inner):
            return prune(value, inner)
        case inspect.StructType(fields=fields) if isinstance(value, dict):
            types = {field.encode_name: field.type for field in fields}
            return {name: prune(v, types[name]) for name, v in value.items() if name in types}
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return [prune(v, item) for v in value] if isinstance(value, list) else value
        case inspect.UnionType(types=types):
            struct = next((t for t in types if isinstance(t, inspect.StructType)), None)
            return value if struct is None else prune(value, struct)
        case _:
            return value
