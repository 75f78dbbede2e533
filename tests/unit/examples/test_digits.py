"""The example's network really learns: its slopes are those of its loss."""

import sys
from pathlib import Path

import numpy as np
import pytest

DIGITS = Path(__file__).parents[3] / "examples" / "digits"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(DIGITS))
    yield __import__("network").Network([6, 5, 4, 3], np.random.default_rng(1))
    sys.modules.pop("network")


def test_a_step_goes_down_the_slope(network) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(8, 6)), rng.integers(0, 3, size=8)
    network.weights[-1] *= 10  # begin decided, so that every slope counts
    for bias in network.biases:  # away from zero, where ReLU has its corner
        bias += rng.normal(size=bias.shape)
    before = {name: value.copy() for name, value in network.parameters().items()}

    def loss_with(name: str, place: tuple[int, ...], change: float) -> float:
        parameter = network.parameters()[name]
        parameter[place] = before[name][place] + change
        loss = float(network.loss(x, labels))
        parameter[place] = before[name][place]
        return loss

    numeric = {
        name: np.array(
            [
                (loss_with(name, place, 1e-6) - loss_with(name, place, -1e-6)) / 2e-6
                for place in np.ndindex(value.shape)
            ]
        ).reshape(value.shape)
        for name, value in before.items()
    }
    network.learn(x, labels, 0.5)
    for name, value in network.parameters().items():
        np.testing.assert_allclose((before[name] - value) / 0.5, numeric[name], atol=1e-6)


def test_it_learns_what_can_be_learned(network) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 6))
    labels = x[:, :3].argmax(axis=1)
    for _ in range(300):
        network.learn(x, labels, 0.1)
    assert np.mean(network.predict(x) == labels) > 0.95
