"""Old runs, found and read: what a notebook does weeks after `interactive_logging.py`."""

import sys
from pathlib import Path

from runhistory import Experiment, Run, Workspace  # was: from azureml.core import …

ws = Workspace.from_config()

print("experiments:", "ported-interactive" in ws.experiments)
for experiment in Experiment.list(ws):
    print(" -", experiment.name)

experiment = ws.experiments["ported-interactive"]
runs = list(experiment.get_runs(tags={"model": "linear"}, status="Completed"))
if not runs:
    sys.exit("Run interactive_logging.py first.")

newest = runs[0]
metrics = newest.get_metrics(name="mse")
print("mse fell:", metrics["mse"][0] > metrics["mse"][-1])

again = Run.get(ws, newest.id)
print("properties:", again.get_properties()["author"])
print("tags:", again.get_tags())
print("statuses:", again.get_details()["status"], again.get_status())

again.download_files(prefix="outputs/", output_directory="kept")
print("weights:", len(Path("kept/outputs/model.txt").read_text().split()))
print("logs:", all(Path(path).exists() for path in again.get_all_logs(destination="logs")))
