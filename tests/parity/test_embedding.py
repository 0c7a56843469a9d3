"""Embeddings beside PyTorch's in float64: values and gradients, rows read twice, padding, bags."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand import nn  # noqa: E402
from byhand.nn import functional as F  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import close, compare, values  # noqa: E402

NUMBERS = np.array([[1, 2, 4, 5], [4, 3, 2, 9], [2, 2, 2, 0]])
TABLE = values(10, 3)


@pytest.mark.parametrize("numbers", [NUMBERS, NUMBERS[0], NUMBERS[0, 0], NUMBERS[:0], NUMBERS.astype(np.int32)])
def test_embedding(numbers):
    compare(F.embedding, torch.nn.functional.embedding, (np.asarray(numbers), TABLE))


@pytest.mark.parametrize(("padding_idx", "scale"), list(itertools.product([None, 2, -1], [False, True])))
def test_embedding_pads_and_scales(padding_idx, scale):
    named = {"padding_idx": padding_idx, "scale_grad_by_freq": scale}
    compare(F.embedding, torch.nn.functional.embedding, (NUMBERS, TABLE), named)


@pytest.mark.parametrize(("limit", "order"), [(1.0, 2.0), (2.5, 1.0), (0.5, 3.0)])
def test_rows_that_are_read_are_cut(limit, order):
    mine, theirs = Tensor(TABLE.copy()), torch.tensor(TABLE)
    out = F.embedding(Tensor(NUMBERS), mine, max_norm=limit, norm_type=order)
    other = torch.nn.functional.embedding(torch.tensor(NUMBERS), theirs, max_norm=limit, norm_type=order)
    close(out, other, "the rows")
    close(mine, theirs, "the table")


@pytest.mark.parametrize(
    ("mode", "padding_idx", "weighted"),
    [(m, p, w) for m in ("sum", "mean", "max") for p in (None, 2) for w in ((False, True) if m == "sum" else (False,))],
)
def test_bags(mode, padding_idx, weighted):
    flat, offsets = NUMBERS.ravel(), np.array([0, 3, 3, 10])
    named = {"mode": mode, "padding_idx": padding_idx}
    for numbers, more in (
        (NUMBERS, {}),
        (flat, {"offsets": offsets}),
        (flat, {"offsets": np.append(offsets, 12), "include_last_offset": True}),
    ):
        factors = {"per_sample_weights": values(*numbers.shape)} if weighted else {}
        arguments = {**named, **more, **factors}
        constant = [name for name in ("offsets",) if name in arguments]
        compare(F.embedding_bag, torch.nn.functional.embedding_bag, (numbers, TABLE), arguments, constant)


def test_layers_have_pytorchs_names():
    for mine, theirs in [
        (nn.Embedding(5, 3, padding_idx=-1, max_norm=2.0, norm_type=1.0), None),
        (nn.EmbeddingBag(5, 3, padding_idx=1, mode="sum"), None),
    ]:
        theirs = getattr(torch.nn, type(mine).__name__)
        other = (
            theirs(5, 3, padding_idx=-1, max_norm=2.0, norm_type=1.0)
            if isinstance(mine, nn.Embedding)
            else theirs(5, 3, padding_idx=1, mode="sum")
        )
        assert repr(mine) == repr(other)
        assert list(mine.state_dict()) == list(other.state_dict())
