"""Attention some heads at a time gives what it gives at once; laws and parity hold the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import byhand
from byhand.ops import attention
from laws.sample import spread

Q, K, V = spread(3, 2, 4, 4), spread(3, 2, 5, 4), spread(3, 2, 5, 2)
KEPT = spread(3, 2, 5, 4) > -0.5
G = spread(3, 2, 4, 2)


def results(bias: Any, kept: Any, causal: bool) -> list[np.ndarray]:
    operands = [byhand.tensor(x, requires_grad=True) for x in (Q, K, V, *([] if bias is None else [bias]))]
    out = attention.attended(
        *operands[:3], None if bias is None else operands[3], kept, scale=0.5, causal=causal, drop=0.25
    )
    out.backward(byhand.tensor(G))
    return [out.detach().numpy(), *[x.grad.numpy() for x in operands]]


@pytest.mark.parametrize("size", [1, 2 * 80, 4 * 80])  # one head, the two of an entry, two entries: 80 bytes a head
@pytest.mark.parametrize("shape", [None, (4, 5), (2, 4, 5), (3, 1, 4, 5), (3, 2, 1, 5)])
@pytest.mark.parametrize(("kept", "causal"), [(None, False), (KEPT, True)])
def test_heads_are_taken_in_blocks(
    size: int, shape: Any, kept: Any, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bias = None if shape is None else spread(*shape)
    at_once = results(bias, kept, causal)
    monkeypatch.setattr(attention, "LARGE", 0)
    monkeypatch.setattr(attention, "BLOCK", size)
    assert len(attention._blocks(Q, K, V)) == {1: 6, 160: 3, 320: 2}[size]
    for one, other in zip(at_once, results(bias, kept, causal), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_every_head_is_in_one_block() -> None:
    for lead in ((), (4,), (3, 4), (2, 3, 4)):
        for count in (0, 1, 2, 4, 5, 12, 100):
            seen = np.zeros(lead, int)
            for where in attention._slices(lead, count):
                assert len(where) == len(lead)
                assert seen[where].size <= max(count, 1)
                seen[where] += 1
            assert (seen == 1).all()
