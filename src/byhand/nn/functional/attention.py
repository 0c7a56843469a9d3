"""Scaled dot-product attention, and attention of several heads between projections. Called by `nn.attention`, users."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.errors import DtypeError, ShapeError, UsageError
from byhand.nn.functional.dropout import check_probability, dropout
from byhand.nn.functional.linear import linear
from byhand.ops import elementwise as e
from byhand.ops import random
from byhand.ops.activation import softmax
from byhand.ops.attention import attended, future, likeness, weighted
from byhand.ops.axes import count, together
from byhand.ops.shape import cat, pad
from byhand.ops.views import expanded, narrowed, permuted, reshaped
from byhand.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q kᵀ · scale + mask) v: each query's mean of the values, weighed by how well it fits their keys.

    query       (…, L, E)
    key, value  (…, S, E) and (…, S, Ev)
    attn_mask   broadcasts to (…, L, S): booleans (True: the key is seen), or floats that are added to the scores
    dropout_p   how likely a weight is dropped; also when nothing trains
    is_causal   a query sees the keys up to its own place; not together with a mask
    scale       1/√E if None
    enable_gqa  key and value may have fewer heads, axis −3, than query; each is then used by several of them

    Returns (…, L, Ev); a query that sees no key gets 0. Vaswani et al., Attention is all you need, 2017.

    >>> import byhand
    >>> from byhand.nn import functional as F
    >>> F.scaled_dot_product_attention(byhand.ones(2, 4, 8), byhand.ones(2, 5, 8), byhand.ones(2, 5, 3)).shape
    (2, 4, 3)
    """
    q, k, v, bias = _fitted(query, key, value, attn_mask, is_causal, enable_gqa)
    check_probability(dropout_p, "scaled_dot_product_attention")
    if scale is None:
        scale = 1 / math.sqrt(q.shape[-1]) if q.shape[-1] else 1.0
    if 0 in (*q.shape, *k.shape, *v.shape) or dropout_p == 1:
        out: Tensor = _by_parts(q, k, v, bias, dropout_p, is_causal, scale)[0]
        return out
    kept: Any = None
    if dropout_p:
        kept = random.coins(1 - dropout_p, (*q.shape[:-2], k.shape[-2], q.shape[-2]))
    return attended(q, k, v, bias, kept, scale=float(scale), causal=bool(is_causal), drop=float(dropout_p))


def _fitted(q: Any, k: Any, v: Any, mask: Any, causal: bool, grouped: bool) -> tuple[Any, Any, Any, Any]:
    """The operands as the op wants them: as many heads and the same leading axes everywhere, and a mask of floats."""
    shapes = f"query {q.shape}, key {k.shape} and value {v.shape}"
    fits = min(len(x.shape) for x in (q, k, v)) >= 2 and q.shape[-1] == k.shape[-1] and k.shape[-2] == v.shape[-2]
    if not fits:
        raise ShapeError(f"scaled_dot_product_attention got {shapes}; expected (…, L, E), (…, S, E) and (…, S, Ev)")
    if mask is not None and causal:
        raise UsageError("scaled_dot_product_attention: is_causal=True is a mask of its own; leave attn_mask out")
    if not q.dtype == k.dtype == v.dtype or q.dtype.kind != "f":
        raise DtypeError(
            f"scaled_dot_product_attention takes floats of one dtype, not {q.dtype}, {k.dtype} and {v.dtype}"
        )
    if grouped:
        k, v = _repeated(k, q, shapes), _repeated(v, q, shapes)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        lead = together("scaled_dot_product_attention", q.shape[:-2], k.shape[:-2], v.shape[:-2])
        q, k, v = (expanded(x, shape=(*lead, *x.shape[-2:])) for x in (q, k, v))
    return q, k, v, None if mask is None else additive(mask, q.dtype, "scaled_dot_product_attention", seen=True)


def _repeated(x: Any, q: Any, shapes: str) -> Any:
    """Each head as often as there are heads of q for it."""
    if len(x.shape) < 3 or not x.shape[-3] or q.shape[-3] % x.shape[-3]:
        raise ShapeError(f"scaled_dot_product_attention with enable_gqa got {shapes}: axis -3 has to divide query's")
    *lead, heads, n, width = x.shape
    times = q.shape[-3] // heads
    each = expanded(reshaped(x, shape=(*lead, heads, 1, n, width)), shape=(*lead, heads, times, n, width))
    return reshaped(each, shape=(*lead, heads * times, n, width))


def additive(mask: Any, dtype: Any, name: str, seen: bool) -> Any:
    """A mask as numbers to add to scores; of a boolean one `seen` says whether True stands for seen or for hidden."""
    if mask.dtype.kind == "f":
        return mask if mask.dtype == dtype else e.cast(mask, dtype=dtype)
    if mask.dtype != bool:
        raise DtypeError(f"{name}: a mask is boolean or float, not {mask.dtype}")
    cases = (0.0, -np.inf) if seen else (-np.inf, 0.0)
    return e.cast(e.select(mask, *cases), dtype=dtype)


