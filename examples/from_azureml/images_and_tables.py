"""Everything beside plain numbers: rows, tables, images and the evaluations of a model."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from runhistory import Experiment, Workspace  # was: from azureml.core import Experiment, Workspace

ws = Workspace.from_config()
run = Experiment(ws, "ported-images").start_logging(snapshot_directory=None)

for angle in (0.0, 0.5, 1.0):
    run.log_row("cosine", angle=angle, cos=float(np.cos(angle)))
run.log_table("summary", {"fold": [1, 2, 3], "accuracy": [0.91, 0.93, 0.92]})
run.log("optimizer", "adam")

plt.plot([1, 2, 3], [0.9, 0.5, 0.3])
run.log_image("loss curve", plot=plt)
plt.savefig("curve.png")
run.log_image("from a file", path="curve.png")

run.log_confusion_matrix(
    "confusion",
    {
        "schema_type": "confusion_matrix",
        "schema_version": "1.0.0",
        "data": {"class_labels": ["cat", "dog"], "matrix": [[8, 2], [1, 9]]},
    },
)
run.log_accuracy_table(
    "accuracy",
    {
        "schema_type": "accuracy_table",
        "schema_version": "1.0.1",
        "data": {
            "probability_tables": [[[10, 0, 0, 10], [8, 10, 0, 2]]],
            "percentile_tables": [[[10, 0, 0, 10], [8, 10, 0, 2]]],
            "probability_thresholds": [0.0, 1.0],
            "percentile_thresholds": [0.0, 1.0],
            "class_labels": ["cat"],
        },
    },
)
run.log_residuals(
    "residuals",
    {
        "schema_type": "residuals",
        "schema_version": "1.0.0",
        "data": {"bin_edges": [-1.0, 0.0, 1.0], "bin_counts": [3, 4]},
    },
)
run.log_predictions(
    "predictions",
    {
        "schema_type": "predictions",
        "schema_version": "1.0.0",
        "data": {
            "bin_averages": [0.25, 0.75],
            "bin_errors": [0.01, 0.02],
            "bin_counts": [7, 8],
            "bin_edges": [0.0, 0.5, 1.0],
        },
    },
)
run.complete()

metrics = run.get_metrics()
print("cosine:", metrics["cosine"]["angle"])
print("summary:", metrics["summary"]["accuracy"])
print("optimizer:", metrics["optimizer"])
print("names:", sorted(metrics))
print("images:", sum(name.endswith(".png") for name in run.get_file_names()))
