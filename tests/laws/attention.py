"""Samples of the ops behind attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.capture import values
from byhand.ops import attention
from laws.sample import sample, spread

Q, K, V = spread(2, 2, 3, 4), spread(2, 2, 5, 4), spread(2, 2, 5, 2)
BIAS = spread(3, 5)
KEPT = spread(2, 2, 5, 3) > -0.5
PLAIN: dict[str, Any] = {"scale": 0.5, "causal": False, "drop": 0.0}


def weights(q: Any, k: Any, bias: Any, scale: float, causal: bool) -> np.ndarray:
    """The probabilities, number by number."""
    out = np.zeros((*q.shape[:-1], k.shape[-2]))
    for *lead, i in np.ndindex(q.shape[:-1]):
        place = tuple(lead)
        row = [scale * math.fsum(a * b for a, b in zip(q[place][i], key, strict=True)) for key in k[place]]
        row = [s + (0.0 if bias is None else bias[i][j]) for j, s in enumerate(row)]
        powers = [0.0 if causal and j > i else math.exp(s) for j, s in enumerate(row)]
        out[place][i] = np.array(powers) / (math.fsum(powers) or 1)
    return out


def attending(q: Any, k: Any, v: Any, bias: Any, kept: Any, scale: float, causal: bool, drop: float) -> np.ndarray:
    """The probabilities that are left, times v."""
    p = weights(q, k, bias, scale, causal)
    p = p if kept is None else p * np.swapaxes(kept, -1, -2) / (1 - drop)
    out: np.ndarray = np.einsum("...ls,...se->...le", p, v)
    return out


def weights_of(q: Any, k: Any, bias: Any, scale: float, causal: bool) -> Any:
    """The op, with the sums computed first."""
    formula = attention.attended.op.residuals["log_total"]  # type: ignore[attr-defined]
    log_total = formula(values(q), values(k), None if bias is None else values(bias), scale, causal)
    return attention.attention_weights(q, k, bias, log_total, scale=scale, causal=causal)


def keys_first(q: Any, k: Any, bias: Any, scale: float, causal: bool) -> np.ndarray:
    return np.swapaxes(weights(q, k, bias, scale, causal), -1, -2)


ATTENTION = [
    sample(attention.attended, *operands, reference=attending, **{**PLAIN, **attrs})
    for operands, attrs in [
        ((Q, K, V, None, None), {}), ((Q[0, 0], K[0, 0], V[0, 0], BIAS, None), {}),
        ((Q[0], K[0], V[0], None, None), {"causal": True}), ((Q, K, V, BIAS, KEPT), {"drop": 0.25}),
    ]
] + [
    sample(
        attention.attention_weights, *operands, scale=0.5, causal=causal, reference=keys_first, compose=weights_of
    )
    for operands, causal in [((Q, K, None), False), ((Q[0, 0], K[0, 0], BIAS), True)]
] + [
    sample(
        attention.likeness, Q, K, scale=0.5,
        reference=lambda q, k, scale: np.einsum("...le,...se->...ls", q, k) * scale,
    ),
    *[
        sample(
            attention.weighted, p, v, scale=scale,
            reference=lambda p, v, scale: scale * np.einsum("...ls,...se->...le", p, v),
        )
        for p, v, scale in [(spread(2, 2, 3, 5), V, 1), (BIAS, K[0, 0], 0.5)]
    ],
]  # fmt: skip
