"""The law of batching: for every op at every sample, `vmap` gives what a loop over the examples gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from byhand.autograd import grad
from byhand.core.op import OPS
from byhand.func import rules, vmap
from byhand.tensor import Tensor
from laws.sample import Sample
from laws.samples import SAMPLES
from laws.test_dialects import FIXED
from laws.test_laws import over


def places(sample: Sample) -> Iterator[list[int]]:
    """Which operands have a batch: each alone, and all together."""
    arrays = [i for i, x in enumerate(sample.operands) if isinstance(x, np.ndarray)]
    yield arrays
    if len(arrays) > 1:
        yield from ([i] for i in arrays)


def batch(x: np.ndarray, sample: Sample) -> np.ndarray:
    """Two examples, the second one backwards along the first axis."""
    return np.stack([x, x]) if not x.ndim or sample.op.name == "eig" else np.stack([x, x[::-1]])  # real eigenvalues


# how their samples compute some operands looks at arrays
BY_ARRAYS = {"attention_weights", "gru_slopes", "lstm_slopes", "rnn_slopes"}


@over([sample for sample in FIXED if sample.op.name not in BY_ARRAYS])
def test_vmap_is_the_loop(sample: Sample) -> None:
    for chosen in places(sample):
        operands = [
            Tensor(batch(x, sample) if i in chosen else x.copy()) if isinstance(x, np.ndarray) else x
            for i, x in enumerate(sample.operands)
        ]
        dims = tuple(0 if i in chosen else None for i in range(len(operands)))
        with np.errstate(all="ignore"):
            found = vmap(sample.call, in_dims=dims)(*operands)
            examples = [
                sample.call(*[Tensor(x.array[k]) if i in chosen else x for i, x in enumerate(operands)]) for k in (0, 1)
            ]
        expected = np.stack([y.array for y in examples])
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found.array, expected, rtol=1e-12, atol=1e-13)


def test_every_rule_is_for_an_op() -> None:
    assert set(rules.RULES) <= set(OPS)


@pytest.mark.parametrize("name", sorted(rules.RULES))
def test_rules_are_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a rule, some sample is computed without the loop."""
    looped = []
    monkeypatch.setattr(rules, "looped", lambda op, *rest: looped.append(op.name) or pytest.skip("looped"))
    for sample in (s for s in FIXED if s.op.name == name):
        operands = [Tensor(batch(x, sample)) if isinstance(x, np.ndarray) else x for x in sample.operands]
        alone = (0, *[None] * (len(operands) - 1))
        for dims in (tuple(0 if isinstance(x, Tensor) else None for x in operands), alone):
            given = [x if d == 0 or not isinstance(x, Tensor) else x[0] for x, d in zip(operands, dims, strict=True)]
            try:
                vmap(sample.call, in_dims=dims)(*given)
            except pytest.skip.Exception:
                continue
            return
    pytest.fail(f"no sample of {name} is computed at once")


def test_gradients_pass_through_rules_and_loops() -> None:
    for sample in (s for s in SAMPLES if s.op.name in ("softmax", "matmul", "lu", "svd", "gather", "cumprod")):
        leaves = [Tensor(batch(x, sample)) if isinstance(x, np.ndarray) else x for x in sample.operands]
        for i in sample.floats:
            leaves[i].requires_grad_()
        dims = tuple(0 if isinstance(x, Tensor) else None for x in leaves)
        wanted = [leaves[i] for i in sample.floats]
        found: Any = grad(vmap(sample.call, in_dims=dims)(*leaves).sum(), wanted)
        loop = [sample.call(*[x[k] if isinstance(x, Tensor) else x for x in leaves]).sum() for k in (0, 1)]
        for mine, other in zip(found, grad(loop[0] + loop[1], wanted), strict=True):
            np.testing.assert_allclose(mine.array, other.array, rtol=1e-10, atol=1e-12)
