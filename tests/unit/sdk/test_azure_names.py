"""Every public name of Azure ML's Run, Experiment, Workspace and ScriptRunConfig, and every
parameter: each is here, or refused by its name with what to do instead."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from runhistory import Environment, Experiment, Run, RunConfiguration, ScriptRunConfig, Workspace
from runhistory.sdk import azure_names
from runhistory.sdk.environment import CondaDependencies, PythonSection
from runhistory.sdk.errors import Unsupported, UnsupportedName

RUN_METHODS: dict[str, tuple[str, ...]] = {
    "get_context": ("allow_offline",),
    "get": ("workspace", "run_id"),
    "list": ("experiment", "type", "tags", "properties", "status", "include_children"),
    "get_submitted_run": (),
    "start": (),
    "complete": (),
    "fail": ("error_details", "error_code"),
    "cancel": (),
    "flush": ("timeout_seconds",),
    "child_run": ("name", "run_id", "outputs"),
    "create_children": ("count", "tag_key", "tag_values"),
    "submit_child": ("config", "tags"),
    "log": ("name", "value", "description", "step"),
    "log_list": ("name", "value", "description"),
    "log_row": ("name", "description"),
    "log_table": ("name", "value", "description"),
    "log_image": ("name", "path", "plot", "description"),
    "log_confusion_matrix": ("name", "value", "description"),
    "log_accuracy_table": ("name", "value", "description"),
    "log_residuals": ("name", "value", "description"),
    "log_predictions": ("name", "value", "description"),
    "tag": ("key", "value"),
    "set_tags": ("tags",),
    "get_tags": (),
    "remove_tags": ("tags",),
    "add_properties": ("properties",),
    "get_properties": (),
    "upload_file": ("name", "path_or_stream", "datastore_name"),
    "upload_files": ("names", "paths", "return_artifacts", "timeout_seconds", "datastore_name"),
    "upload_folder": ("name", "path", "datastore_name"),
    "download_file": ("name", "output_file_path"),
    "download_files": (
        "prefix",
        "output_directory",
        "output_paths",
        "batch_size",
        "append_prefix",
        "timeout_seconds",
    ),
    "get_file_names": (),
    "take_snapshot": ("file_or_folder_path",),
    "restore_snapshot": ("snapshot_id", "path"),
    "get_snapshot_id": (),
    "get_status": (),
    "get_details": (),
    "get_portal_url": (),
    "get_details_with_logs": (),
    "get_all_logs": ("destination",),
    "get_environment": (),
    "get_children": ("recursive", "tags", "properties", "type", "status"),
    "get_metrics": ("name", "recursive", "run_type", "populate"),
    "wait_for_completion": ("show_output", "wait_post_processing", "raise_on_error"),
}
RUN_PROPERTIES = (
    "id name display_name description type number parent status tags properties experiment"
)
EXPERIMENT_METHODS: dict[str, tuple[str, ...]] = {
    "get_portal_url": (),
    "submit": ("config", "tags"),
    "start_logging": ("outputs", "snapshot_directory"),
    "get_runs": ("type", "tags", "properties", "include_children"),
    "archive": (),
    "reactivate": ("new_name",),
    "list": ("workspace", "experiment_name", "view_type", "tags"),
    "delete": ("workspace", "experiment_id"),
    "tag": ("key", "value"),
    "set_tags": ("tags",),
    "remove_tags": ("tags",),
    "refresh": (),
}
WORKSPACE_METHODS: dict[str, tuple[str, ...]] = {
    "from_config": ("path", "auth"),
    "get": ("name", "auth", "subscription_id", "resource_group", "location", "cloud", "id"),
    "get_run": ("run_id",),
}
CONFIG = (
    "source_directory script arguments run_config compute_target environment "
    "distributed_job_config resume_from max_run_duration_seconds command docker_runtime_config"
)
METHODS = [
    pytest.param(owner, name, parameters, id=f"{owner.__name__}.{name}")
    for owner, methods in (
        (Run, RUN_METHODS),
        (Experiment, EXPERIMENT_METHODS),
        (Workspace, WORKSPACE_METHODS),
    )
    for name, parameters in methods.items()
]


@pytest.mark.parametrize(("owner", "name", "parameters"), METHODS)
def test_a_method_is_here_with_its_parameters_in_their_order(
    owner: type, name: str, parameters: tuple[str, ...]
) -> None:
    given = [one for one in inspect.signature(getattr(owner, name)).parameters if one != "self"]
    assert tuple(given[: len(parameters)]) == parameters
    assert inspect.getdoc(getattr(owner, name))


def test_properties_are_here() -> None:
    for owner, names in (
        (Run, RUN_PROPERTIES),
        (Experiment, "id name workspace workspace_object description tags"),
        (Workspace, "name experiments"),
    ):
        for name in names.split():
            assert isinstance(inspect.getattr_static(owner, name), property), name


def test_the_config_takes_all_of_azures_parameters_in_their_order() -> None:
    names = list(inspect.signature(ScriptRunConfig).parameters)
    assert names[: len(CONFIG.split())] == CONFIG.split()


CLASSES = [
    (Run, azure_names.RUN),
    (Experiment, azure_names.EXPERIMENT),
    (Workspace, azure_names.WORKSPACE),
    (RunConfiguration, azure_names.RUN_CONFIGURATION),
    (Environment, azure_names.ENVIRONMENT),
    (PythonSection, azure_names.PYTHON_SECTION),
    (CondaDependencies, azure_names.CONDA_DEPENDENCIES),
]
REFUSED = [
    pytest.param(owner, name, instead, id=f"{owner.__name__}.{name}")
    for owner, names in CLASSES
    for name, instead in names.items()
]


def thing(owner: type) -> Any:
    """An object of the class; none of them asks the network."""
    workspace = Workspace("http://127.0.0.1:1")
    experiment = Experiment(workspace, "e")
    made: dict[type, Any] = {
        Run: Run(experiment, "0" * 32),
        Experiment: experiment,
        Workspace: workspace,
        Environment: Environment("e"),
    }
    return made[owner] if owner in made else owner()


@pytest.mark.parametrize(("owner", "name", "instead"), REFUSED)
def test_what_is_not_here_is_refused_by_name_of_objects_and_classes(
    owner: type, name: str, instead: str
) -> None:
    for asked in (thing(owner), owner):
        with pytest.raises(Unsupported, match=name) as caught:
            getattr(asked, name)
        assert instead in str(caught.value)
        assert not hasattr(asked, name)


@pytest.mark.parametrize("owner", [owner for owner, _ in CLASSES])
def test_nobodys_names_are_no_attributes(owner: type) -> None:
    for asked in (thing(owner), owner):
        with pytest.raises(AttributeError) as caught:
            asked.nobodys_name  # noqa: B018
        assert not isinstance(caught.value, Unsupported)


@pytest.mark.parametrize("name", azure_names.MODULE)
def test_an_import_of_what_is_not_here_says_what_to_do(name: str) -> None:
    with pytest.raises(Unsupported, match=name) as caught:
        exec(f"from runhistory import {name}")
    assert azure_names.MODULE[name] in str(caught.value)
    with pytest.raises(ImportError):
        exec("from runhistory import nobodys_name")


@pytest.mark.parametrize(
    ("owner", "name"),
    [(owner, name) for owner, names in CLASSES[3:] for name in names],
)
def test_a_setting_of_azures_is_not_passed_over(owner: type, name: str) -> None:
    with pytest.raises(UnsupportedName, match=name):
        setattr(thing(owner), name, 4)


def test_a_slip_of_the_keyboard_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    for asked in (RunConfiguration(), Environment("e"), ScriptRunConfig(tmp_path, "train.py")):
        with pytest.raises(AttributeError, match="'enviroment'; its settings are "):
            asked.enviroment = None  # type: ignore[union-attr]


def test_parameters_without_a_meaning_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    experiment = Experiment(Workspace("http://127.0.0.1:1"), "e")
    run = Run(experiment, "0" * 32)
    calls: dict[str, Any] = {
        "distributed_job_config": lambda v: ScriptRunConfig(
            tmp_path, "train.py", distributed_job_config=v
        ),
        "resume_from": lambda v: ScriptRunConfig(tmp_path, "train.py", resume_from=v),
        "docker_runtime_config": lambda v: ScriptRunConfig(
            tmp_path, "train.py", docker_runtime_config=v
        ),
        "framework": lambda v: RunConfiguration(framework=v),
        "communicator": lambda v: RunConfiguration(communicator=v),
        "python_version": lambda v: CondaDependencies.create(python_version=v),
        "conda_packages": lambda v: CondaDependencies.create(conda_packages=[v]),
        "conda.yml": lambda v: Environment.from_conda_specification("e", f"conda.yml{v}"),
        "new_name": lambda v: experiment.reactivate(new_name=v),
        "outputs": lambda v: experiment.start_logging(outputs=v),
        "nonsense": lambda v: experiment.start_logging(nonsense=v),
        "whatever": lambda v: experiment.submit(ScriptRunConfig(tmp_path, "train.py"), whatever=v),
        "datastore_name": lambda v: run.upload_file("a", __file__, v),
        "return_artifacts": lambda v: run.upload_files(["a"], [__file__], return_artifacts=v),
        "timeout_seconds": lambda v: run.download_files(timeout_seconds=v),
        "subscription_id": lambda v: Workspace.get("w", subscription_id=v),
        "location": lambda v: Workspace.get("w", location=v),
        "resource_group": lambda v: Workspace(resource_group=v),
        "workspace_name": lambda v: Workspace(workspace_name=v),
        "auth": lambda v: Workspace.from_config(auth=v),
        "pip_indexurl": lambda v: CondaDependencies.create(v),
        "pin_sdk_version": lambda v: CondaDependencies.create(pin_sdk_version=v),
        "pip_version": lambda v: Environment.from_pip_requirements("e", "r.txt", v),
    }
    for name, call in calls.items():
        with pytest.raises(Unsupported, match=name):
            call("x")
    with pytest.raises(Unsupported, match=r"run\.id"):
        _ = run.number


def test_a_command_replaces_script_and_arguments(tmp_path: Path) -> None:
    config = ScriptRunConfig(
        tmp_path, command=["/usr/bin/torchrun", "train.py", 4], max_run_duration_seconds=60
    )
    spec = config.as_spec("0" * 64)
    assert spec.command == ("/usr/bin/torchrun", "train.py", "4")
    assert (spec.script, spec.arguments, spec.max_duration_seconds) == ("torchrun", (), 60)
    text = ScriptRunConfig(tmp_path, command="python a.py && python b.py").as_spec("0" * 64)
    assert text.command == ("sh", "-c", "python a.py && python b.py")
    for wrong in ({"script": "a.py"}, {"arguments": ["a"]}):
        with pytest.raises(ValueError, match="not both"):
            ScriptRunConfig(tmp_path, command="ls", **wrong)
    with pytest.raises(ValueError, match="empty"):
        ScriptRunConfig(tmp_path, command=" ")


def test_azures_way_to_name_packages(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    environment = Environment("training", environment_variables={"A": 1})
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["numpy>=2"])
    environment.python.conda_dependencies.add_pip_package("pandas")
    shared = RunConfiguration(script="train.py", arguments=["--lr", 0.1])
    shared.environment = environment
    shared.target = "gpu-pool"
    shared.environment_variables = {"B": 2}
    spec = ScriptRunConfig(tmp_path, run_config=shared).as_spec("0" * 64)
    assert spec.environment.requirements == ("numpy>=2", "pandas")
    assert spec.environment.variables == {"A": "1", "B": "2"}
    assert (spec.script, spec.arguments) == ("train.py", ("--lr", "0.1"))
    assert spec.compute_target == "gpu-pool"


def test_a_config_may_be_changed_by_its_run_config(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    shared = RunConfiguration()
    config = ScriptRunConfig(tmp_path, "train.py", run_config=shared)
    config.run_config.target = "gpu-pool"
    config.run_config.environment = Environment("e", requirements=["numpy"])
    config.run_config.environment_variables = {"A": 1}
    config.arguments = ["--lr", 0.1]
    spec = config.as_spec("0" * 64)
    assert (spec.compute_target, config.compute_target) == ("gpu-pool", "gpu-pool")
    assert (spec.environment.requirements, spec.environment.variables) == (("numpy",), {"A": "1"})
    assert spec.arguments == ("--lr", "0.1")
    assert (shared.target, shared.environment_variables) == (None, {})
    config.run_config.environment = "training"
    with pytest.raises(ValueError, match=r"runhistory\.Environment"):
        config.as_spec("0" * 64)
