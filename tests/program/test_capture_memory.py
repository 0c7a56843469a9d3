"""In-place changes, views and gradients in every form: eager = compiled, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.autograd import grad, jacobian, value_and_grad
from byhand.core.errors import CaptureError, GraphError
from program.captured import agree, count_captures, same

pytestmark = pytest.mark.usefixtures("interpreted")


def by_row(x: Any) -> Any:
    for i in range(x.shape[0]):
        x[i] = x[i] * (i + 1)
    return x


def through_views(x: Any) -> Any:
    row, column = x[1], x.T[0]
    row += 1
    column *= 2
    x.view(-1)[::2] -= 3
    return x, row, column


def views_of_views(x: Any) -> Any:
    inner = x.view(2, 3, 2)[:, 1:].transpose(1, 2)
    inner[0].mul_(2)
    x[:, 0] = 5
    return x, inner


def reshaped_in_place(x: Any) -> Any:
    x.t_().unsqueeze_(0)
    x.add_(1)
    return x, x.squeeze_(0)


def from_itself(x: Any) -> Any:
    x[0] = x[1]
    x[:, 1:] = x[:, :-1].clone()
    x.diagonal().copy_(x[0, :3])
    return x


def swapped(x: Any) -> Any:
    a, b = x[0].clone(), x[1].clone()
    x[0], x[1] = b, a
    return x


def stored(x: Any) -> Any:
    x.round_(decimals=1).tril_().cumsum_(1).clamp_(-1, 1).clamp_min_(-0.5)
    x.masked_fill_(x > 0.3, 0.1).nan_to_num_().logical_not_()
    return x


def arithmetic(x: Any) -> Any:
    y = x.clone()
    y += x
    y -= 0.5
    y *= x
    y /= 2
    y **= 2
    y.addcmul_(x, x, value=0.3).addcdiv_(x, y + 1, value=0.1).lerp_(x, 0.2).neg_().abs_()
    y.add_(x, alpha=2).sub_(x, alpha=0.5).div_(3).remainder_(0.7)
    y = (y.sqrt() * 1).exp_()
    return y.log_() if not y.requires_grad else y


def indexed(x: Any) -> Any:
    places = byhand.tensor([2, 0])
    x[places] = 1.5
    x[places, 1] += 2
    x[0, byhand.tensor(1)] = 4
    x.index_add_(0, places, byhand.ones(2, 4)).index_fill_(1, places, -1).index_copy_(0, places, byhand.zeros(2, 4))
    x.scatter_(1, byhand.tensor([[0], [1], [2]]), 9.0).scatter_add_(1, byhand.tensor([[3], [3], [3]]), x[:, :1].clone())
    return x.fill_diagonal_(7)


def buffers(x: Any) -> Any:
    total = byhand.zeros(4)
    history = byhand.empty(3, 4)
    for i, row in enumerate(x):
        total += row
        history[i] = total
    total.zero_().fill_(2).copy_(x[0])
    return total, history


def detached(x: Any) -> Any:
    alias = x.detach()
    alias *= 2
    other = x.data
    other += 1
    return x, alias


CHANGES = [
    by_row, through_views, views_of_views, reshaped_in_place, from_itself, swapped, stored, arithmetic, indexed,
    buffers, detached,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("of", ["result", "argument", "state"])
def test_changes_in_place(change: Callable[[Any], Any], of: str) -> None:
    def make() -> Any:
        state, w = byhand.randn(3, 4), byhand.ones(3, 4, requires_grad=True)

        def step(x: Any) -> Any:
            if of == "state" and change is reshaped_in_place:
                x = x * state
            target = {"result": lambda: x * w, "argument": lambda: x, "state": lambda: state}[of]()
            w.grad = None
            out = change(x if change is reshaped_in_place and of == "state" else target)
            parts = out if isinstance(out, tuple) else (out,)
            if of == "result":
                sum([(part * part).sum() for part in parts[1:]], (parts[0] * parts[0]).sum()).backward()
            return [part.detach().clone() for part in parts]

        return step, (state, w)

    given = [np.random.default_rng(i).standard_normal((3, 4)).astype(np.float32) for i in range(3)]
    if of == "argument" and change is reshaped_in_place:
        return  # an argument cannot get another shape
    agree(make, lambda i: (byhand.tensor(given[i]),), times=3)


def test_a_parameter_changed_twice_and_read_between() -> None:
    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)

        def step(x: Any) -> Any:
            w.grad = None
            first = w * x
            first.sum().backward()
            with byhand.no_grad():
                w.add_(w.grad)
            w.grad = None
            second = w * w
            (second * x).sum().backward()
            with byhand.no_grad():
                w[0] = 0
                w[1:].mul_(0.5)
            return first.detach(), second.detach(), w.detach().clone()

        return step, w

    agree(make, lambda i: (byhand.randn(3),))


def test_a_change_that_backward_would_miss_is_an_error_as_always() -> None:
    def step(x: Any) -> Any:
        w = byhand.ones(3, requires_grad=True)
        y = w * 1
        z = y * y
        y.add_(x)
        z.sum().backward()

    with pytest.raises(GraphError, match="overwrote it"):
        byhand.compile(step)(byhand.ones(3))


def test_running_statistics_by_hand() -> None:
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", byhand.zeros(4))
            self.register_buffer("count", byhand.tensor(0))

        def forward(self, x: Any) -> Any:
            if self.training:
                self.mean.lerp_(x.detach().mean(0), 0.1)
                self.count += 1
            return x - self.mean

    def make() -> Any:
        model = nn.Sequential(nn.Linear(4, 4), Centred())

        def step(x: Any) -> Any:
            return model(x).detach()

        return step, model

    agree(make, lambda i: (byhand.randn(5, 4),))


def test_a_buffer_that_is_set_anew_is_refused_and_stays() -> None:
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", byhand.zeros(4))
            self.seen: list[Any] = []

        def forward(self, x: Any) -> Any:
            self.seen.append(1)
            self.total = self.total + x.detach().sum(0)
            return x * 2

    model = Counted()
    total = model.total
    with pytest.raises(CaptureError, match="kept outside"):
        byhand.compile(model)(byhand.ones(2, 4))
    assert model.total is total and type(total.array) is np.ndarray
    assert model.seen == []
    with pytest.warns(UserWarning, match="runs eagerly"):
        byhand.compile(model, fallback="eager")(byhand.ones(2, 4))
    assert model.total.tolist() == [2.0] * 4 and model.seen == [1]


def test_what_shares_memory_outside_is_refused() -> None:
    w = byhand.zeros(4)
    view = w[1:3]

    def step(x: Any) -> Any:
        w.add_(x)
        return view * 2

    with pytest.raises(CaptureError, match="shares memory with another tensor"):
        byhand.compile(step)(byhand.ones(4))
    assert w.tolist() == [0.0] * 4
    halves = [w[:2], w[2:]]

    @byhand.compile
    def apart(x: Any) -> Any:
        for half in halves:
            half.add_(x)
        return halves[0] + halves[1]

    assert [apart(byhand.ones(2)).tolist() for _ in range(2)] == [[2.0, 2.0], [4.0, 4.0]]
    assert w.tolist() == [2.0] * 4


def test_an_alias_of_a_parameter_may_be_kept() -> None:
    w, kept = byhand.ones(3, requires_grad=True), []

    @byhand.compile
    def step(x: Any) -> Any:
        kept.append(w.detach())
        with byhand.no_grad():
            w.add_(x)
        return w * 1

    for i in range(3):
        assert step(byhand.ones(3)).tolist() == [i + 2.0] * 3
    assert len(kept) == 1 and kept[0].array is w.array  # appended when it was captured


def test_grad_and_its_relatives() -> None:
    def function(x: Any) -> Any:
        return (x**3).sum() + x[0] * x[1]

    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)

        def step(x: Any) -> Any:
            (first,) = grad((w * x).square().sum(), w, create_graph=True)
            (second,) = grad(first.sum(), w)
            (unused,) = grad((x * w).sum(), byhand.ones(2, requires_grad=True), allow_unused=True)
            value, slope = value_and_grad(function)(x)
            return (
                second,
                unused,
                value,
                slope,
                jacobian(lambda v: v * v.sum(), x),
                byhand.autograd.hessian(function, x),
            )

        return step, w

    agree(make, lambda i: (byhand.randn(3),))


def test_value_and_grad_compiled() -> None:
    model = nn.Linear(3, 2)

    def loss(x: Any, scale: float, labels: Any, weight: Any) -> Any:
        return (model(x) * scale).square().sum() + (labels * weight).sum()

    x, labels, weight = byhand.randn(4, 3), byhand.tensor([1, 2]), byhand.randn(2)
    compiled = byhand.compile(value_and_grad(loss))
    captures = count_captures(compiled)
    for k in range(3):
        given = x * k, k + 0.5, labels
        same(value_and_grad(loss)(*given, weight=weight), compiled(*given, weight=weight))
    assert len(captures) == 1 and model.weight.grad is None


def test_hooks_on_tensors_and_retained_gradients() -> None:
    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)
        w.register_hook(lambda g: g.clamp(-1, 1))

        def step(x: Any) -> Any:
            w.grad = None
            h = w * x
            h.register_hook(lambda g: g * 2)
            h.retain_grad()
            (h * h).sum().backward()
            return h.grad

        return step, w

    compiled = agree(make, lambda i: (byhand.randn(3),))
    w = compiled.function.__closure__[0].cell_contents
    captures = count_captures(compiled)
    w.register_hook(lambda g: g * 0)
    compiled(byhand.ones(3))
    assert w.grad.tolist() == [0.0] * 3 and len(captures) == 1


def test_hooks_on_modules_and_optimisers() -> None:
    seen: list[Any] = []

    def make() -> Any:
        model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
        optimizer = byhand.optim.SGD(model.parameters(), lr=0.1)
        model[0].register_forward_hook(lambda module, args, out: out * 2)
        optimizer.register_step_post_hook(lambda optimizer, args, kwargs: model[0].weight.clamp_(-1, 1))
        model.register_full_backward_hook(lambda module, g_in, g_out: seen.append(len(g_in)))

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = model(x).square().sum()
            loss.backward()
            with byhand.no_grad():
                optimizer.step()
            return loss

        return step, (model, optimizer)

    compiled = agree(make, lambda i: (byhand.randn(2, 3),))
    model = compiled.function.__closure__[0].cell_contents
    model[1].register_forward_hook(lambda module, args, out: out * 0)
    assert compiled(byhand.ones(2, 3)).item() == 0.0
