"""Attention and transformers beside PyTorch's in float64: values, gradients, second derivatives."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand import nn  # noqa: E402
from byhand.nn import functional as F  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import close, compare, values  # noqa: E402

Q, K, V = values(2, 4, 3, 5), values(2, 4, 6, 5), values(2, 4, 6, 2)
SEEN = np.array([[1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)  # the second query sees nothing
ATTEND = torch.nn.functional.scaled_dot_product_attention


@pytest.mark.parametrize(
    "named",
    [
        {}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": SEEN}, {"attn_mask": values(3, 6)},
        {"attn_mask": values(2, 1, 3, 6)}, {"attn_mask": SEEN[None, None], "scale": 2.0},
    ],
)  # fmt: skip
def test_attention(named):
    compare(F.scaled_dot_product_attention, ATTEND, (Q, K, V), named)
    if not named:
        compare(F.scaled_dot_product_attention, ATTEND, (Q[0, 0], K[0, 0], V[0, 0]))
        compare(F.scaled_dot_product_attention, ATTEND, (Q[:, 0], K[:, 0], V[:, 0]))
        compare(F.scaled_dot_product_attention, ATTEND, (Q, K[:, :2], V[:, :2]), {"enable_gqa": True})


def test_second_derivatives():
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def twice(function, grad, make, operands):
        leaves = [make(x) for x in operands]
        found = grad((function(*leaves, is_causal=True) ** 2).sum(), leaves, create_graph=True)
        return grad(sum((g**2).sum() for g in found), leaves)

    mine = twice(F.scaled_dot_product_attention, byhand.autograd.grad, lambda x: Tensor(x).requires_grad_(), (Q, K, V))
    with sdpa_kernel(SDPBackend.MATH):
        theirs = twice(ATTEND, torch.autograd.grad, lambda x: torch.tensor(x, requires_grad=True), (Q, K, V))
    for a, b in zip(mine, theirs, strict=True):
        close(a, b, "the second derivative")


def pytorchs(name, *args, **kwargs):
    with warnings.catch_warnings():  # it says why inference could be faster
        warnings.simplefilter("ignore")
        return getattr(torch.nn, name)(*args, **kwargs)


def alike(name, *args, **kwargs):
    """A layer of both packages with the same parameters."""
    theirs = pytorchs(name, *args, **kwargs).double()
    mine = getattr(nn, name)(*args, **kwargs).double()
    assert list(mine.state_dict()) == list(theirs.state_dict())
    mine.load_state_dict({key: Tensor(value.numpy().copy()) for key, value in theirs.state_dict().items()})
    return mine, theirs


@pytest.mark.parametrize(
    "made",
    [
        {}, {"batch_first": True}, {"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True},
        {"kdim": 6, "vdim": 4}, {"add_bias_kv": True, "add_zero_attn": True, "kdim": 6, "batch_first": True},
    ],
)  # fmt: skip
def test_multihead_attention(made):
    mine, theirs = alike("MultiheadAttention", 8, 2, **made)
    size, length, keys = 3, 4, 5
    shapes = (length, 8), (keys, made.get("kdim", 8)), (keys, made.get("vdim", 8))
    hidden, padding = np.triu(np.ones((length, keys), bool), 2), np.arange(15).reshape(3, 5) % 5 > 3
    masks = [{}, {"attn_mask": hidden}, {"key_padding_mask": padding}, {"attn_mask": values(size * 2, length, keys)}]
    batched = [(size, *s) if made.get("batch_first") else (s[0], size, s[1]) for s in shapes]
    inputs = [values(*shape) for shape in batched]
    for mask, need, average in itertools.product(masks, (True, False), (True, False)):
        call = {**mask, "need_weights": need, "average_attn_weights": average}
        constant = [name for name in mask if mask[name].dtype != bool]
        for i in (0, 1) if need else (0,):
            compare(
                lambda *xs, i=i, **k: mine(*xs, **k)[i],
                lambda *xs, i=i, **k: theirs(*xs, **k)[i],
                inputs,
                call,
                constant,
            )
    alone = [values(*shape) for shape in shapes]
    compare(lambda *xs: mine(*xs)[1], lambda *xs: theirs(*xs)[1], alone)
    compare(lambda *xs: mine(*xs)[0], lambda *xs: theirs(*xs)[0], alone)


@pytest.mark.parametrize(
    ("norm_first", "activation", "batch_first"), [(False, "relu", False), (True, "gelu", True), (True, "relu", False)]
)
def test_transformer(norm_first, activation, batch_first):
    mine, theirs = alike(
        "Transformer", 8, 2, 2, 2, 16, 0.0, activation, norm_first=norm_first, batch_first=batch_first, bias=True
    )
    shape = (2, 5, 8) if batch_first else (5, 2, 8)
    target = (2, 3, 8) if batch_first else (3, 2, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(3).double()
    np.testing.assert_array_equal(mask.array, torch.nn.Transformer.generate_square_subsequent_mask(3).numpy())
    padding = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]], bool)
    compare(
        lambda x, y, **k: mine(x, y, tgt_mask=mask, **k),
        lambda x, y, **k: theirs(x, y, tgt_mask=torch.tensor(mask.array), **k),
        (values(*shape), values(*target)),
        {"src_key_padding_mask": padding, "memory_key_padding_mask": padding},
    )
    for (name, p), (_, q) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
        close(p.grad, q.grad, name)


def test_parameters_are_drawn_as_pytorch_draws_them():
    byhand.manual_seed(0)
    torch.manual_seed(0)
    for name, args, named in [
        ("MultiheadAttention", (64, 4), {"add_bias_kv": True, "kdim": 32}), ("MultiheadAttention", (64, 4), {}),
        ("TransformerEncoderLayer", (64, 4, 128), {}), ("Transformer", (32, 4, 1, 1, 64), {}),
        ("Embedding", (500, 20), {"padding_idx": 3}),
    ]:  # fmt: skip
        mine, theirs = getattr(nn, name)(*args, **named), pytorchs(name, *args, **named)
        for (key, p), (_, q) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
            a, b = p.detach().array, q.detach().numpy()
            assert a.shape == b.shape
            if a.size > 500:
                np.testing.assert_allclose([a.std(), abs(a).max()], [b.std(), abs(b).max()], rtol=0.3, err_msg=key)
            else:
                assert (a.std() == 0) == (b.std() == 0), key
