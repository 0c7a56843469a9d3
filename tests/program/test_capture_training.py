"""Training steps: eager = compiled, bit for bit, for the idioms of training loops."""

from __future__ import annotations

from typing import Any

import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import DomainError
from byhand.nn import functional as F
from program.captured import agree, contents, same

pytestmark = pytest.mark.usefixtures("interpreted")


def batch(i: int, n: int = 5) -> tuple[Any, ...]:
    return byhand.randn(n, 4), byhand.randint(0, 3, (n,))


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


OPTIMIZERS = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.1, "weight_decay": 0.01, "maximize": True}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (optim.Adam, {"weight_decay": 0.1}),
    (optim.Adam, {"amsgrad": True, "maximize": True}),
    (optim.AdamW, {}),
    (optim.NAdam, {"weight_decay": 0.1}),
    (optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.RMSprop, {"weight_decay": 0.1}),
    (optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (optim.Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1}),
    (optim.Adadelta, {"weight_decay": 0.1}),
]


@pytest.mark.parametrize("kind, options", OPTIMIZERS)
def test_optimisers(kind: Any, options: dict[str, Any]) -> None:
    def make() -> Any:
        model = network()
        optimizer = kind(model.parameters(), **options)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    agree(make, batch)


def test_state_that_the_first_step_makes_is_captured_with_the_second() -> None:
    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)
        optimizer = optim.SGD([w], lr=0.1, momentum=0.9, dampening=0.5)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = ((w - x) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        return step, (w, optimizer)

    agree(make, lambda i: (byhand.randn(3),), captures=2)


def test_a_schedule_moves_the_learning_rate_and_momentum_between_steps() -> None:
    losses = []
    for compiled in (False, True):
        byhand.manual_seed(0)
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=8)

        def step(x: Any, y: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = byhand.compile(step) if compiled else step
        byhand.manual_seed(1)
        found = []
        for i in range(8):
            found.append(run(*batch(i)).item())
            schedule.step()
        losses.append(found)
        if compiled:
            assert "1 program>" in repr(run)
    assert losses[0] == losses[1]


def test_update_by_hand_without_an_optimiser() -> None:
    def make() -> Any:
        w, b = byhand.randn(4, 3, requires_grad=True), byhand.zeros(3, requires_grad=True)

        def step(x: Any, y: Any) -> Any:
            loss = F.cross_entropy(x @ w + b, y)
            loss.backward()
            with byhand.no_grad():
                for p in (w, b):
                    p -= 0.1 * p.grad
                    p.grad = None
            return loss

        return step, (w, b)

    agree(make, batch)


def test_update_by_data() -> None:
    def make() -> Any:
        w = byhand.randn(4, 3, requires_grad=True)

        def step(x: Any, y: Any) -> Any:
            w.grad = None
            loss = F.cross_entropy(x @ w, y)
            loss.backward()
            w.data -= 0.1 * w.grad.data
            w.data = w.data * 0.99
            return loss.data

        return step, w

    agree(make, batch)


def test_one_optimiser_steps_twice() -> None:
    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)
        optimizer = optim.Adam([w], lr=0.1)

        def step(x: Any) -> Any:
            for _ in range(2):
                optimizer.zero_grad()
                loss = ((w - x) ** 2).sum()
                loss.backward()
                optimizer.step()
            return loss

        return step, (w, optimizer)

    agree(make, lambda i: (byhand.randn(3),))


def test_an_optimiser_with_a_closure() -> None:
    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)
        optimizer = optim.Adam([w], lr=0.1)

        def step(x: Any) -> Any:
            def closure() -> Any:
                optimizer.zero_grad()
                loss = ((w - x) ** 2).sum()
                loss.backward()
                return loss

            return optimizer.step(closure)

        return step, (w, optimizer)

    agree(make, lambda i: (byhand.randn(3),))


def test_parameter_groups_with_rates_of_their_own() -> None:
    def make() -> Any:
        model = network()
        groups = [{"params": model[0].parameters(), "lr": 0.5}, {"params": model[2].parameters(), "weight_decay": 0.1}]
        optimizer = optim.AdamW(groups, lr=0.01)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    agree(make, batch)


def test_frozen_layers_and_tied_weights() -> None:
    def make() -> Any:
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))
        model[2].weight = model[0].weight
        model[4].requires_grad_(False)
        optimizer = optim.Adam([p for p in model.parameters() if p.requires_grad])

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    agree(make, batch)


def test_a_layer_without_a_gradient_in_this_step() -> None:
    def make() -> Any:
        model = network()
        optimizer = optim.Adam(model.parameters())

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = model[0](x).square().mean() + 0.0 * y.sum()
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    agree(make, batch)


def test_a_moving_average_of_the_parameters() -> None:
    def make() -> Any:
        model, average = network(), network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            with byhand.no_grad():
                for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                    slow.mul_(0.9).add_(fast, alpha=0.1)
            return loss

        return step, (model, average)

    agree(make, batch)


def test_an_error_of_a_later_call_leaves_everything_as_it_was() -> None:
    model = network()
    optimizer = optim.Adam(model.parameters())

    @byhand.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = batch(0)
    step(x, y)
    step(x, y)
    before = contents([model, optimizer])
    with pytest.raises(DomainError, match="label 7 at position 0 is out of range"):
        step(x, byhand.full((5,), 7))
    same(before, contents([model, optimizer]))
    step(x, y)
    assert "1 program>" in repr(step)
