"""Attention, embeddings and transformers: what they refuse, what dropout does, and how they compile."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import CaptureError, DomainError, DtypeError, ShapeError, UsageError
from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.tensor import Tensor

NUMBERS = byhand.tensor([[1, 2, 0], [4, 4, 3]])
EMBED = nn.Embedding(5, 4)
Q = byhand.randn(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: EMBED(byhand.tensor([5])), DomainError, "rows 0 to 4"),
        (lambda: EMBED(byhand.tensor([-1])), DomainError, "runs from -1 to -1"),
        (lambda: EMBED(byhand.ones(3)), DtypeError, r"input.long\(\)"),
        (lambda: F.embedding(NUMBERS, byhand.ones(3)), ShapeError, r"expected \(V, D\)"),
        (lambda: nn.Embedding(5, 4, padding_idx=5), DomainError, "Embedding: padding_idx is 5"),
        (lambda: nn.Embedding(-1, 4), UsageError, "num_embeddings"),
        (lambda: nn.Embedding(5, 4, _weight=byhand.ones(4, 5)), ShapeError, r"\(5, 4\)"),
        (lambda: nn.Embedding.from_pretrained(byhand.ones(4)), ShapeError, "from_pretrained"),
        (lambda: nn.EmbeddingBag.from_pretrained(byhand.ones(4)), ShapeError, "from_pretrained"),
        (lambda: F.embedding_bag(NUMBERS, EMBED.weight, mode="median"), UsageError, "median"),
        (lambda: F.embedding_bag(NUMBERS[0], EMBED.weight), ShapeError, "without offsets"),
        (
            lambda: F.embedding_bag(NUMBERS, EMBED.weight, per_sample_weights=byhand.ones(2, 3)), UsageError,
            "per_sample_weights",
        ),
        (lambda: F.scaled_dot_product_attention(Q, Q[..., :2], Q), ShapeError, r"\(…, S, Ev\)"),
        (lambda: F.scaled_dot_product_attention(Q, Q, Q, byhand.ones(3, 3), is_causal=True), UsageError, "attn_mask"),
        (lambda: F.scaled_dot_product_attention(Q, Q, Q.double()), DtypeError, "one dtype"),
        (lambda: F.scaled_dot_product_attention(Q, Q, Q, byhand.ones(3, 3).long()), DtypeError, "boolean or float"),
        (lambda: F.scaled_dot_product_attention(Q, Q, Q, dropout_p=2.0), DomainError, "from 0 to 1"),
        (
            lambda: F.scaled_dot_product_attention(byhand.ones(3, 2, 4), Q, Q, enable_gqa=True), ShapeError,
            "enable_gqa",
        ),
        (lambda: nn.MultiheadAttention(6, 4), UsageError, "6 is no multiple of 4"),
        (lambda: nn.MultiheadAttention(6, 2)(Q, Q, Q), ShapeError, "6 features"),
        (lambda: nn.MultiheadAttention(4, 2)(Q, Q[0], Q[0]), ShapeError, "without N"),
        (lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, is_causal=True), UsageError, "generate_square_subsequent_mask"),
        (lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, attn_mask=byhand.ones(3, 3)), ShapeError, "attn_mask has"),
        (
            lambda: nn.MultiheadAttention(4, 2)(Q, Q, Q, key_padding_mask=byhand.ones(3, 3).bool()), ShapeError,
            "key_padding_mask",
        ),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), UsageError, "'tanh'"),
        (lambda: nn.Transformer(4, 2, 1, 1, 8)(Q, byhand.ones(3, 2, 4)), ShapeError, "batch sizes"),
        (lambda: nn.Transformer(4, 2, 1, 1, 8)(Q, byhand.ones(3, 3, 5)), ShapeError, "4 features"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def test_padding_is_zero_and_stays_so() -> None:
    layer = nn.Embedding(5, 4, padding_idx=-1)
    assert layer.padding_idx == 4
    assert layer.weight[4].tolist() == [0.0] * 4
    layer(NUMBERS).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.array.tolist() == [[1.0] * 4, [1.0] * 4, [1.0] * 4, [1.0] * 4, [0.0] * 4]


def test_a_table_can_be_given() -> None:
    table = byhand.arange(6.0).reshape(3, 2)
    frozen, free = nn.Embedding.from_pretrained(table), nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum")
    assert not frozen.weight.requires_grad and free.weight.requires_grad
    assert frozen(byhand.tensor(2)).tolist() == [4.0, 5.0]
    assert free(byhand.tensor([[0, 2]])).tolist() == [[4.0, 6.0]]


def test_dropped_weights_leave_the_mean() -> None:
    byhand.manual_seed(0)
    x = byhand.ones(64, 16, 4)
    out = F.scaled_dot_product_attention(x, x, x, dropout_p=0.25)
    kept = (out * 16 * 0.75).array
    np.testing.assert_allclose(kept, kept.round(), atol=1e-4)  # equal weights: a count of those that were kept
    assert abs(out.mean().item() - 1) < 0.02 and out.var().item() > 0
    assert F.scaled_dot_product_attention(x, x, x, dropout_p=1.0).abs().max().item() == 0


def test_probabilities_are_not_kept() -> None:
    q = byhand.randn(2, 50, 4, requires_grad=True)
    out = F.scaled_dot_product_attention(q, q, q)
    assert out.node is not None and out.node.saved is not None
    assert max(x.size for x in out.node.saved if x is not None) == q.numel()


class Gpt(Module):
    """Two blocks as they are written by hand, the head tied to the embedding."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(11, 8), nn.Embedding(6, 8)
        self.qkv = nn.ModuleList([nn.Linear(8, 24) for _ in range(2)])
        self.wide = nn.ModuleList([nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))] * 2)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 11, bias=False)
        self.tokens.weight = self.head.weight
        self.register_buffer("tril", byhand.tril(byhand.ones(6, 6)))
        self.fused = fused

    def forward(self, numbers: Tensor) -> Tensor:
        n, t = numbers.shape
        x = self.tokens(numbers) + self.places(byhand.arange(t))
        for qkv, wide in zip(self.qkv, self.wide, strict=True):
            q, k, v = (part.view(n, t, 2, 4).transpose(1, 2) for part in qkv(self.norm(x)).split(8, dim=2))
            if self.fused:
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                scores = (q @ k.transpose(-2, -1)) * 0.5
                scores = scores.masked_fill(self.tril[:t, :t] == 0, float("-inf"))
                y = F.softmax(scores, dim=-1) @ v
            x = x + y.transpose(1, 2).contiguous().view(n, t, 8)
            x = x + wide(x)
        return self.head(self.norm(x))


