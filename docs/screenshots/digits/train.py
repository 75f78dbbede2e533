"""Train a small network on handwritten digits, and keep what it sees."""

import argparse
import json
import math
import time
from pathlib import Path

from network import Network
from PIL import Image

from runhistory import Run

BATCHES = 40


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning-rate", type=float, default=0.03)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--hidden", type=int, default=256)
    options = parser.parse_args()

    run, network = Run.get_context(), Network(options.hidden, seed=7)
    loss = math.inf
    for epoch in range(options.epochs):
        for step in range(epoch * BATCHES, (epoch + 1) * BATCHES):
            rate = options.learning_rate * 0.5 * (1 + math.cos(step / 180))
            loss = network.learn(step, rate)
            run.log("train/loss", loss, step=step)
            run.log("train/gradient_norm", network.gradient_norm, step=step)
            run.log("learning_rate", rate, step=step)
            if step % 10 == 0:
                print(f"step {step:3}  loss {loss:.4f}  gradient {network.gradient_norm:.2f}")
            time.sleep(0.01)
        accuracy = network.accuracy()
        run.log("val/accuracy", accuracy, step=(epoch + 1) * BATCHES)
        print(f"\x1b[1mepoch {epoch + 1:2}\x1b[0m  loss {loss:.4f}  \x1b[32m{accuracy:.1%}\x1b[0m")
        if epoch == 4:
            print("\x1b[33mwarning: 3 of 1,347 digits are blank; they are left out\x1b[0m")

    kept = Path("kept")
    kept.mkdir()
    Image.fromarray(network.picture()).save(kept / "first_layer.png")
    report = {"loss": loss, "accuracy": network.accuracy(), **vars(options)}
    (kept / "report.json").write_text(json.dumps(report, indent=2))
    (kept / "notes.md").write_text("# Digits\n\nThe *wide* network learns best at `0.03`.\n")
    run.upload_folder("outputs", kept)
    print("saved the first layer; evaluating on 450 digits never seen", flush=True)
    time.sleep(240)


if __name__ == "__main__":
    main()
