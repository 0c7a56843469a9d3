"""Seeds, streams and states."""

from __future__ import annotations

import json

import numpy as np
import pytest

import byhand

DRAWS = [
    lambda: byhand.rand(3, 2), lambda: byhand.randn(3, 2), lambda: byhand.randint(0, 100, (5,)),
    lambda: byhand.randperm(10),
    lambda: byhand.normal(0.0, 1.0, (4,)), lambda: byhand.bernoulli(byhand.full((20,), 0.5)),
    lambda: byhand.rand_like(byhand.ones(3)),
    lambda: byhand.multinomial(byhand.ones(10), 5), lambda: byhand.multinomial(byhand.ones(10), 50, replacement=True),
    lambda: byhand.ones(5).normal_(), lambda: byhand.ones(5).uniform_(), lambda: byhand.ones(20).bernoulli_(),
    lambda: byhand.randn_like(byhand.ones(3)),
]  # fmt: skip


@pytest.mark.parametrize("draw", DRAWS, ids=range(len(DRAWS)))
def test_manual_seed_repeats_every_draw(draw) -> None:  # type: ignore[no-untyped-def]
    byhand.manual_seed(7)
    first, second = draw(), draw()
    byhand.manual_seed(7)
    assert byhand.equal(draw(), first)
    assert byhand.equal(draw(), second)
    assert not byhand.equal(first, second)


def test_another_seed_draws_otherwise() -> None:
    a, b = (byhand.randn(5, generator=byhand.Generator().manual_seed(s)) for s in (1, 2))
    assert not byhand.equal(a, b)


def test_a_generator_of_ones_own_leaves_the_default_alone() -> None:
    byhand.manual_seed(0)
    expected = byhand.rand(3)
    byhand.manual_seed(0)
    byhand.rand(5, generator=byhand.Generator().manual_seed(1))
    assert byhand.equal(byhand.rand(3), expected)


def test_state_goes_through_json() -> None:
    g = byhand.Generator().manual_seed(3)
    byhand.rand(7, generator=g)
    state = json.loads(json.dumps(g.get_state()))
    expected = byhand.randn(5, generator=g)
    other = byhand.Generator()
    other.set_state(state)
    assert byhand.equal(byhand.randn(5, generator=other), expected)
    assert other.initial_seed() == 3


def test_a_broken_state_is_refused() -> None:
    with pytest.raises(byhand.errors.UsageError, match="not a state"):
        byhand.Generator().set_state({"bits": 3})


def test_seeds() -> None:
    g = byhand.Generator()
    assert g.manual_seed(5) is g and g.initial_seed() == 5
    assert isinstance(g.seed(), int) and g.initial_seed() != 5
    negative = byhand.rand(3, generator=byhand.Generator().manual_seed(-1))
    assert byhand.equal(negative, byhand.rand(3, generator=byhand.Generator().manual_seed(2**64 - 1)))
    for wrong in (1.5, "a", True, None):
        with pytest.raises(byhand.errors.UsageError):
            g.manual_seed(wrong)


def test_global_numpy_is_neither_used_nor_changed() -> None:
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    byhand.rand(10)
    assert np.random.rand() == expected  # noqa: NPY002