def trained(model: Module, dialect: str | None) -> list[float]:
    """The losses of a few steps, from the same start."""
    model = copy.deepcopy(model)
    optimizer = byhand.optim.AdamW(model.parameters(), lr=1e-2)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))
        loss.backward()
        optimizer.step()
        return loss

    run = step if dialect is None else byhand.compile(step, dialect=dialect)
    rng = np.random.default_rng(0)
    x, y = (byhand.tensor(rng.integers(0, 11, (3, 6))) for _ in range(2))
    return [run(x, y).item() for _ in range(4)]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dialect", ["planned", "loops", "longhand"])
def test_a_gpt_compiles(dialect: str, fused: bool) -> None:
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    byhand.manual_seed(0)
    model = Gpt(fused)
    eager = trained(model, None)
    assert eager[-1] < eager[0]
    np.testing.assert_allclose(trained(model, dialect), eager, rtol=1e-4)


def test_a_table_is_checked_in_a_compiled_step() -> None:
    step = byhand.compile(lambda x: EMBED(x).sum(), dialect="planned")
    step(NUMBERS)
    with pytest.raises(DomainError, match="rows 0 to 4"):
        step(NUMBERS + 3)


def test_layers_compile() -> None:
    byhand.manual_seed(0)
    net = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)
    bag = nn.EmbeddingBag(5, 8, mode="mean", padding_idx=1)
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    padding = byhand.tensor([[False, False, True], [False, False, False]])
    x, y = byhand.randn(2, 3, 8), byhand.randn(2, 3, 8)

    def run() -> list[Tensor]:
        out = net(x, y, tgt_mask=mask, src_key_padding_mask=padding) * bag(NUMBERS).unsqueeze(1)
        net.zero_grad()
        (out * out).sum().backward()
        return [out.detach(), *[p.grad for p in net.parameters() if p.grad is not None]]

    expected = run()
    step = byhand.compile(run, dialect="planned")
    step()
    for a, b in zip(step(), expected, strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-4, atol=1e-5)


def test_the_longest_bag_is_not_known_beforehand() -> None:
    step = byhand.compile(lambda offsets: F.embedding_bag(NUMBERS[0], EMBED.weight, offsets, mode="max"))
    with pytest.raises(CaptureError, match="longest bag"):
        step(byhand.tensor([0, 2]))
