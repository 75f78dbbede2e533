"""The four charts of Azure ML (confusion matrix, accuracy table, residuals, predictions), checked.

Each is a dict with `schema_type`, `schema_version` and `data`, or the JSON text of one. The forms
are Azure ML's: what its studio draws is taken here, and what it could not draw is refused.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from runhistory.sdk.errors import InvalidMetric

Chart = Literal["confusion_matrix", "accuracy_table", "residuals", "predictions"]
Number = float
Numbers = list[Number]


class ConfusionMatrix(Struct):
    """`matrix[i][j]`: how many of class i were taken for class j."""

    class_labels: list[Any]
    matrix: list[Numbers]


Counts = Annotated[Numbers, Meta(min_length=4, max_length=4)]
"""True positives, false positives, true negatives, false negatives."""


class AccuracyTable(Struct):
    """For each class and threshold the four counts."""

    probability_tables: list[list[Counts]]
    percentile_tables: list[list[Counts]]
    class_labels: list[Any]
    probability_thresholds: Numbers
    percentile_thresholds: Numbers


class Residuals(Struct):
    """A histogram of errors."""

    bin_edges: Numbers
    bin_counts: Numbers


class Predictions(Struct):
    """Mean and error of what was predicted, in each bin of true values."""

    bin_averages: Numbers
    bin_errors: Numbers
    bin_counts: Numbers
    bin_edges: Numbers


_FORMS: Final[dict[Chart, type[Struct]]] = {
    "confusion_matrix": ConfusionMatrix,
    "accuracy_table": AccuracyTable,
    "residuals": Residuals,
    "predictions": Predictions,
}


def chart(name: str, type: Chart, value: Any) -> dict[str, Any]:
    """The chart as a dict of plain values.

    Raises:
        InvalidMetric: it has another form; the message names the place and shows the form.
    """
    found = _plain(name, type, value)
    if not isinstance(found, dict) or not isinstance(found.get("data"), dict):
        raise _wrong(name, type, "it is no dict with `data`")
    if found.get("schema_type") != type:
        raise _wrong(name, type, f"its schema_type is {found.get('schema_type')!r}")
    if not isinstance(found.get("schema_version"), str):
        raise _wrong(name, type, f"its schema_version is {found.get('schema_version')!r}")
    data = found["data"]
    try:
        msgspec.convert(data, _FORMS[type])
    except msgspec.ValidationError as error:
        raise _wrong(name, type, f"data: {error}") from error
    if type == "confusion_matrix":
        classes = len(data["class_labels"])
        if len(data["matrix"]) != classes or any(len(row) != classes for row in data["matrix"]):
            raise _wrong(name, type, f"with {classes} class_labels the matrix is not square")
    return found


def _plain(name: str, type: Chart, value: Any) -> Any:
    """Dicts, lists, texts and numbers: of a JSON text, or of arrays in a dict."""
    if not isinstance(value, str):
        return _without_arrays(value)
    try:
        return json.loads(value)
    except ValueError as error:
        raise _wrong(name, type, f"the text is no JSON ({error})") from error


def _without_arrays(value: Any) -> Any:
    if callable(getattr(value, "tolist", None)):
        value = value.tolist()
    match value:
        case Mapping():
            return {key: _without_arrays(element) for key, element in value.items()}
        case list() | tuple():
            return [_without_arrays(element) for element in value]
    return value


def _wrong(name: str, type: Chart, trouble: str) -> InvalidMetric:
    fields = ", ".join(f"'{field}': […]" for field in _FORMS[type].__struct_fields__)
    return InvalidMetric(
        f"Metric {name!r} is no {type}: {trouble}. It has the form {{'schema_type': '{type}', "
        f"'schema_version': 'v1', 'data': {{{fields}}}}}, as a dict or as JSON text."
    )
