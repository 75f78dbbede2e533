"""What was logged comes back equal, in Azure ML's shapes: through Kafka, ClickHouse and files."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from runhistory import AsyncWorkspace, Experiment, Run, ScriptRunConfig, Workspace
from runhistory.sdk.errors import Conflict, Gone, NotFound
from tests.support.record_strategies import CELLS, TABLES, TEXTS
from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure

FEW = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink on a stack takes minutes
)
VALUES = st.none() | st.floats() | TEXTS | st.sampled_from(["NaN", "null", "{}", '{"float":"NaN"}'])


@pytest.fixture(scope="module")
def experiment(stack: RunningStack) -> Experiment:
    return Experiment(Workspace(stack.url), f"records-{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def run(experiment: Experiment) -> Run:
    """One run for all that only needs a name of its own."""
    return experiment.start_logging()


def fresh() -> str:
    return f"m/{uuid.uuid4().hex}"


@FEW
@given(values=st.lists(VALUES, min_size=1, max_size=8))
def test_numbers_texts_and_none_come_back_in_the_order_of_logging(
    run: Run, values: list[Any]
) -> None:
    name = fresh()
    for value in values:
        run.log(name, value)
    found = run.get_metrics(name)[name]
    assert repr(found) == repr(values[0] if len(values) == 1 else values)


@FEW
@given(columns=TABLES)
def test_a_table_comes_back_as_it_was(run: Run, columns: dict[str, Any]) -> None:
    name = fresh()
    run.log_table(name, columns)
    found = run.get_metrics(name)[name]
    assert found.keys() == columns.keys()
    assert {column: repr(found[column]) for column in found} == {
        column: repr(cells) for column, cells in columns.items()
    }


@FEW
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_rows_come_back_as_columns(run: Run, rows: list[tuple[Any, Any]]) -> None:
    name = fresh()
    for a, b in rows:
        run.log_row(name, a=a, b=b)
    found = run.get_metrics(name)[name]
    due = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    if len(rows) == 1:
        due = {"a": rows[0][0], "b": rows[0][1]}
    assert repr(found["a"]) == repr(due["a"])
    assert repr(found["b"]) == repr(due["b"])


def test_large_tables_images_and_charts_lie_in_files(run: Run, tmp_path: Path) -> None:
    name = fresh()
    large = {"step": list(range(20_000)), "loss": [1 / (i + 1) for i in range(20_000)]}
    run.log_table(f"{name}/large", large)
    pixels = np.arange(48, dtype="uint8").reshape(4, 4, 3)
    run.log_image(f"{name}/image", array=pixels)
    chart = {
        "schema_type": "residuals",
        "schema_version": "v1",
        "data": {"bin_edges": [0.0, 0.5, 1.0], "bin_counts": [3, float("nan")]},
    }
    run.log_residuals(f"{name}/residuals", chart)
    found = run.get_metrics()
    assert found[f"{name}/large"] == large
    image = found[f"{name}/image"]
    assert {image, found[f"{name}/residuals"]} <= set(run.get_file_names())
    run.download_file(image, tmp_path / "image.png")
    content = run.get_metrics(f"{name}/image", populate=True)[f"{name}/image"]
    assert (tmp_path / "image.png").read_bytes() == content
    residuals = run.get_metrics(f"{name}/residuals", populate=True)[f"{name}/residuals"]
    assert repr(residuals) == repr(chart)
    kinds = run.experiment.workspace.sql(
        f"SELECT kind FROM records WHERE run_id = '{run.id}' AND startsWith(key, '{name}') "
        "ORDER BY kind"
    )
    assert [kind for (kind,) in kinds] == ["image", "residuals", "table"]


def test_many_records_are_read_page_by_page(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runhistory.sdk.run_client.RECORDS_A_PAGE", 7)
    name = fresh()
    for number in range(30):
        run.log(name, f"text {number}")
    assert run.get_metrics(name)[name] == [f"text {number}" for number in range(30)]


def test_a_process_that_just_ends_loses_no_record(stack: RunningStack, run: Run) -> None:
    name = fresh()
    code = f"run.log({name!r}, 'last words'); run.log_row({name!r} + '/row', a=1)"
    script = f"from runhistory import Run\nrun = Run.get_context()\n{code}"
    environment = {
        "PATH": os.environ["PATH"],
        "RUNHISTORY_URL": stack.url,
        "RUNHISTORY_RUN_ID": run.id,
        "RUNHISTORY_ATTEMPT": "1",
        "RUNHISTORY_EXPERIMENT": run.experiment.name,
    }
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)
    deadline = 50
    while name not in (found := run.get_metrics()) and (deadline := deadline - 1):
        pass  # each read is asked of the gateway; another process's writes carry no watermark
    assert (found[name], found[f"{name}/row"]) == ("last words", {"a": 1})


def test_a_family_of_runs(experiment: Experiment) -> None:
    with experiment.start_logging(display_name="parent") as parent:
        with parent.child_run("first") as child:
            child.log("score", 1)
            grandchild = child.child_run("deep")
            grandchild.log("score", "best")
            grandchild.complete()
        folds = parent.create_children(tag_key="fold", tag_values=["a", "b"])
        for fold in folds:
            fold.complete()
        children = {one.display_name for one in parent.get_children()}
        assert children == {"first", *(fold.display_name for fold in folds)}
        assert len(list(parent.get_children(recursive=True))) == 4
        assert [one.id for one in parent.get_children(tags={"fold": "b"})] == [folds[1].id]
        assert parent.get_metrics(recursive=True)[grandchild.id] == {"score": "best"}
        assert grandchild.parent is not None
        assert grandchild.parent.id == child.id
    assert parent.id in [one.id for one in experiment.get_runs()]
    assert child.id not in [one.id for one in experiment.get_runs()]
    assert child.id in [one.id for one in experiment.get_runs(include_children=True)]


def test_what_is_said_about_a_run(experiment: Experiment, tmp_path: Path) -> None:
    run = experiment.start_logging(tags={"a": 1, "b": 2})
    run.remove_tags(["a", "missing"])
    run.display_name, run.description = "renamed", "what it is for"
    run.log_params({"lr": 0.1})
    run.log_params({"lr": 0.1})
    with pytest.raises(Conflict):
        run.log_params({"lr": 0.2})
    again = Run.get(experiment.workspace, run.id)
    assert (again.display_name, again.description) == ("renamed", "what it is for")
    assert (again.get_tags(), again.params) == ({"b": "2"}, {"lr": "0.1"})
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("pass")
    snapshot_id = run.take_snapshot(tmp_path / "code")
    assert run.get_snapshot_id() == snapshot_id
    with pytest.raises(Conflict):
        run.take_snapshot(tmp_path / "code")
    run.upload_folder("outputs/code", tmp_path / "code")
    run.upload_files(["outputs/a.py"], [tmp_path / "code" / "train.py"])
    run.download_files("outputs/", tmp_path / "kept", append_prefix=False)
    assert (tmp_path / "kept" / "code" / "train.py").read_text() == "pass"
    assert (tmp_path / "kept" / "a.py").exists()
    with pytest.raises(NotFound):
        run.download_files("missing/", tmp_path)
    run.complete()
    assert "user_logs/std_log.txt" in run.get_details_with_logs()["logFiles"]
    run.archive()
    assert run.id not in [one.id for one in experiment.get_runs()]
    run.reactivate()
    assert run.id in [one.id for one in experiment.workspace.runs(tags="b")]
    run.delete()
    with pytest.raises((Gone, NotFound)):
        run.get_details()


def test_what_is_said_about_an_experiment(stack: RunningStack) -> None:
    workspace = Workspace(stack.url)
    experiment = Experiment(workspace, f"e/{uuid.uuid4().hex[:8]}")
    run = experiment.start_logging()
    run.complete()
    experiment.tag("team", "a")
    experiment.set_tags({"stage": 1})
    experiment.remove_tags("team")
    experiment.description = "what it is for"
    assert (experiment.tags, experiment.description) == ({"stage": "1"}, "what it is for")
    assert experiment.name in workspace.experiments
    assert [e.name for e in Experiment.list(workspace, experiment.name, tags={"stage": "1"})]
    experiment.archive()
    assert experiment.name not in workspace.experiments
    found = Experiment.list(workspace, experiment.name, view_type="ArchivedOnly")
    assert [one.archived for one in found] == [True]
    experiment.reactivate()
    assert not experiment.archived
    with pytest.raises(Conflict):
        Experiment.delete(workspace, experiment.id)
    run.delete()
    Experiment.delete(workspace, experiment.id)
    assert experiment.name not in workspace.experiments
    with pytest.raises(NotFound):
        Experiment.delete(workspace, "missing")


def test_a_command_and_a_child_that_compute_runs(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "from runhistory import Run\n"
        "run = Run.get_context()\n"
        "run.log('parent', run.parent.id)\n"
        "run.log_row('row', a=1)\n"
    )
    parent = experiment.start_logging()
    config = ScriptRunConfig(
        tmp_path, command="python train.py && echo done", max_run_duration_seconds=100
    )
    child = parent.submit_child(config, tags={"kind": "command"})
    details = child.wait_for_completion()
    assert details["status"] == "Completed"
    assert (details["runId"], details["target"]) == (child.id, "local")
    assert details == child.get_details()
    assert details["startTimeUtc"] < details["endTimeUtc"]
    assert child.get_metrics() == {"parent": parent.id, "row": {"a": 1}}
    assert "done" in child.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
    parent.complete()


async def test_an_event_loop_reads_the_same(stack: RunningStack, experiment: Experiment) -> None:
    run = experiment.start_logging()
    run.log("mixed", 1.5)
    run.log("mixed", "two")
    run.log_row("row", a=1)
    run.log_table("large", {"step": list(range(20_000)), "loss": [0.5] * 20_000})
    run.log_image("image", array=np.zeros((2, 2), dtype="uint8"))
    run.complete()
    due, contents = run.get_metrics(), run.get_metrics(populate=True)
    async with AsyncWorkspace(stack.url) as workspace:
        assert await workspace.metrics(run.id) == due
        assert await workspace.metrics(run.id, populate=True) == contents
        assert await workspace.metrics(run.id, "row") == {"row": {"a": 1}}
        assert await workspace.metrics(run.id, "nobody's") == {}
        names = [file["name"] for file in await workspace.files(run.id)]
        assert sorted(names) == run.get_file_names()
        assert await workspace.file(run.id, due["image"]) == contents["image"]
        assert [line async for line in workspace.lines(run.id)] == []
        with pytest.raises(NotFound):
            await workspace.file(run.id, "nobody's")
