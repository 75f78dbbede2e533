"""A run's metrics as Azure ML gives them back: one value as it is, several as a list."""

from typing import Any

from runhistory.sdk.run_client import RunClient


def read(client: RunClient, name: str | None) -> dict[str, Any]:
    """{name: value, or list of values in step order}: of all names, or of `name` alone.

    Without `name` the samples of host and GPUs are left out. A name without points is not in it.
    """
    found: dict[str, Any] = {}
    for series in client.series([name] if name is not None else []):
        values = [float(value) for value in series["values"]]
        if values:
            found[series["key"]] = values[0] if len(values) == 1 else values
    return found
