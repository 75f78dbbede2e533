"""How bodies and parameters are read strictly, and what the OpenAPI document says of them.

The framework's own reading is lenient ("1" is an integer there), so bodies are decoded by
msgspec alone, and two equal names in an object are refused.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, get_args

import msgspec
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
)
from litestar.params import PathParameter, QueryParameter
from litestar.typing import FieldDefinition

from runhistory.domain.ids import new_command_id
from runhistory.domain.values import CommandId, RunId, Sha256, Workspace
from runhistory.events import strict_json
from runhistory.gateway.errors import ApiError, ErrorBody


def _parameter(domain_type: Any) -> Any:
    """What the domain says of a value, in the framework's words."""
    meta = get_args(domain_type)[1]
    return PathParameter(pattern=meta.pattern, description=meta.description)


MAX_ATTEMPT: Final = 2**31 - 1

WorkspaceParameter = Annotated[str, _parameter(Workspace)]
RunIdParameter = Annotated[str, _parameter(RunId)]
DigestParameter = Annotated[str, _parameter(Sha256)]
AttemptParameter = Annotated[
    int, PathParameter(ge=1, le=MAX_ATTEMPT, description="1, 2, 3, … within the run")
]
FileNameParameter = Annotated[
    str, PathParameter(description="relative path below the run, such as outputs/model.pt")
]
WatermarkQuery = Annotated[
    list[str] | None,
    QueryParameter(
        name="watermark",
        description="wait until this is visible, as a write returned it: topic/partition/offset",
    ),
]
AttemptQuery = Annotated[
    int | None, QueryParameter(ge=1, le=MAX_ATTEMPT, description="the newest unless given")
]
CommandIdQuery = Annotated[
    str | None, QueryParameter(description="made once by the client and kept over retries")
]


def command_id_of(asked: str | None) -> str:
    """The client's command id, or a new one.

    Raises:
        ApiError: 400, it is none.
    """
    try:
        return msgspec.convert(asked or new_command_id(), CommandId)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid_request", f"command_id: {error}") from error


class _StrictBody(AbstractDTO[Any]):
    """The framework's hook for a body of `model_type`; msgspec does all of the work."""

    decoder: ClassVar[msgspec.json.Decoder[Any]]

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Nothing to prepare."""

    def decode_bytes(self, value: bytes) -> Any:
        """The checked value."""
        return strict_json.decode(value, self.decoder)

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Any:
        """The schema of the type itself."""
        return schema_creator.for_field_definition(FieldDefinition.from_annotation(cls.model_type))

    @classmethod
    def generate_field_definitions(
        cls, model_type: type[Any]
    ) -> Generator[DTOFieldDefinition, None, None]:
        """None: fields are msgspec's business."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """None: fields are msgspec's business."""
        return False


class _RawBody(_StrictBody):
    """The body's bytes; only the documentation knows `model_type`."""

    def decode_bytes(self, value: bytes) -> bytes:
        """The bytes as they came."""
        return value


def strict_body(model: Any) -> type[AbstractDTO[Any]]:
    """`data` is a value of type `model`, or the answer is 400."""
    return _body(_StrictBody, model)


def raw_body(model: Any) -> type[AbstractDTO[Any]]:
    """`data` is the body's bytes, which the handler checks itself to be a `model`."""
    return _body(_RawBody, model)


def _body(base: type[_StrictBody], model: Any) -> type[AbstractDTO[Any]]:
    members = {"model_type": model, "decoder": msgspec.json.Decoder(model)}
    return type(f"{base.__name__}Of", (base,), members)


@dataclass
class TakesBytes(Operation):
    """An operation whose body is streamed."""

    def __post_init__(self) -> None:
        schema = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        self.request_body = RequestBody(
            required=True, content={"application/octet-stream": OpenAPIMediaType(schema=schema)}
        )


_MEANINGS: Final = {
    400: "The request is not valid; the message names the place.",
    401: "The bearer token is missing or wrong.",
    404: "There is no such thing in this workspace.",
    409: "Refused: the run's status, or what it holds, does not allow it.",
    410: "Gone: the run was deleted, or what came after the position is not kept any more.",
    413: "More bytes, or points, than the limit, which the message names.",
    416: "The range has no byte of what there is.",
    503: "Kafka, ClickHouse or the object store is away or behind. Try again after Retry-After.",
}


def fails(*statuses: int) -> dict[int, ResponseSpec]:
    """The errors of an operation, for its documentation; 400, 401 and 503 always belong."""
    return {
        status: ResponseSpec(ErrorBody, description=_MEANINGS[status], generate_examples=False)
        for status in sorted({400, 401, 503, *statuses})
    }
