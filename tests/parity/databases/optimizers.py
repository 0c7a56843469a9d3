"""PyTorch's optimisers, asked with the settings that it tests itself with (`optim_db`). Called by tests and a shell."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

import byhand
from parity.databases.outcome import Outcome

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_optimizers import optim_db

STEPS = 8
REFUSED = {"SparseAdam": "sparse tensors are out of scope"}


def entries() -> dict[str, Any]:
    """The entries of optim_db by class name."""
    return {info.optim_cls.__name__: info for info in optim_db}


def ask(entry: Any) -> Outcome:
    """What became of one entry: losses, parameters and states over several steps with each of its settings."""
    name = entry.optim_cls.__name__
    if name in REFUSED:
        return Outcome("refused", REFUSED[name])
    if not hasattr(byhand.optim, name):
        return Outcome("missing", f"there is no optim.{name}")
    inputs = entry.optim_inputs_func(device="cpu")
    for given in inputs:
        try:
            with in_float64():
                compare(name, given.kwargs)
        except Exception as error:
            return Outcome("differs", f"{given.desc}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return Outcome("pass", f"{len(inputs)} settings")


@contextmanager
def in_float64() -> Iterator[None]:
    """PyTorch keeps its scalars in float64 then; and Muon, which rounds to bfloat16, in the dtype of its parameters."""
    before, rounded = torch.get_default_dtype(), torch.Tensor.bfloat16
    torch.set_default_dtype(torch.float64)
    torch.Tensor.bfloat16 = torch.Tensor.clone
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        torch.Tensor.bfloat16 = rounded


def compare(name: str, options: dict[str, Any]) -> None:
    """Raise AssertionError unless both libraries take the same path."""
    ours, theirs = (started(library, name, options) for library in (byhand, torch))
    before = [p.detach().numpy().copy() for p in ours[0].params]
    steps = 1 if name == "LBFGS" else STEPS  # of up to 20 iterations each, which amplify how the first was rounded
    losses, expected = (problem.advance(optimizer, steps) for problem, optimizer in (ours, theirs))
    np.testing.assert_allclose(losses, expected, rtol=1e-9, atol=1e-9)
    assert_same(ours, theirs)
    assert all(np.any(p.detach().numpy() != x) for p, x in zip(ours[0].params, before, strict=True))


def plain(options, library=None):
    """Options with tensors as those of `library`, or as numbers."""
    return {
        key: (library.tensor(value.item(), dtype=library.float64) if library else value.item())
        if isinstance(value, torch.Tensor)
        else value
        for key, value in options.items()
    }


class Problem:
    """log(1 + |A W|²) + Σ (1 − u)² + 2 (v − u²)² for W, and for u and v but where only matrices are taken."""

    def __init__(self, library, matrices_only=False):
        rng = np.random.default_rng(3)
        self.library, self.A = library, library.tensor(rng.normal(size=(3, 4)))
        start = [rng.normal(size=(4, 2)), rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 3, 2)), np.array(0.7)]
        self.params = [library.tensor(x, requires_grad=True) for x in start[: 1 if matrices_only else None]]

    def loss(self):
        w, *rest = self.params
        loss = (1 + ((self.A @ w) ** 2).sum()).log()
        if rest:
            u, v, x = rest
            loss = loss + ((1 - u) ** 2 + 2 * (v - u * u) ** 2).sum() + (x - 2) ** 2
        return loss

    def advance(self, optimizer, steps):
        def closure():
            optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            return loss

        return [optimizer.step(closure).item() for _ in range(steps)]


def started(library, name, options):
    problem = Problem(library, matrices_only=name == "Muon")
    return problem, getattr(library.optim, name)(problem.params, **plain(options, library))


def numbers(value):
    """A state entry as arrays: a tensor, a number, or a list of them with places still empty."""
    if isinstance(value, list):
        return [array for entry in value for array in numbers(entry)]
    return [] if value is None else [np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)]


def assert_same(ours, theirs):
    for x, reference in zip(ours[0].params, theirs[0].params, strict=True):
        np.testing.assert_allclose(x.detach().numpy(), reference.detach().numpy(), rtol=1e-9, atol=1e-9)
    saved, expected = ours[1].state_dict(), theirs[1].state_dict()
    for group, wanted in zip(saved["param_groups"], expected["param_groups"], strict=True):
        assert group == plain(wanted)
    assert saved["state"].keys() == expected["state"].keys()
    for entries, wanted in zip(saved["state"].values(), expected["state"].values(), strict=True):
        assert entries.keys() == wanted.keys()
        for key in entries:
            for x, reference in zip(numbers(entries[key]), numbers(wanted[key]), strict=True):
                assert x.shape == reference.shape
                np.testing.assert_allclose(x, reference, rtol=1e-9, atol=1e-9, err_msg=key)
