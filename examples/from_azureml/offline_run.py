"""The same logging code where there is no service: it prints, and nothing is kept."""

from runhistory import Run  # was: from azureml.core import Run

run = Run.get_context()
print("offline:", run.id.startswith("OfflineRun"))
for step in range(3):
    run.log("loss", 1 / (step + 1))
run.log_row("row", a=1, b="two")
run.tag("kind", "trial")
run.complete()

try:
    Run.get_context(allow_offline=False)
except Exception as error:
    print("refused:", type(error).__name__)
