"""A script is submitted, followed to its end, and its result is read."""

from pathlib import Path

# was: from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from runhistory import Environment, Experiment, ScriptRunConfig, Workspace

ws = Workspace.from_config()
experiment = Experiment(workspace=ws, name="ported-submit")

environment = Environment("training")
environment.environment_variables = {"GREETING": "hello"}

config = ScriptRunConfig(
    source_directory=str(Path(__file__).parent / "train"),
    script="train.py",
    arguments=["--regularization", 0.2, "--epochs", 4],
    compute_target="local",
    environment=environment,
)

run = experiment.submit(config, tags={"origin": "ported"})
run.wait_for_completion(show_output=True)

details = run.get_details()
print("status:", details["status"])
print("loss:", run.get_metrics()["loss"])
run.download_file("outputs/model.txt", output_file_path="model.txt")
print("model:", Path("model.txt").read_text().strip())
