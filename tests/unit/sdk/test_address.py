"""Where `Workspace.from_config()` finds the gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from runhistory import Experiment, Run, Workspace
from runhistory.domain.ids import new_run_id
from runhistory.sdk.address import Address
from runhistory.sdk.errors import InvalidConfig


def write_config(folder: Path, content: Any) -> Path:
    (folder / ".runhistory").mkdir()
    path = folder / ".runhistory" / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def seen(workspace: Workspace) -> tuple[str, str, str | None]:
    address = workspace.connection.address
    return address.url, address.workspace, address.token


def test_without_anything_it_is_the_default() -> None:
    assert seen(Workspace.from_config()) == ("http://127.0.0.1:8780", "default", None)


def test_the_environment_is_asked_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNHISTORY_URL", "https://runs.example.org/")
    monkeypatch.setenv("RUNHISTORY_WORKSPACE", "team")
    monkeypatch.setenv("RUNHISTORY_TOKEN", "secret")
    assert seen(Workspace.from_config()) == ("https://runs.example.org", "team", "secret")


def test_a_file_upwards_is_asked_before_the_environment(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(nowhere, {"url": "http://127.0.0.1:9000", "workspace": "file"})
    deep = nowhere / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    monkeypatch.setenv("RUNHISTORY_URL", "http://elsewhere:1")
    workspace = Workspace.from_config()
    assert seen(workspace) == ("http://127.0.0.1:9000", "file", None)
    assert workspace.connection.address.origin == str(path)


def test_a_path_names_the_file_or_where_to_begin(nowhere: Path) -> None:
    path = write_config(nowhere, {"url": "http://h:1", "token": "t", "more": [1]})
    (nowhere / "sub").mkdir()
    assert seen(Workspace.from_config(path)) == ("http://h:1", "default", "t")
    assert seen(Workspace.from_config(nowhere / "sub")) == ("http://h:1", "default", "t")
    with pytest.raises(InvalidConfig, match="does not exist"):
        Workspace.from_config(nowhere / "missing.json")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '"text"', '{"url": 1}', '{"url": "x", "token": 2}', '{"url": "ftp://h"}'],
)
def test_a_file_that_is_wrong_is_named(nowhere: Path, content: str) -> None:
    path = write_config(nowhere, content)
    with pytest.raises(InvalidConfig, match=str(path)):
        Workspace.from_config()


@pytest.mark.parametrize("name", ["a b", "../x", "é", "x" * 64, "-x", "a\n"])
def test_a_workspace_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(InvalidConfig, match="workspace"):
        Workspace(url="http://h:1", name=name)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.8.8.8", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://127.example.org", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert Address(url=url).is_loopback is loopback


def test_arguments_of_a_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNHISTORY_WORKSPACE", "env")
    assert seen(Workspace("http://h:1/", "mine", "t")) == ("http://h:1", "mine", "t")
    assert seen(Workspace())[1] == "env"
    assert seen(Workspace("http://h:1"))[1] == "default"


def test_runs_and_experiments_know_their_pages_in_the_studio() -> None:
    experiment = Experiment(Workspace("https://runs.example.org/", "team"), "a/b & c")
    run_id = new_run_id()
    pages = "https://runs.example.org/w/team"
    assert Run(experiment, run_id).get_portal_url() == f"{pages}/runs/{run_id}"
    assert experiment.get_portal_url() == f"{pages}/runs?experiment=a%2Fb+%26+c"
