"""Train a small neural network on scikit-learn's handwritten digits, in plain numpy.

Runs by itself (`python train.py`): the run is offline then, and what it logs is printed.
Submitted, the same calls end up in the run's history:

    runhistory submit examples/digits --script train.py --follow -- --learning-rate 0.02
"""

import argparse
import json
from pathlib import Path

import numpy as np
from network import Network
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from runhistory import Run

REPORT_EVERY = 100  # batches


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=192, help="units in each of two layers")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The 8x8 images, each moved by at most one pixel: what the network sees never repeats."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    moves = rng.integers(0, 3, size=(len(images), 2))
    moved = [padded[i, y : y + 8, x : x + 8] for i, (y, x) in enumerate(moves)]
    return np.asarray(moved).reshape(len(images), 64)


def main() -> None:
    arguments = parse_arguments()
    run = Run.get_context()
    run.tag("framework", "numpy")

    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images / 16.0, labels, test_size=0.25, random_state=arguments.seed, stratify=labels
    )
    rng = np.random.default_rng(arguments.seed)
    network = Network([64, arguments.hidden, arguments.hidden, 10], rng)

    step, accuracy = 0, 0.0
    for epoch in range(1, arguments.epochs + 1):
        # Half a cosine: large steps first, small ones to settle.
        rate = arguments.learning_rate * 0.5 * (1 + np.cos(np.pi * (epoch - 1) / arguments.epochs))
        seen, order = shifted(train_x, rng), rng.permutation(len(train_x))
        losses: list[float] = []
        batches = np.array_split(order, len(order) // arguments.batch_size)
        for batch, chosen in enumerate(batches, start=1):
            losses.append(network.learn(seen[chosen], train_y[chosen], rate))
            step += 1
            if batch % REPORT_EVERY == 0:
                loss = float(np.mean(losses[-REPORT_EVERY:]))
                run.log("loss", loss, step=step)
                print(f"epoch={epoch}, batch={batch}: loss {loss:.2f}")
        accuracy = float(np.mean(network.predict(test_x) == test_y))
        run.log("val/accuracy", accuracy, step=step)
        run.log("learning_rate", rate, step=step)
        print(f"epoch={epoch}: accuracy {accuracy:.3f} on {len(test_y)} digits never seen")

    outputs = Path("outputs")
    outputs.mkdir(exist_ok=True)
    np.savez(outputs / "model.npz", **network.parameters())
    report = {"accuracy": accuracy, "loss": network.loss(test_x, test_y), **vars(arguments)}
    (outputs / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"saved outputs/model.npz and outputs/report.json (accuracy {accuracy:.3f})")


if __name__ == "__main__":
    main()
