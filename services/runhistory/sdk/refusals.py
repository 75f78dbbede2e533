"""What Azure ML has and runhistory has not: refused by name, with what to do instead.

A parameter without a meaning here is an error and not passed over: a program that relies on it
would do something else than its author thinks.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from runhistory.sdk.errors import Unsupported

RUN: Final[Mapping[str, str]] = {
    "add_type_provider": "runs are `script` or `interactive`; mark yours with a tag",
    "clean": "a worker removes an attempt's folder itself",
    "get_detailed_status": "get_details() has the status, the timeline and the error",
    "get_diagnostics": "get_details() and get_all_logs() tell what happened",
    "get_inputs": "arguments and params are in get_details()",
    "get_outputs": "get_file_names() lists the files that the run kept",
    "get_portal_url": "`runhistory show RUN` shows a run",
    "get_secret": "no secrets are kept; give them to the worker's environment",
    "get_secrets": "no secrets are kept; give them to the worker's environment",
    "input_datasets": "there are no datasets; read files by their paths",
    "list_by_compute": "ask with Workspace.sql: SELECT run_id FROM runs WHERE compute_target = '…'",
    "output_datasets": "there are no datasets; keep files under outputs/",
    "register_model": "there is no model registry; keep the model with upload_file and tag the run",
}
EXPERIMENT: Final[Mapping[str, str]] = {
    "from_directory": "Workspace.from_config(path) finds the workspace; then name the experiment",
    "get_docs_url": "see docs/sdk.md",
    "get_portal_url": "`runhistory runs --experiment NAME` lists its runs",
    "add_type_provider": "runs are `script` or `interactive`; mark yours with a tag",
}
WORKSPACE: Final[Mapping[str, str]] = {
    "create": "a workspace is there as soon as something is written to it; just name it",
    "delete": "delete its runs and experiments",
    "datasets": "there are no datasets; read files by their paths",
    "datastores": "the deployment has one object store of its own",
    "environments": "an Environment belongs to the ScriptRunConfig that uses it",
    "get_default_datastore": "the deployment has one object store of its own",
    "get_default_keyvault": "no secrets are kept; give them to the worker's environment",
    "images": "there is no image registry",
    "models": "there is no model registry; find the run that kept the model",
    "resource_group": "that is Azure's; a workspace is a gateway's URL and a name",
    "setup": "Workspace.from_config() is all",
    "subscription_id": "that is Azure's; a workspace is a gateway's URL and a name",
    "webservices": "serving models is not part of Run History",
    "write_config": 'write .runhistory/config.json: {"url": "…", "workspace": "…"}',
}
MODULE: Final[Mapping[str, str]] = {
    "Dataset": "there are no datasets; read files by their paths",
    "Datastore": "the deployment has one object store of its own",
    "DockerConfiguration": "runs execute in a Python environment, not in a container",
    "DockerSection": "runs execute in a Python environment, not in a container",
    "HyperDriveConfig": "make the children yourself: run.create_children or run.submit_child",
    "Keyvault": "no secrets are kept; give them to the worker's environment",
    "Model": "there is no model registry; keep the model with run.upload_file",
    "MpiConfiguration": "a run is one process on one node; start more from its script",
    "PyTorchConfiguration": "a run is one process on one node; use command=['torchrun', …]",
    "TensorflowConfiguration": "a run is one process on one node; start more from its script",
}


def refuse(where: str, **parameters: tuple[Any, str]) -> None:
    """Raise for the first parameter that is not None: name=(value, what to do instead).

    Raises:
        Unsupported: the message names the parameter.
    """
    for name, (value, instead) in parameters.items():
        if value is not None:
            raise Unsupported(f"{where}({name}=…) has no meaning here: {instead}.")


def refuse_unknown(where: str, names: Mapping[str, Any]) -> None:
    """Raise for keyword arguments that a method does not know.

    Raises:
        Unsupported: it names them.
    """
    if names:
        raise Unsupported(
            f"{where} does not know {', '.join(sorted(names))}. docs/sdk.md lists what it takes."
        )


def missing(where: str, known: Mapping[str, str], name: str) -> NoReturn:
    """What `__getattr__` does for a name that is not there.

    Raises:
        Unsupported: it is one of Azure ML's; the message says what to do instead.
        AttributeError: it is nobody's.
    """
    if name in known:
        raise Unsupported(f"{where}.{name} is not part of runhistory: {known[name]}.")
    raise AttributeError(f"{where} has no attribute {name!r}")