def _by_parts(q: Any, k: Any, v: Any, bias: Any, drop: float, causal: bool, scale: float) -> tuple[Any, Any]:
    """Attention op by op, and the weights, which are asked for."""
    scores = likeness(q, k, scale=float(scale))
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores + future(q.shape[-2], k.shape[-2], q.dtype)
    weights = softmax(scores, dim=-1)
    weights = dropout(weights, drop) if drop else weights
    return weighted(weights, v, scale=1), weights


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """softmax(q kᵀ / √D + masks) v in each head, from and to projections; see `nn.MultiheadAttention`.

    query (L, N, E), key (S, N, Ek), value (S, N, Ev), or without N; with batch_first, which PyTorch's function has not,
    N comes first. Returns (L, N, E), and the weights (N, L, S), or (N, heads, L, S) if they are not averaged, or None.
    """
    batched = query.ndim == 3
    _check(query, key, value, embed_dim_to_check, num_heads, batched)
    first = batch_first and batched
    if not batched:
        query, key, value = (reshaped(x, shape=(x.shape[0], 1, x.shape[1])) for x in (query, key, value))
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projected(query, key, value, in_proj_weight, in_proj_bias, weights)
    length, size = (q.shape[1], q.shape[0]) if first else q.shape[:2]
    more: list[Any] = [(bias_k, bias_v)] if bias_k is not None else []
    q, k, v = (_heads(x, num_heads, first) for x in (q, k, v))
    k = k if static_k is None else reshaped(static_k, shape=(size, num_heads, *static_k.shape[1:]))
    v = v if static_v is None else reshaped(static_v, shape=(size, num_heads, *static_v.shape[1:]))
    bias = _masked(attn_mask, key_padding_mask, q, k, is_causal, need_weights)
    causal = is_causal and bias is None
    more = [*more, (None, None)] if add_zero_attn else more
    for row_k, row_v in more:
        k, v = _longer(k, row_k), _longer(v, row_v)
        bias = None if bias is None else pad(bias, (0, 1))
    drop, found = dropout_p if training else 0.0, None
    if need_weights:
        out, found = _by_parts(q, k, v, bias, drop, causal, 1 / math.sqrt(q.shape[-1]))
    else:
        out = scaled_dot_product_attention(q, k, v, bias, drop, causal)
    out = permuted(out, axes=(0, 2, 1, 3) if first else (2, 0, 1, 3))
    out = linear(reshaped(out, shape=(*out.shape[:2], embed_dim_to_check)), out_proj_weight, out_proj_bias)
    if found is not None and average_attn_weights:
        found = found.mean(1)
    if batched:
        return out, found
    return reshaped(out, shape=(length, out.shape[-1])), None if found is None else reshaped(
        found, shape=found.shape[1:]
    )


def _check(q: Any, k: Any, v: Any, width: int, heads: int, batched: bool) -> None:
    name = "multi_head_attention_forward"
    if q.ndim not in (2, 3) or k.ndim != q.ndim or v.ndim != q.ndim or k.shape[:-1] != v.shape[:-1]:
        raise ShapeError(
            f"{name} got query {q.shape}, key {k.shape} and value {v.shape}; expected (L, N, E), (S, N, Ek) and "
            "(S, N, Ev), or all of them without N"
        )
    if q.shape[-1] != width or width % heads:
        raise ShapeError(f"{name}: query has shape {q.shape}; expected {width} features, for {heads} heads")


def _projected(query: Any, key: Any, value: Any, weight: Any, bias: Any, apart: Any) -> list[Any]:
    """q, k and v, by one product where they are made of the same tensor."""
    if apart is None and query is key is value:
        return thirds(linear(query, weight, bias), query.ndim - 1)
    weights = thirds(weight, 0) if apart is None else apart
    biases = [None] * 3 if bias is None else thirds(bias, 0)
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]


def thirds(x: Any, axis: int) -> list[Any]:
    """Three equal parts along an axis."""
    n = x.shape[axis] // 3
    return [narrowed(x, axis=axis, start=i * n, stop=(i + 1) * n) for i in range(3)]


def _heads(x: Any, heads: int, batch_first: bool) -> Any:
    """(S, N, heads · D), or (N, S, heads · D), as (N, heads, S, D)."""
    parts = reshaped(x, shape=(*x.shape[:2], heads, x.shape[2] // heads))
    return permuted(parts, axes=(0, 2, 1, 3) if batch_first else (1, 2, 0, 3))


def _longer(x: Any, row: Any) -> Any:
    """Keys or values with one more: a learned one, (1, 1, heads · D), or zeros."""
    size, heads, _, width = x.shape
    if row is None:
        return pad(x, (0, 0, 0, 1))
    one = expanded(reshaped(row, shape=(1, heads, 1, width)), shape=(size, heads, 1, width))
    return cat([x, one], 2)


def _masked(mask: Any, padding: Any, q: Any, k: Any, causal: bool, need_weights: bool) -> Any:
    """Both masks as one to be added to the scores (N, heads, L, S), or None."""
    name = "multi_head_attention_forward"
    (size, heads, length, _), keys = q.shape, k.shape[-2]
    if causal and mask is None:
        raise UsageError(
            f"{name}: is_causal only says what attn_mask is; pass Transformer.generate_square_subsequent_mask({length})"
        )
    bias = None
    if mask is not None and not (causal and padding is None and not need_weights):
        if mask.shape not in ((length, keys), (size * heads, length, keys)):
            raise ShapeError(
                f"{name}: attn_mask has shape {mask.shape}; expected {(length, keys)} or {(size * heads, length, keys)}"
            )
        bias = additive(mask, q.dtype, f"{name}: attn_mask", seen=False)
        bias = bias if len(mask.shape) == 2 else reshaped(bias, shape=(size, heads, length, keys))
    if padding is not None:
        if count(padding) != size * keys or padding.shape[-1] != keys:
            raise ShapeError(f"{name}: key_padding_mask has shape {padding.shape}; expected {(size, keys)}")
        padding = additive(padding, q.dtype, f"{name}: key_padding_mask", seen=False)
        padding = reshaped(padding, shape=(size, 1, 1, keys))
        bias = padding if bias is None else bias + padding
    return bias
