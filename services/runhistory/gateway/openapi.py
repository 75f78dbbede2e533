"""The OpenAPI document: `python -m runhistory.gateway.openapi` writes schemas/openapi.json.

The framework knows the operations and msgspec knows the types, so the schemas of all bodies are
msgspec's own: they say exactly what is checked.
"""

import json
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

from runhistory.events.contract import schemas_directory

_REFERENCE: Final = "#/components/schemas/{name}"


class StructSchemas(OpenAPISchemaPlugin):
    """Gives the framework a reference for each struct, and remembers which it has met."""

    def __init__(self) -> None:
        self.met: dict[str, type[msgspec.Struct]] = {}

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Whether it is a struct."""
        return isinstance(value, type) and issubclass(value, msgspec.Struct)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Any:
        """A reference to the struct's schema, which stays empty until `components` fills it."""
        struct = field_definition.annotation
        self.met[struct.__name__] = struct
        return schema_creator.create_component_schema(
            field_definition, required=[], property_fields={}
        )

    def components(self) -> dict[str, Any]:
        """The schemas of all structs met, and of what these are made of, by name."""
        structs = [self.met[name] for name in sorted(self.met)]
        _, found = msgspec.json.schema_components(structs, ref_template=_REFERENCE)
        return found


def encode_document(app: Litestar) -> bytes:
    """The document's canonical bytes: sorted, indented, with a newline at the end."""
    document = app.openapi_schema.to_schema()
    document["components"] = {"schemas": app.plugins.get(StructSchemas).components()}
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def main() -> None:
    """Write the document where it is checked in."""
    from runhistory.gateway.app import create_app

    path = schemas_directory() / "openapi.json"
    path.write_bytes(create_app().state.openapi)


if __name__ == "__main__":
    main()
