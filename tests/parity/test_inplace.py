"""Random programs of views and in-place changes, run in byhand and in PyTorch: equal values, equal gradients.

PyTorch counts versions for all views of a memory together, byhand by intervals of it. So byhand may walk back where
PyTorch refuses; then its gradient must be that of differences. A wrong gradient is never the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import byhand  # noqa: E402

START = np.linspace(-0.9, 1.1, 12).reshape(3, 4) + 0.013
Step = tuple[str, int, int, int]

VIEWS: dict[str, Callable[[Any, int], Any]] = {
    "head": lambda t, k: t[:2],
    "tail": lambda t, k: t[1:],
    "row": lambda t, k: t[k % t.shape[0]],
    "stride": lambda t, k: t[..., ::2],
    "new axis": lambda t, k: t[None],
    "reshape": lambda t, k: t.reshape(-1),
    "reshape back": lambda t, k: t.reshape(2, -1),
    "transpose": lambda t, k: t.transpose(0, -1),
    "narrow": lambda t, k: t.narrow(k % t.dim(), 0, max(1, t.shape[k % t.dim()] - 1)),
    "expand": lambda t, k: t.expand(2, *t.shape),
    "diagonal": lambda t, k: t.diagonal(k % 2),
    "unsqueeze": lambda t, k: t.unsqueeze(k % 2),
    "squeeze": lambda t, k: t.squeeze(),
    "select": lambda t, k: t.select(-1, k % t.shape[-1]),
}
CHANGES: dict[str, Callable[[Any, Any, int], Any]] = {
    "mul_ number": lambda t, s, k: t.mul_(1.5),
    "mul_": lambda t, s, k: t.mul_(s),
    "add_": lambda t, s, k: t.add_(s),
    "sub_ alpha": lambda t, s, k: t.sub_(s, alpha=0.5),
    "tanh_": lambda t, s, k: t.tanh_(),
    "sin_": lambda t, s, k: t.sin_(),
    "pow_": lambda t, s, k: t.pow_(2),
    "copy_": lambda t, s, k: t.copy_(s),
    "zero_": lambda t, s, k: t.zero_(),
    "fill_": lambda t, s, k: t.fill_(0.7),
    "setitem": lambda t, s, k: t.__setitem__(slice(0, 1), s),
    "setitem row": lambda t, s, k: t.__setitem__(k % t.shape[0], 0.3),
    "setitem array": lambda t, s, k: t.__setitem__([0, -1], s),
    "addcmul_": lambda t, s, k: t.addcmul_(s, s, value=0.5),
    "lerp_": lambda t, s, k: t.lerp_(s, 0.25),
    "clamp_": lambda t, s, k: t.clamp_(-0.8, 0.8),
    "relu_": lambda t, s, k: t.relu_(),
    "unsqueeze_": lambda t, s, k: t.unsqueeze_(0),
    "transpose_": lambda t, s, k: t.transpose_(0, -1),
    "squeeze_": lambda t, s, k: t.squeeze_(),
}
FRESH: dict[str, Callable[[Any, Any, int], Any]] = {
    "mul": lambda t, s, k: t * s,
    "tanh": lambda t, s, k: t.tanh(),
    "square": lambda t, s, k: t * t,
    "clone": lambda t, s, k: t.clone(),
    "sum": lambda t, s, k: t.sum(0, keepdim=True),
    "detach": lambda t, s, k: t.detach(),
}


def fits(t: Any, s: Any) -> bool:
    """Whether s broadcasts into t without growing it."""
    try:
        return np.broadcast_shapes(tuple(t.shape), tuple(s.shape)) == tuple(t.shape)
    except ValueError:
        return False


def entangled(t: Any, s: Any) -> bool:
    """Whether s overlaps with t in part: NumPy then buffers, PyTorch refuses or computes anything."""
    return t is not s and np.may_share_memory(t.detach().numpy(), s.detach().numpy())


def applies(name: str, t: Any, s: Any) -> bool:
    """Whether a step makes sense for these operands; the same in both libraries."""
    if name in CHANGES and entangled(t, s):
        return False
    if name == "reshape back":
        return t.numel() % 2 == 0
    if name == "diagonal":
        return t.dim() >= 2
    if name in ("setitem", "setitem array"):  # the array must not name a place twice: which value stays is not defined
        return t.dim() > 0 and fits(t[:1], s) and (name == "setitem" or t.shape[0] > 1)
    if name in ("mul_", "add_", "sub_ alpha", "copy_", "addcmul_", "lerp_"):
        return fits(t, s)
    if name == "mul":
        return fits(t, s) or fits(s, t)
    if name == "expand":
        return t.numel() <= 12
    return t.dim() > 0 or name in ("unsqueeze", "squeeze", "new axis", "mul_ number", "tanh_", "zero_", "tanh", "clone")


def run(library: Any, start: np.ndarray, steps: list[Step]) -> tuple[list[np.ndarray], np.ndarray]:
    """The values of all tensors of the program, and the gradient of a weighted sum of them by the start."""
    x = library.tensor(start).requires_grad_()
    pool = [x * 1.0, library.tensor(START[::-1].copy()), x]
    for name, i, j, k in steps:
        t, s = pool[i % len(pool)], pool[j % len(pool)]
        if not applies(name, t, s):
            continue
        if name in VIEWS:
            pool.append(VIEWS[name](t, k))
        elif name in CHANGES:
            CHANGES[name](t, s, k)
        else:
            pool.append(FRESH[name](t, s, k))
    loss = x.sum() * 0.1
    for n, t in enumerate(pool):
        loss = loss + (t * (1 + 0.1 * n)).sum()
    loss.backward()
    return [t.detach().numpy().copy() for t in pool], x.grad.numpy()


def differences(steps: list[Step]) -> np.ndarray:
    """The same gradient by central differences."""

    def loss(start: np.ndarray) -> float:
        with byhand.no_grad():
            x = byhand.tensor(start)
            pool = [x * 1.0, byhand.tensor(START[::-1].copy()), x]
            for name, i, j, k in steps:
                t, s = pool[i % len(pool)], pool[j % len(pool)]
                if applies(name, t, s):
                    made = VIEWS[name](t, k) if name in VIEWS else {**CHANGES, **FRESH}[name](t, s, k)
                    if name not in CHANGES:
                        pool.append(made)
            return float(x.sum() * 0.1 + sum((t * (1 + 0.1 * n)).sum() for n, t in enumerate(pool)))

    slope = np.zeros_like(START)
    for place in np.ndindex(*START.shape):
        ends = []
        for sign in (1, -1):
            moved = START.copy()
            moved[place] += sign * 1e-6
            ends.append(loss(moved))
        slope[place] = (ends[0] - ends[1]) / 2e-6
    return slope


names = st.one_of(st.sampled_from(sorted(VIEWS)), st.sampled_from(sorted(CHANGES)), st.sampled_from(sorted(FRESH)))
small = st.integers(0, 7)
programs = st.lists(st.tuples(names, small, small, small), min_size=1, max_size=10)


@pytest.mark.filterwarnings("ignore:Use of index_put_ on expanded")
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs)
def test_random_programs(steps: list[Step]) -> None:
    try:
        values, gradient = run(torch, START, steps)
    except (RuntimeError, IndexError):
        check_refusal(steps)
        return
    try:
        mine, found = run(byhand, START, steps)
    except byhand.errors.UsageError as error:
        if "expanded view" in str(error):  # NumPy cannot write there, PyTorch can if no value is shared after all
            return
        raise
    for a, b in zip(mine, values, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=1e-9)


def check_refusal(steps: list[Step]) -> None:
    """What PyTorch refuses, byhand refuses with a clear word, or gets right."""
    try:
        _, found = run(byhand, START, steps)
    except byhand.ByhandError:
        return
    if not any(name == "detach" for name, *_ in steps):  # differences do not see a detach
        np.testing.assert_allclose(found, differences(steps), rtol=1e-4, atol=1e-4)
