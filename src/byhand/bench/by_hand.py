"""Four training steps in plain NumPy, as one would write them on paper and then in place: the baselines to beat.

`networks` pairs each with the same network in byhand and PyTorch; a test holds all three to the same losses. Written
to be read: each class is one network, its `step` is forward, backward and update, and nothing here knows a library
other than NumPy.

Weights are stored (inputs, outputs), so that a layer is `x @ W + b` and its gradient `x.T @ d`: both products then
read their large operand along its rows, which is a quarter faster on the small batches here than the (outputs, inputs)
layout. The constructors take PyTorch's layout, (outputs, inputs), and copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


def softmax_cross_entropy(scores: Floats, labels: Labels) -> tuple[Any, Floats]:
    """Mean of -log softmax(scores)[label] and its gradient `(softmax(scores) - onehot) / N`; overwrites `scores`."""
    rows = np.arange(len(labels))
    scores -= scores.max(axis=1, keepdims=True)
    correct = scores[rows, labels]
    np.exp(scores, out=scores)
    total = scores.sum(axis=1, keepdims=True)
    loss = np.log(total).mean() - correct.mean()
    scores /= total
    scores[rows, labels] -= 1
    scores /= len(labels)
    return loss, scores


def _parameters(weights: Sequence[Floats]) -> list[Floats]:
    """Copies of PyTorch's (outputs, inputs) matrices as (inputs, outputs), and of the biases as they are."""
    return [np.array(w.T, order="C") for w in weights]


class TwoLayerReLU:
    """D-H-C with ReLU, softmax cross-entropy and SGD: `W -= lr * (dW + decay * W)`, as the courses' two-layer net."""

    def __init__(self, weights: Sequence[Floats], lr: float, decay: float = 0.0) -> None:
        self.W1, self.b1, self.W2, self.b2 = _parameters(weights)
        self.lr, self.decay = lr, decay

    def step(self, x: Floats, labels: Labels) -> Any:
        """One step on x (N, D) and labels (N,): returns the loss before the update."""
        h = x @ self.W1
        h += self.b1
        np.maximum(h, 0, out=h)
        scores = h @ self.W2
        scores += self.b2
        loss, d_scores = softmax_cross_entropy(scores, labels)

        d_W2 = h.T @ d_scores
        d_b2 = d_scores.sum(axis=0)
        d_h = d_scores @ self.W2.T
        d_h *= h > 0
        d_W1 = x.T @ d_h
        d_b1 = d_h.sum(axis=0)

        parameters = (self.W1, self.b1, self.W2, self.b2)
        for p, d in zip(parameters, (d_W1, d_b1, d_W2, d_b2), strict=True):
            if self.decay:
                p *= 1 - self.lr * self.decay
            d *= self.lr
            p -= d
        return loss


class TwoLayerTanh:
    """D-H-C with tanh, softmax cross-entropy and SGD: the courses' net for the planar flower."""

    def __init__(self, weights: Sequence[Floats], lr: float) -> None:
        self.W1, self.b1, self.W2, self.b2 = _parameters(weights)
        self.lr = lr

    def step(self, x: Floats, labels: Labels) -> Any:
        """One step on x (N, D) and labels (N,): returns the loss before the update."""
        h = x @ self.W1
        h += self.b1
        np.tanh(h, out=h)
        scores = h @ self.W2
        scores += self.b2
        loss, d_scores = softmax_cross_entropy(scores, labels)

        d_W2 = h.T @ d_scores
        d_b2 = d_scores.sum(axis=0)
        d_h = d_scores @ self.W2.T
        h *= h  # tanh' = 1 - tanh²; d_W2 was the last to need h itself
        np.subtract(1, h, out=h)
        d_h *= h
        d_W1 = x.T @ d_h
        d_b1 = d_h.sum(axis=0)

        parameters = (self.W1, self.b1, self.W2, self.b2)
        for p, d in zip(parameters, (d_W1, d_b1, d_W2, d_b2), strict=True):
            d *= self.lr
            p -= d
        return loss


class ThreeLayerReLUAdam:
    """D-H1-H2-C with ReLU, softmax cross-entropy and Adam (Kingma & Ba, 2015)."""

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, weights: Sequence[Floats], lr: float) -> None:
        self.W1, self.b1, self.W2, self.b2, self.W3, self.b3 = self.parameters = _parameters(weights)
        self.m = [np.zeros_like(p) for p in self.parameters]
        self.v = [np.zeros_like(p) for p in self.parameters]
        self.lr, self.t = lr, 0

    def step(self, x: Floats, labels: Labels) -> Any:
        """One step on x (N, D) and labels (N,): returns the loss before the update."""
        h1 = x @ self.W1
        h1 += self.b1
        np.maximum(h1, 0, out=h1)
        h2 = h1 @ self.W2
        h2 += self.b2
        np.maximum(h2, 0, out=h2)
        scores = h2 @ self.W3
        scores += self.b3
        loss, d_scores = softmax_cross_entropy(scores, labels)

        d_W3 = h2.T @ d_scores
        d_b3 = d_scores.sum(axis=0)
        d_h2 = d_scores @ self.W3.T
        d_h2 *= h2 > 0
        d_W2 = h1.T @ d_h2
        d_b2 = d_h2.sum(axis=0)
        d_h1 = d_h2 @ self.W2.T
        d_h1 *= h1 > 0
        d_W1 = x.T @ d_h1
        d_b1 = d_h1.sum(axis=0)

        self.update((d_W1, d_b1, d_W2, d_b2, d_W3, d_b3))
        return loss

    def update(self, gradients: Sequence[Floats]) -> None:
        """`p -= lr * m̂ / (sqrt(v̂) + eps)`, m and v the running means of g and g². The gradients are used up.

        The corrections m̂ = m / (1 - beta1^t) and v̂ = v / (1 - beta2^t) are moved into the two numbers `rate` and `eps`.
        """
        self.t += 1
        root = (1 - self.beta2**self.t) ** 0.5
        rate, eps = self.lr * root / (1 - self.beta1**self.t), self.eps * root
        for p, d, m, v in zip(self.parameters, gradients, self.m, self.v, strict=True):
            m *= self.beta1
            m += (1 - self.beta1) * d
            v *= self.beta2
            d *= d
            d *= 1 - self.beta2
            v += d
            np.sqrt(v, out=d)
            d += eps
            np.divide(m, d, out=d)
            d *= rate
            p -= d
