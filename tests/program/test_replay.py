"""`compile(replay=True)`: the recorded call is undone, and the program runs for it too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import CaptureError
from byhand.core.generator import default_generator
from byhand.nn import functional as F
from byhand.program import entry
from program.captured import Interpreted, contents, same


class Counted(Interpreted):
    """Counts the runs of all programs."""

    runs = 0

    def bind(self, states: Sequence[Any]) -> Callable[..., tuple[Any, ...]]:
        run = super().bind(states)

        def counted(*given: Any) -> tuple[Any, ...]:
            Counted.runs += 1
            return run(*given)

        return counted


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "executable", lambda program, dialect, without=(): Counted(program))
    monkeypatch.setattr(entry, "optimise", lambda program, without=(): program)
    monkeypatch.setattr(Counted, "runs", 0)


def train(way: str, kind: Any, options: dict[str, Any]) -> Any:
    """All that five steps leave behind, statistics, gradients and random numbers among it."""
    byhand.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.3), nn.Linear(5, 3))
    optimizer = kind(model.parameters(), **options)

    def step(x: Any, y: Any) -> Any:
        output = model(x)
        loss = F.cross_entropy(output, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, output

    run = step if way == "eager" else byhand.compile(step, keep_grads=True, replay=way == "replay")
    byhand.manual_seed(1)
    results = []
    for count in (4, 4, 3, 4, 3):
        loss, output = run(byhand.randn(count, 6), byhand.randint(0, 3, (count,)))
        results.append((loss.item(), output.detach().numpy().copy()))
    return contents([results, model, optimizer]), str(default_generator.get_state())


@pytest.mark.parametrize(
    "kind, options, recorded",
    [
        (optim.SGD, {"lr": 0.1}, 2),
        (optim.Adam, {"lr": 0.1}, 2),
        (optim.NAdam, {}, 2),
        (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, 3),  # the first step of all is another one
    ],
)
def test_nothing_can_be_told_from_a_step_that_ran_once(kind: Any, options: dict[str, Any], recorded: int) -> None:
    eager = train("eager", kind, options)
    compiled = train("compile", kind, options)
    assert Counted.runs == 5 - recorded
    replayed = train("replay", kind, options)
    assert Counted.runs == 5 - recorded + (5 if recorded == 2 else 4)
    for other in (compiled, replayed):
        same(other[0], eager[0])
        assert other[1] == eager[1]


def test_gradients_that_gather_are_added_once() -> None:
    w = byhand.tensor([1.0, 2.0], requires_grad=True)

    @byhand.compile(replay=True)
    def add(x: Any) -> Any:
        loss = (w * x).sum()
        loss.backward()
        return loss

    for i in range(1, 4):
        add(byhand.ones(2))
        assert w.grad is not None and w.grad.tolist() == [i, i]


def test_a_failed_capture_leaves_the_step_counts_alone() -> None:
    """The step fails after the update, in what it returns."""
    w = byhand.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.Adam([w], lr=0.1)
    kept: list[Any] = []

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        optimizer.step()
        kept.append(loss.detach())
        return loss

    step(byhand.ones(2))
    before = [optimizer.state[w]["step"], w.tolist(), optimizer.state[w]["exp_avg"].tolist()]
    with pytest.raises(CaptureError, match="is kept outside of it"):
        byhand.compile(step)(byhand.ones(2))
    assert [optimizer.state[w]["step"], w.tolist(), optimizer.state[w]["exp_avg"].tolist()] == before


def test_a_defect_of_the_compiler_is_called_one_and_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(program: Any, without: Any = ()) -> Any:
        raise IndexError("tuple index out of range")

    monkeypatch.setattr(entry, "optimise", broken)
    w = byhand.tensor([1.0, 2.0])

    def double() -> Any:
        return w.mul_(2)

    with pytest.raises(CaptureError, match=r"is a defect of byhand \(IndexError: tuple index out of range\)"):
        byhand.compile(double, dialect="planned")()
    assert w.tolist() == [1, 2]
    with pytest.warns(UserWarning, match="runs eagerly: .* no planned program could be made of it"):
        assert byhand.compile(double, dialect="planned", fallback="eager")().tolist() == [2, 4]


def test_numpys_generators_are_put_back_where_a_capture_fails() -> None:
    rng = np.random.default_rng(3)
    state = rng.bit_generator.state

    @byhand.compile
    def noisy(x: Any) -> Any:
        return x * float(rng.random())

    with pytest.raises(CaptureError, match="the step draws random numbers from Python's random or from NumPy"):
        noisy(byhand.ones(2))
    assert rng.bit_generator.state == state
