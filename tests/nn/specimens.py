from __future__ import annotations

import numpy as np

import byhand
from byhand.nn.container import Sequential
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter


class Affine(Module):
    """The smallest layer that has all there is: two parameters, a description, an expectation."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.weight = Parameter(byhand.randn(outputs, inputs))
        if bias:
            self.bias = Parameter(byhand.zeros(outputs))
        else:
            self.register_parameter("bias", None)

    def forward(self, x):
        out = x @ self.weight.T
        return out if self.bias is None else out + self.bias

    def extra_repr(self):
        return f"{self.inputs}, {self.outputs}"

    def describe(self):
        return f"Affine({self.inputs} → {self.outputs})"


class Net(Module):
    def __init__(self):
        super().__init__()
        self.fc1 = Affine(4, 3)
        self.body = Sequential(Affine(3, 3, bias=False), Affine(3, 2))
        self.register_buffer("mean", byhand.zeros(4))
        self.register_buffer("scratch", byhand.ones(1), persistent=False)

    def forward(self, x):
        return self.body(self.fc1(x - self.mean))


class Scale(Module):
    def forward(self, x):
        return x * 3.0


KEYS = ["mean", "fc1.weight", "fc1.bias", "body.0.weight", "body.1.weight", "body.1.bias"]


def values(module: Module) -> dict[str, np.ndarray]:
    return {name: tensor.array.copy() for name, tensor in module.state_dict().items()}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)
