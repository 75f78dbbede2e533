"""What `submit_script.py` and `sweep.py` submit."""

import argparse
from pathlib import Path

from runhistory import Run  # was: from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--regularization", type=float, default=0.1)
parser.add_argument("--epochs", type=int, default=5)
arguments = parser.parse_args()

run = Run.get_context()
loss = 1.0
for epoch in range(arguments.epochs):
    loss = loss * 0.5 + arguments.regularization * 0.01
    run.log("loss", loss)
    print(f"epoch={epoch}: loss {loss:.4f}")
run.log("final_loss", loss)

Path("outputs").mkdir(exist_ok=True)
Path("outputs/model.txt").write_text(f"{loss}\n")
