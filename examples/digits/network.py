"""A fully connected network with ReLU and softmax, trained by momentum, in numpy."""

from itertools import pairwise

import numpy as np

MOMENTUM = 0.9


class Network:
    """`sizes` are the layers' widths, the input and the number of classes included."""

    def __init__(self, sizes: list[int], rng: np.random.Generator) -> None:
        self.weights = [
            rng.normal(0.0, np.sqrt(2.0 / inputs), (inputs, outputs))
            for inputs, outputs in pairwise(sizes)
        ]
        self.weights[-1] *= 0.1  # begin undecided: the first loss is near ln(classes)
        self.biases = [np.zeros(outputs) for outputs in sizes[1:]]
        self._speeds = [np.zeros_like(w) for w in (*self.weights, *self.biases)]

    def learn(self, x: np.ndarray, labels: np.ndarray, rate: float) -> float:
        """One step downhill on a batch; returns the batch's loss before it."""
        activations = self._forward(x)
        probabilities = activations.pop()
        rows = np.arange(len(labels))
        loss = float(-np.mean(np.log(probabilities[rows, labels] + 1e-12)))

        slope = probabilities.copy()
        slope[rows, labels] -= 1.0
        slope /= len(labels)
        weight_slopes: list[np.ndarray] = []
        bias_slopes: list[np.ndarray] = []
        for weight, activation in zip(self.weights[::-1], activations[::-1], strict=True):
            weight_slopes.append(activation.T @ slope)
            bias_slopes.append(slope.sum(axis=0))
            slope = (slope @ weight.T) * (activation > 0)
        slopes = weight_slopes[::-1] + bias_slopes[::-1]
        for parameter, speed, change in zip(
            (*self.weights, *self.biases), self._speeds, slopes, strict=True
        ):
            speed *= MOMENTUM
            speed -= rate * change
            parameter += speed
        return loss

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The most likely class of each row."""
        return self._forward(x)[-1].argmax(axis=1)

    def loss(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Mean cross-entropy."""
        probabilities = self._forward(x)[-1]
        return float(-np.mean(np.log(probabilities[np.arange(len(labels)), labels] + 1e-12)))

    def parameters(self) -> dict[str, np.ndarray]:
        """Everything that was learned, by name."""
        named = {f"weight_{i}": w for i, w in enumerate(self.weights)}
        return named | {f"bias_{i}": b for i, b in enumerate(self.biases)}

    def _forward(self, x: np.ndarray) -> list[np.ndarray]:
        """The input of each layer, and the probabilities at the end."""
        activations = [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            activations.append(np.maximum(activations[-1] @ weight + bias, 0.0))
        scores = activations[-1] @ self.weights[-1] + self.biases[-1]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        activations.append(scores / scores.sum(axis=1, keepdims=True))
        return activations
