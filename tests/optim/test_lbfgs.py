"""LBFGS: what it refuses, how it stops, and its state. Its path is compared with PyTorch's in tests/parity."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import byhand
from byhand.core.errors import CheckpointError, UsageError
from byhand.optim import LBFGS, SGD


class Bowl:
    """The loss Σ (x − 1)² · scale."""

    def __init__(self, **options):
        self.x = byhand.tensor([3.0, -2.0, 0.5], dtype=byhand.float64, requires_grad=True)
        self.unused = byhand.ones(2, dtype=byhand.float64, requires_grad=True)
        self.scale = byhand.tensor([1.0, 10.0, 0.1], dtype=byhand.float64)
        self.optimizer = LBFGS([self.x, self.unused], **options)
        self.calls = 0

    def closure(self):
        assert byhand.is_grad_enabled()
        self.calls += 1
        self.optimizer.zero_grad()
        loss = ((self.x - 1) ** 2 * self.scale).sum()
        loss.backward()
        return loss


@pytest.mark.parametrize("options", [{}, {"line_search_fn": "strong_wolfe"}, {"history_size": 1, "max_iter": 100}])
def test_it_finds_the_bottom_of_a_bowl(options):
    bowl = Bowl(**options)
    first = bowl.optimizer.step(bowl.closure)
    assert first.item() == pytest.approx(94.025)
    np.testing.assert_allclose(bowl.x.detach().numpy(), 1.0, atol=1e-4)
    assert bowl.unused.tolist() == [1.0, 1.0]
    assert byhand.is_grad_enabled()


def test_the_calls_of_the_closure_are_counted_and_limited():
    bowl = Bowl(max_iter=100, max_eval=7, tolerance_change=0.0)
    bowl.optimizer.step(bowl.closure)
    state = bowl.optimizer.state_dict()["state"][0]
    assert bowl.calls == state["func_evals"] == 7
    assert state["n_iter"] == 6
    assert len(state["old_dirs"]) == len(state["old_stps"]) == len(state["ro"]) == 5


def test_it_stops_where_there_is_nothing_to_gain():
    bowl = Bowl(tolerance_grad=1e-5)
    with byhand.no_grad():
        bowl.x.fill_(1.0)
    assert bowl.optimizer.step(bowl.closure).item() == 0.0
    assert bowl.calls == 1
    assert bowl.optimizer.state_dict()["state"][0] == {"func_evals": 1, "n_iter": 0}


def test_a_saved_state_is_continued_and_does_not_change_meanwhile():
    bowl, twin = Bowl(max_iter=3, history_size=2), Bowl(max_iter=3, history_size=2)
    bowl.optimizer.step(bowl.closure)
    saved = copy.deepcopy(bowl.optimizer.state_dict())
    shared = bowl.optimizer.state_dict()
    twin.optimizer.load_state_dict(saved)
    twin.x.data = bowl.x.detach().clone()
    for each in (bowl, twin):
        each.optimizer.step(each.closure)
    assert bowl.x.tolist() == twin.x.tolist()
    assert len(shared["state"][0]["old_dirs"]) == len(saved["state"][0]["old_dirs"])


def test_a_state_of_another_optimizer_is_refused():
    bowl = Bowl()
    saved = SGD([bowl.x, bowl.unused]).state_dict()
    with pytest.raises(CheckpointError, match="lacks history_size, max_eval"):
        bowl.optimizer.load_state_dict(saved)


def test_it_needs_a_closure():
    with pytest.raises(UsageError, match=r"step needs a closure.*def closure"):
        Bowl().optimizer.step()


def test_it_has_one_group():
    with pytest.raises(UsageError, match="doesn't support per-parameter options"):
        LBFGS([{"params": [byhand.ones(1, requires_grad=True)]}, {"params": [byhand.ones(2, requires_grad=True)]}])


@pytest.mark.parametrize("options, message", [({"line_search_fn": "armijo"}, "'strong_wolfe'"), ({"lr": -1}, "lr")])
def test_options_out_of_range(options, message):
    with pytest.raises(UsageError, match=message):
        Bowl(**options)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_ends_the_search(bad):
    bowl = Bowl(line_search_fn="strong_wolfe", max_iter=4)

    def closure():
        loss = bowl.closure()
        return loss if bowl.calls == 1 else loss * 0 + bad

    bowl.optimizer.step(closure)
    assert bowl.calls < 40
