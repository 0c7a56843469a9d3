"""Calling a compiled function: arguments and results of every kind, and what makes a new program."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import CaptureError
from byhand.nn import functional as F
from program.captured import agree, contents, count_captures, same

pytestmark = pytest.mark.usefixtures("interpreted")

Pair = namedtuple("Pair", "x y")


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 3))


def trainer(model: Any, optimizer: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def batch(n: int = 5) -> tuple[Any, Any]:
    return byhand.randn(n, 4), byhand.randint(0, 3, (n,))


def test_nested_arguments_and_results() -> None:
    def make() -> Any:
        w = byhand.randn(4, requires_grad=True)

        def step(pair: Any, more: Any, *rest: Any, scale: float = 1.0, **named: Any) -> Any:
            out = (pair.x * w).sum() * scale + more["a"][0] - more["a"][1] + rest[0] + named["last"]
            return Pair(out.detach(), {"list": [out.detach() * 2, "text", None, 3], "tuple": (pair.y,)})

        return step, w

    step = make()[0]
    compiled = byhand.compile(step)
    captures = count_captures(compiled)
    for i in range(3):
        xs = [byhand.randn(4) for _ in range(6)]
        given: tuple[Any, ...] = (Pair(xs[0], xs[1]), {"a": [xs[2], xs[3]]}, xs[4])
        options = {"scale": i + 0.5, "last": xs[5]}
        eager, written = step(*given, **options), compiled(*given, **options)
        same(eager, written)
        assert type(written) is Pair and list(written.y) == ["list", "tuple"]
        assert written.y["list"][1:] == eager.y["list"][1:]
        assert written.y["tuple"][0] is xs[1]  # what was given is given back
    assert len(captures) == 1


def test_floats_are_inputs_and_integers_are_constants() -> None:
    compiled = byhand.compile(lambda x, a, n: x * a + n)
    captures = count_captures(compiled)
    x = byhand.ones(2)
    assert [compiled(x, a, 1).tolist()[0] for a in (0.5, 2.0, -1.0)] == [1.5, 3.0, 0.0]
    assert len(captures) == 1
    assert compiled(x, 0.5, 2).tolist()[0] == 2.5 and len(captures) == 2
    assert compiled(x, 0.5, True).tolist()[0] == 1.5 and len(captures) == 3
    assert compiled(x, 0.5, 1).tolist()[0] == 1.5 and len(captures) == 3


def test_what_python_decides_by_a_float_is_guarded() -> None:
    compiled = byhand.compile(lambda x, a: x * a if a > 1 else x + a)
    captures = count_captures(compiled)
    assert [compiled(byhand.ones(1), a).item() for a in (0.5, 3.0, 0.25, 2.0)] == [1.5, 3.0, 1.25, 2.0]
    assert len(captures) == 2


def test_numbers_of_numpy_are_arrays() -> None:
    step = lambda x, a: x * a  # noqa: E731
    compiled = byhand.compile(step)
    captures = count_captures(compiled)
    for a in (np.float64(0.1), np.float64(0.7), np.float32(0.1), np.float32(0.2)):
        same(step(byhand.ones(2), a), compiled(byhand.ones(2), a))
    assert len(captures) == 2


def test_an_argument_that_asks_for_a_gradient() -> None:
    def make() -> Any:
        model = nn.Linear(4, 3)

        def attack(x: Any, y: Any) -> Any:
            F.cross_entropy(model(x), y).backward()
            return (x + 0.1 * x.grad.sign()).detach()

        return attack, model

    given = [(byhand.randn(5, 4, requires_grad=True), byhand.randint(0, 3, (5,))) for _ in range(3)]
    agree(make, lambda i: (given[i][0].detach().requires_grad_(), given[i][1]), times=3, captures=2)

    attack = byhand.compile(make()[0])
    x = byhand.randn(5, 4, requires_grad=True)
    attack(x, given[0][1])
    first = x.grad.clone()
    attack(x, given[0][1])  # adds up
    np.testing.assert_allclose(x.grad.array, 2 * first.array, rtol=1e-6)
    attack(x, given[0][1])
    np.testing.assert_allclose(x.grad.array, 3 * first.array, rtol=1e-6)
    assert "2 programs" in repr(attack)


def test_an_argument_that_is_changed_in_place() -> None:
    def make() -> Any:
        def step(x: Any, n: Any) -> Any:
            x.mul_(2).add_(1)
            x[0] = 7
            n += 1
            return x

        return step, ()

    given = [(byhand.randn(3), byhand.tensor(i)) for i in range(4)]
    agree(make, lambda i: (given[i][0].clone(), given[i][1].clone()))
    compiled = byhand.compile(make()[0])
    x, n = byhand.ones(3), byhand.tensor(0)
    memory = x.array
    assert compiled(x, n) is x and compiled(x, n) is x
    assert x.array is memory and x.tolist() == [7.0, 7.0, 7.0] and n.item() == 2


def test_arguments_in_another_order_of_memory() -> None:
    compiled = byhand.compile(lambda x: x.T * 2)
    captures = count_captures(compiled)
    for x in (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2).T, np.arange(24.0).reshape(4, 6)[::2, ::2]):
        np.testing.assert_array_equal(compiled(byhand.tensor(x)).array, x.T * 2)
    assert len(captures) == 1


def test_results_are_memory_of_their_own() -> None:
    w = byhand.ones(3)
    compiled = byhand.compile(lambda x: (x, x.view(3, 1), w * x, w.view(3, 1), x.array))
    kept = [compiled(byhand.full((3,), float(i))) for i in range(3)]
    for i, (x, column, product, row, array) in enumerate(kept):
        assert x.tolist() == product.tolist() == array.tolist() == column.reshape(3).tolist() == [float(i)] * 3
        assert row.reshape(3).tolist() == [1.0] * 3
    kept[2][3].zero_()
    assert w.tolist() == [1.0] * 3


def test_callables_of_every_kind() -> None:
    class Scaled:
        def __init__(self) -> None:
            self.w, self.power = byhand.randn(3), 2

        def __call__(self, x: Any, k: float) -> Any:
            return (x * self.w) ** self.power * k

    scaled, x = Scaled(), byhand.randn(3)
    for function, given in ((scaled, (x, 0.5)), (functools.partial(scaled, k=0.5), (x,)), (scaled.__call__, (x, 0.5))):
        compiled = byhand.compile(function)
        for power in (2, 2, 3):
            scaled.power = power
            same(function(*given), compiled(*given))


def test_arrays_of_the_surroundings_are_read_at_each_call() -> None:
    weights = np.ones(3, np.float32)
    compiled = byhand.compile(lambda x: x * weights)
    captures = count_captures(compiled)
    x = byhand.ones(3)
    assert compiled(x).tolist() == compiled(x).tolist() == [1.0] * 3
    weights[:] = 2
    assert compiled(x).tolist() == [2.0] * 3 and len(captures) == 1
    weights = np.full(3, 3, np.float32)
    assert compiled(x).tolist() == [3.0] * 3 and len(captures) == 2


def test_what_cannot_be_a_result() -> None:
    class Output:
        def __init__(self, x: Any) -> None:
            self.x = x

    with pytest.raises(CaptureError, match="returns an iterator"):
        byhand.compile(lambda x: iter([x]))(byhand.ones(3))
    with pytest.raises(CaptureError, match="returns an Output, which holds values of the step"):
        byhand.compile(lambda x: Output(x * 2))(byhand.ones(3))


def test_a_last_smaller_batch_and_other_dtypes() -> None:
    found = []
    for compiled in (False, True):
        byhand.manual_seed(0)
        model = network()
        optimizer = optim.Adam(model.parameters())
        step = trainer(model, optimizer)
        if compiled:
            step = byhand.compile(step, keep_grads=True)
            captures = count_captures(step)
        losses = [step(*batch(n)).item() for n in (5, 5, 3, 5, 5, 3)]
        found.append((losses, contents([model, optimizer])))
    same(*found)
    assert len(captures) == 2


def test_a_compiled_function_within_another() -> None:
    def make(inner_too: bool = True) -> Any:
        model = network()
        optimizer = optim.Adam(model.parameters())
        inner = byhand.compile(lambda x: model(x).log_softmax(1)) if inner_too else lambda x: model(x).log_softmax(1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.nll_loss(inner(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, model

    byhand.manual_seed(0)
    (eager, left), (step, right) = make(inner_too=False), make()
    right.load_state_dict(left.state_dict())
    compiled = byhand.compile(step, keep_grads=True)
    for i in range(4):
        if i == 3:  # the mode of a model that only the inner function names
            left.eval()
            right.eval()
        given = batch()
        byhand.manual_seed(1)
        expected = eager(*given)
        byhand.manual_seed(1)
        same(expected, compiled(*given))
    same(left, right)
    assert "0.weight" in [value.name for value in compiled.program.states]


def test_objects_as_arguments_are_constants() -> None:
    class Batch:
        def __init__(self, k: float) -> None:
            self.x = byhand.full((3,), k)

    compiled = byhand.compile(lambda batch, kind: batch.x * (2 if kind == "double" else 1))
    captures = count_captures(compiled)
    batches = [Batch(1.0), Batch(2.0)]
    for _ in range(2):
        assert [compiled(b, "double").tolist()[0] for b in batches] == [2.0, 4.0]
        batches[0].x.mul_(1)
    assert len(captures) == 2
    assert compiled(batches[0], "single").tolist()[0] == 1.0


def test_a_new_program_at_each_call_is_worth_a_warning() -> None:
    compiled = byhand.compile(lambda x, n: x * n)
    assert [compiled(byhand.ones(1), n).item() for n in range(15)] == list(range(15))
    with pytest.warns(UserWarning, match=r"captured 16 times: .* pass floats or tensors"):
        compiled(byhand.ones(1), 15)
    assert [compiled(byhand.ones(1), n).item() for n in range(20)] == list(range(20))


def test_labels_that_are_ignored_from_some_batch_on() -> None:
    labels = [byhand.tensor(row) for row in ([0, 1, 2], [2, 1, 0], [0, -100, 1], [1, 1, 1], [-100, -100, 2])]

    def make() -> Any:
        model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        return trainer(model, optimizer), (model, optimizer)

    agree(make, lambda i: (byhand.randn(3, 4), labels[i]), times=5, captures=2)
