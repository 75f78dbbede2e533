"""Where the checked-in contract lies: schemas/ in a source tree, inside the package in a wheel."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def schemas_directory() -> Path:
    """The folder with topics.yaml, events/, examples/ and clickhouse/."""
    inside_wheel = _PACKAGE / "_schemas"
    return inside_wheel if inside_wheel.is_dir() else _PACKAGE.parent.parent / "schemas"


def schema_uri(type: str) -> str:
    """What names a type's schema: its `$id`, and `ce_dataschema` (CloudEvents: an absolute URI)."""
    return f"urn:runhistory:schema:{type}"
