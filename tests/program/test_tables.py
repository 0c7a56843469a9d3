"""Products of rows that are picked from a table: where they become products of the table, and that nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.nn import functional as F

DIALECTS = ["longhand", "planned", "loops"]
V, E, M = 7, 40, 34


class Model(nn.Module):
    """Characters (N, T), their embedding, and something that multiplies it."""

    def __init__(self, then):
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.then = then
        self.head = nn.Linear(M, 3)

    def forward(self, x):
        h = self.then(self.embedding(x))
        return self.head(h[0] if isinstance(h, tuple) else h)


def trained(model, batches, dialect):
    optimizer = byhand.optim.Adam(model.parameters(), lr=0.01)

    def step(x):
        optimizer.zero_grad()
        loss = ((model(x) - 1) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    run = step if dialect is None else byhand.compile(step, dialect=dialect)
    return run, [run(x).item() for x in batches]


def models():
    byhand.manual_seed(0)
    return {
        "linear": Model(nn.Linear(E, M)).double(),
        "without bias": Model(nn.Sequential(nn.Linear(E, M, bias=False), nn.Tanh())).double(),
        "lstm": Model(nn.LSTM(E, M, batch_first=True)).double(),
        "gru": Model(nn.GRU(E, M)).double(),
    }


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", models())
def test_training_is_as_it_was(kind, dialect):
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    batches = [byhand.randint(0, V, (6, 5)) for _ in range(4)]
    eager, compiled = models()[kind], models()[kind]
    _, expected = trained(eager, batches, None)
    step, found = trained(compiled, batches, dialect)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    for mine, theirs in zip(compiled.parameters(), eager.parameters(), strict=True):
        np.testing.assert_allclose(mine.array, theirs.array, rtol=1e-7, atol=1e-9)
    if dialect == "planned":
        text = step.text("lowered")
        assert f"f64[30,{E}]" not in text  # neither the rows of the table nor their gradients
        assert text.count("add_at(") == (2 if kind == "linear" else 1)  # there the next product is the table's, too


def products(step):
    return [line.split(": ")[1].split(" = ")[0] for line in step.text("lowered").splitlines() if " matmul(" in line]


@pytest.mark.parametrize(
    ("batch", "width", "times"),
    [((2, 5), E, 10), ((3, 5), E, V), ((3, 5), 16, 15)],
    ids=["few rows", "many rows", "cheap products"],
)
def test_it_has_to_pay(batch, width, times):
    table, weight, x = byhand.randn(V, width), byhand.randn(width, M), byhand.randint(0, V, batch)
    step = byhand.compile(lambda x: F.embedding(x, table) @ weight, dialect="planned")
    np.testing.assert_allclose(step(x).array, (table[x] @ weight).array, rtol=1e-5, atol=1e-5)
    assert products(step) == [f"f32[{times},{M}]"]


def test_what_else_reads_the_rows_still_can():
    table, weight = byhand.randn(V, E).requires_grad_(), byhand.randn(E, M)
    x = byhand.randint(0, V, (4, 5))

    def step(x):
        rows = F.embedding(x, table)
        loss = (rows @ weight).sum() + (rows * rows).sum()
        return loss, byhand.autograd.grad(loss, table)[0]

    for found, expected in zip(byhand.compile(step, dialect="planned")(x), step(x), strict=True):
        np.testing.assert_allclose(found.array, expected.array, rtol=1e-4, atol=1e-4)
