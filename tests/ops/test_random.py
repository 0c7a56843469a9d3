"""Draws from weights. Seeds: tests/core/test_generator.py; distributions: tests/test_creation.py."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import DomainError, ShapeError


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_follows_the_weights(replacement: bool) -> None:
    byhand.manual_seed(0)
    weights = byhand.tensor([0.0, 1.0, 3.0]).expand(4000, 3)
    found = byhand.multinomial(weights, 1, replacement=replacement)
    assert found.shape == (4000, 1) and found.dtype == byhand.int64
    counts = found.reshape(-1).bincount(minlength=3)
    assert counts[0].item() == 0 and counts[2].item() / 4000 == pytest.approx(0.75, abs=0.03)


def test_multinomial_without_replacement_draws_distinct_places() -> None:
    rows = byhand.multinomial(byhand.ones(50, 6), 6)
    assert all(sorted(row) == list(range(6)) for row in rows.tolist())
    assert byhand.multinomial(byhand.ones(6), 2).shape == (2,)


def test_multinomial_refuses() -> None:
    for weights in ([0.0, 0.0], [-1.0, 2.0], [np.nan, 1.0], [np.inf, 1.0]):
        with pytest.raises(DomainError):
            byhand.multinomial(byhand.tensor(weights), 1)
    with pytest.raises(DomainError, match="2 draws without replacement from 1 non-zero"):
        byhand.multinomial(byhand.tensor([1.0, 0.0]), 2)
    with pytest.raises(ShapeError):
        byhand.multinomial(byhand.ones(2, 2, 2), 1)


def test_bernoulli() -> None:
    p = byhand.tensor([0.0, 1.0])
    assert byhand.bernoulli(p).tolist() == [0, 1] and p.bernoulli().dtype == byhand.float32
    assert byhand.bernoulli(byhand.ones(3), 0.0).tolist() == [0, 0, 0]
    with pytest.raises(DomainError):
        byhand.bernoulli(byhand.tensor([-0.1]))
    with pytest.raises(DomainError):
        byhand.bernoulli(byhand.tensor([np.nan]))


def test_drawing_is_not_recorded() -> None:
    p = byhand.full((3,), 0.5, requires_grad=True)
    assert not byhand.bernoulli(p).requires_grad and not byhand.multinomial(p, 1).requires_grad
