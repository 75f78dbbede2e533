"""The names that Azure ML has and runhistory has not, each with what to do instead.

`refusals.py` makes errors of them.
"""

from collections.abc import Mapping
from typing import Final

_DATA: Final = "there are no datasets; read files by their paths"
_STORE: Final = "the deployment has one object store of its own"
_SECRETS: Final = "no secrets are kept; give them to the worker's environment"
_AZURES: Final = "that is Azure's; a workspace is a gateway's URL and a name"
_ONE_PROCESS: Final = "a run is one process on one node; start more from its script or command"
_NO_CONTAINER: Final = "runs execute in a Python environment, not in a container"
_NO_CONDA: Final = "environments are made by pip; name pip packages"
_NOT_REGISTERED: Final = "nothing is registered; an Environment goes with the run that uses it"
_TYPES: Final = "runs are `script` or `interactive`; mark yours with a tag"
_POOL: Final = "declare a pool with ComputeTarget.create(workspace, name, max_nodes=…)"

RUN: Final[Mapping[str, str]] = {
    "add_type_provider": _TYPES,
    "clean": "a worker removes an attempt's folder itself",
    "get_detailed_status": "get_details() has the status, the timeline and the error",
    "get_diagnostics": "get_details() and get_all_logs() tell what happened",
    "get_inputs": "arguments and params are in get_details()",
    "get_outputs": "get_file_names() lists the files that the run kept",
    "get_secret": _SECRETS,
    "get_secrets": _SECRETS,
    "input_datasets": _DATA,
    "list_by_compute": "ask with Workspace.sql: SELECT run_id FROM runs WHERE compute_target = '…'",
    "output_datasets": "there are no datasets; keep files under outputs/",
    "register_model": "there is no model registry; keep the model with upload_file and tag the run",
}
EXPERIMENT: Final[Mapping[str, str]] = {
    "add_type_provider": _TYPES,
    "archived_time": "`archived` says whether it is; `runhistory events` when it was",
    "from_directory": "Workspace.from_config(path) finds the workspace; then name the experiment",
    "get_docs_url": "see docs/sdk.md",
}
WORKSPACE: Final[Mapping[str, str]] = {
    "add_private_endpoint": _AZURES,
    "create": "a workspace is there as soon as something is written to it; just name it",
    "datasets": _DATA,
    "datastores": _STORE,
    "delete": "delete its runs and experiments",
    "delete_connection": _SECRETS,
    "delete_private_endpoint_connection": _AZURES,
    "diagnose_workspace": "`runhistory status` tells how the services are",
    "discovery_url": _AZURES,
    "environments": "an Environment belongs to the ScriptRunConfig that uses it",
    "from_service_principal": "give a token: Workspace(token=…), or RUNHISTORY_TOKEN",
    "get_connection": _SECRETS,
    "get_default_compute_target": "`local` is the default; compute_targets has them all",
    "get_default_datastore": _STORE,
    "get_default_keyvault": _SECRETS,
    "get_details": "a workspace is a gateway's `url` and a `name`, and no more",
    "get_mlflow_tracking_uri": "MLflow's protocol is not spoken; log with Run.log",
    "images": "there is no image registry",
    "linked_services": _AZURES,
    "list": "a gateway keeps no list of workspaces; name yours",
    "list_connections": _SECRETS,
    "list_keys": _SECRETS,
    "location": _AZURES,
    "models": "there is no model registry; find the run that kept the model",
    "private_endpoints": _AZURES,
    "resource_group": _AZURES,
    "service_context": _AZURES,
    "set_connection": _SECRETS,
    "set_default_datastore": _STORE,
    "setup": "Workspace.from_config() is all",
    "sku": _AZURES,
    "subscription_id": _AZURES,
    "sync_keys": _SECRETS,
    "tags": "experiments and runs have tags, a workspace has none",
    "update": "a workspace has nothing to change",
    "update_dependencies": _AZURES,
    "webservices": "serving models is not part of Run History",
    "write_config": 'write .runhistory/config.json: {"url": "…", "workspace": "…"}',
}
RUN_CONFIGURATION: Final[Mapping[str, str]] = {
    "amlcompute": _POOL,
    "auto_prepare_environment": "environments are always made where one is needed",
    "communicator": _ONE_PROCESS,
    "credential_passthrough": _SECRETS,
    "data": _DATA,
    "data_references": _DATA,
    "delete": "it is no file; keep it in your program",
    "docker": _NO_CONTAINER,
    "framework": "scripts are called by python; else give command=",
    "hdi": _ONE_PROCESS,
    "history": "outputs/, logs/ and the console are always kept",
    "identity": _SECRETS,
    "load": "it is no file; make it in your program",
    "mpi": _ONE_PROCESS,
    "node_count": _ONE_PROCESS,
    "output_data": "keep files under outputs/",
    "parallel_task": _ONE_PROCESS,
    "prepare_environment": "environments are always made where one is needed",
    "priority": "runs of a target start in the order in which they were submitted",
    "pytorch": "use command=['torchrun', …]",
    "save": "it is no file; keep it in your program",
    "services": "only what the script itself starts runs beside it",
    "source_directory_data_store": _STORE,
    "spark": _ONE_PROCESS,
    "tensorflow": _ONE_PROCESS,
    "use_docker": _NO_CONTAINER,
}
ENVIRONMENT: Final[Mapping[str, str]] = {
    "add_private_pip_wheel": "put it beside the code, and ./NAME.whl in its requirements.txt",
    "build": "the worker makes it when the first run needs it",
    "build_local": "the worker makes it when the first run needs it",
    "clone": "make another Environment with its requirements",
    "databricks": _ONE_PROCESS,
    "docker": _NO_CONTAINER,
    "from_docker_build_context": _NO_CONTAINER,
    "from_docker_image": _NO_CONTAINER,
    "from_dockerfile": _NO_CONTAINER,
    "from_existing_conda_environment": _NO_CONDA,
    "get": _NOT_REGISTERED,
    "get_image_details": _NO_CONTAINER,
    "inferencing_stack_version": "serving models is not part of Run History",
    "label": _NOT_REGISTERED,
    "list": _NOT_REGISTERED,
    "load_from_directory": "Environment.from_pip_requirements reads a requirements file",
    "r": "environments are Python's; else give command=",
    "register": _NOT_REGISTERED,
    "save_to_directory": "write its `requirements` to a file",
    "spark": _ONE_PROCESS,
    "version": _NOT_REGISTERED,
}
PYTHON_SECTION: Final[Mapping[str, str]] = {
    "base_conda_environment": _NO_CONDA,
    "conda_dependencies_file": _NO_CONDA,
    "interpreter_path": "give Environment(python_version=…)",
    "user_managed_dependencies": "leave it out: where neither the Environment nor the code has "
    "requirements, a run has the worker's own interpreter",
}
CONDA_DEPENDENCIES: Final[Mapping[str, str]] = {
    "add_channel": _NO_CONDA,
    "add_cntk_package": _NO_CONDA,
    "add_tensorflow_conda_package": _NO_CONDA,
    "add_tensorflow_pip_package": "add_pip_package('tensorflow')",
    "as_dict": "`pip_packages` has what it holds",
    "conda_channels": _NO_CONDA,
    "conda_packages": _NO_CONDA,
    "get_default_number_of_packages": "there are no packages by default",
    "get_python_version": "it is the Environment's: python_version",
    "merge_requirements": "give Environment(requirements=[…])",
    "pip_options": "options are lines among `pip_packages`",
    "remove_channel": _NO_CONDA,
    "remove_conda_package": _NO_CONDA,
    "remove_pip_option": "name only what is wanted",
    "remove_pip_package": "name only what is wanted",
    "save": "write `pip_packages` to a requirements.txt",
    "save_to_file": "write `pip_packages` to a requirements.txt",
    "sdk_origin_url": "there is none",
    "serialize_to_string": "`pip_packages` has what it holds",
    "set_pip_index_url": "add_pip_package('--index-url URL')",
    "set_pip_option": "add_pip_package('--option …')",
    "set_pip_requirements": "add_pip_package for each line",
    "set_python_version": "it is the Environment's: Environment(python_version=…)",
}
MODULE: Final[Mapping[str, str]] = {
    "AmlCompute": _POOL,
    "ComputeInstance": _POOL,
    "ContainerRegistry": _NO_CONTAINER,
    "Dataset": _DATA,
    "Datastore": _STORE,
    "DockerConfiguration": _NO_CONTAINER,
    "DockerSection": _NO_CONTAINER,
    "HyperDriveConfig": "make the children yourself: run.create_children or run.submit_child",
    "Image": "there is no image registry",
    "InteractiveLoginAuthentication": "give a token: Workspace(token=…), or RUNHISTORY_TOKEN",
    "Keyvault": _SECRETS,
    "Model": "there is no model registry; keep the model with run.upload_file",
    "MpiConfiguration": _ONE_PROCESS,
    "ParallelRunConfig": _ONE_PROCESS,
    "PyTorchConfiguration": "a run is one process on one node; use command=['torchrun', …]",
    "RunDetails": "run.wait_for_completion(show_output=True) shows a run as it goes",
    "ServicePrincipalAuthentication": "give a token: Workspace(token=…), or RUNHISTORY_TOKEN",
    "TensorflowConfiguration": _ONE_PROCESS,
    "Webservice": "serving models is not part of Run History",
}
