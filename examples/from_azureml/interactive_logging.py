"""A model is fitted in this very process, as in a notebook, and logged as it goes."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from runhistory import Experiment, Workspace  # was: from azureml.core import Experiment, Workspace

ws = Workspace.from_config()
experiment = Experiment(workspace=ws, name="ported-interactive")

rng = np.random.default_rng(7)
x = rng.normal(size=(200, 3))
y = x @ np.array([1.0, -2.0, 0.5]) + rng.normal(scale=0.1, size=200)

run = experiment.start_logging(snapshot_directory=None)
run.tag("model", "linear")
run.add_properties({"author": "port"})
run.log("learning_rate", 0.1)

weights = np.zeros(3)
for _epoch in range(30):
    error = x @ weights - y
    weights -= 0.1 * x.T @ error / len(y)
    run.log("mse", float(np.mean(error**2)))
run.log_list("weights", weights.tolist())

with TemporaryDirectory() as folder:
    model = Path(folder, "model.txt")
    model.write_text("\n".join(map(str, weights)))
    run.upload_file(name="outputs/model.txt", path_or_stream=str(model))

run.complete()

metrics = run.get_metrics()
print("status:", run.get_status())
print("points of mse:", len(metrics["mse"]), "last:", round(metrics["mse"][-1], 4))
print("files:", run.get_file_names())
