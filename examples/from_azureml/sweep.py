"""A sweep: one parent run, its children logged here or submitted, the best of them found."""

from pathlib import Path

# was: from azureml.core import Experiment, ScriptRunConfig, Workspace
from runhistory import Experiment, ScriptRunConfig, Workspace

ws = Workspace.from_config()
experiment = Experiment(ws, "ported-sweep")
parent = experiment.start_logging(snapshot_directory=None)

# Children whose work is done in this process.
for rate in (0.1, 0.3, 0.9):
    with parent.child_run(name=f"rate-{rate}") as child:
        child.tag("rate", rate)
        child.log("score", 1 - abs(rate - 0.3))

# Several at once, told apart by a tag.
for child in parent.create_children(tag_key="fold", tag_values=["a", "b"]):
    child.log("score", 0.5)
    child.complete()

# One that compute runs.
config = ScriptRunConfig(
    source_directory=str(Path(__file__).parent / "train"),
    script="train.py",
    arguments=["--epochs", 2],
)
submitted = parent.submit_child(config)
submitted.wait_for_completion()
parent.complete()

children = list(parent.get_children())
scores = {child.id: child.get_metrics().get("score") for child in children}
best = max((one for one in children if scores[one.id] is not None), key=lambda c: scores[c.id])
print("children:", len(children))
print(
    "folds:", sorted(c.get_tags()["fold"] for c in parent.get_children() if "fold" in c.get_tags())
)
print("best:", best.display_name, scores[best.id])
print("submitted child:", submitted.get_status(), "of", submitted.parent.id == parent.id)
