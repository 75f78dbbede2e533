"""docs/sdk.md names every public name of the SDK, and docs/from-azureml.md only what is true."""

import re
from pathlib import Path

import pytest

import runhistory
from runhistory.sdk import azure_names

DOCS = Path(__file__).parents[3] / "docs"
SDK = (DOCS / "sdk.md").read_text("utf-8")
PORTING = (DOCS / "from-azureml.md").read_text("utf-8")
CLASSES = ("Workspace", "Experiment", "Run", "AsyncWorkspace", "ScriptRunConfig", "Environment")
INNER = {  # for this package and the command line
    "at", "connection", "begin_run", "begin_attempt", "create_run", "as_spec", "as_value",
    "get_submitted_run", "is_over_here", "workspace_object", "from_conda_specification",
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_the_page_names_every_method_and_property(name: str) -> None:
    owner = getattr(runhistory, name)
    public = {one for one in dir(owner) if not one.startswith("_")} - INNER
    assert {one for one in public if not re.search(rf"`[^`]*\b{one}\b[^`]*`", SDK)} == set()


def test_every_name_of_the_package_is_on_the_page() -> None:
    assert [name for name in runhistory.__all__ if not re.search(rf"\b{name}\b", SDK)] == []


def test_what_the_page_calls_refused_is_refused() -> None:
    table = PORTING.partition("What is refused")[2].partition("What there is beyond")[0]
    names = {
        *azure_names.RUN, *azure_names.WORKSPACE, *azure_names.MODULE, *azure_names.ENVIRONMENT,
        *azure_names.RUN_CONFIGURATION, *azure_names.PYTHON_SECTION, "from_conda_specification",
        "distributed_job_config", "resume_from", "docker_runtime_config", "datastore_name",
        "python_version=", "auth",
    }  # fmt: skip
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    said = {name.rpartition(".")[2] for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert len(said) > 20
    assert said - names == set()
