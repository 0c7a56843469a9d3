"""What cannot be a program says so, with the line, and leaves everything as it was."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import CaptureError, DomainError, GraphError, UsageError
from byhand.core.generator import default_generator
from byhand.nn import functional as F
from program.captured import contents, same

pytestmark = pytest.mark.usefixtures("interpreted")

W = byhand.tensor([1.0, -2.0, 3.0], requires_grad=True)
KEPT: list[Any] = []
HOLDER: dict[str, Any] = {}


def printed(x: Any) -> None:
    print(x)


LOOKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "item": (lambda x: x.sum().item(), r"read as a Python number.*x\.sum\(\)\.item\(\)"),
    "float": (lambda x: float(x.sum()), "read as a Python number"),
    "int": (lambda x: int(x.sum()), "read as a Python number"),
    "index": (lambda x: [1, 2, 3][x.argmax()], "read as a Python number"),
    "tolist": (lambda x: x.tolist(), "read as Python numbers"),
    "bool": (lambda x: 1 if x.sum() > 0 else 2, "asked whether it is true"),
    "and": (lambda x: x.sum() > 0 and x, "asked whether it is true"),
    "in": (lambda x: 2.0 in x, "np.equal"),
    "allclose": (lambda x: x.allclose(x), "asked whether it is true"),
    "equal": (lambda x: byhand.equal(x, x), "np.array_equal"),
    "numpy": (lambda x: x.detach().numpy(), "turned into a NumPy array"),
    "asarray": (lambda x: np.asarray(x), "turned into a NumPy array"),
    "NumPy function": (lambda x: np.exp(x.array), "computed with np.exp"),
    "NumPy operator": (lambda x: x.array * 2, "computed with np.multiply"),
    "NumPy reduction": (lambda x: x.array.sum(), "reduced by NumPy"),
    "NumPy slice": (lambda x: x.array[0], "indexed outside of an op"),
    "NumPy change": (lambda x: x.array.fill(0), "written to outside of an op"),
    "NumPy copy": (lambda x: x.array.copy(), "copied by NumPy"),
    "NumPy iteration": (lambda x: list(x.array), "iterated over"),
    "print": (printed, "printed"),
    "format": (lambda x: f"{x.sum():.3f}", "printed"),
    "deepcopy": (lambda x: copy.deepcopy(x), "copied"),
    "pickle": (lambda x: pickle.dumps(x), "pickled"),
    "math": (lambda x: math.sqrt(x.sum()), "read as a Python number"),
    "nonzero": (lambda x: x.nonzero(), "the result of nonzero is as large as"),
    "where": (lambda x: byhand.where(x > 0), r"use where\(condition, x, y\)"),
    "masked_select": (lambda x: x.masked_select(x > 0), "as large as the mask says"),
    "mask": (lambda x: x[x > 0], "chosen by a mask"),
    "unique": (lambda x: x.unique(), "the result of unique"),
    "bincount": (lambda x: x.long().abs().bincount(), "the result of bincount"),
    "histc": (lambda x: x.histc(), "the result of histc"),
    "one_hot": (lambda x: F.one_hot(x.long().abs()), "pass num_classes"),
    "repeat_interleave": (lambda x: x.repeat_interleave(x.long().abs()), "the repeats say"),
    "arange": (lambda x: byhand.arange(x[0]), "read as a Python number"),
    "new_tensor": (lambda x: x.new_tensor([x[0]]), "use clone"),
}


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("of", ["argument", "result", "parameter"])
def test_looking_at_values(name: str, of: str) -> None:
    look, message = LOOKS[name]

    def step(x: Any) -> Any:
        value = {"argument": lambda: x, "result": lambda: (x * W).detach(), "parameter": lambda: W.detach()}[of]()
        look(value)
        return value

    with pytest.raises(CaptureError, match=message) as error:
        byhand.compile(step)(byhand.tensor([1.0, 2.0, 3.0]))
    assert "test_capture_refusals.py, line" in str(error.value)
    assert type(W.array) is np.ndarray


def test_the_message_names_the_line_and_what_to_do() -> None:
    @byhand.compile
    def step(x: Any) -> Any:
        loss = (x * x).sum()
        if loss > 1:
            return loss * 2
        return loss

    line = step.function.__code__.co_firstlineno + 3
    with pytest.raises(CaptureError) as error:
        step(byhand.ones(3))
    assert f"test_capture_refusals.py, line {line}: if loss > 1:" in str(error.value)
    assert "byhand.where" in str(error.value) and "fallback='eager'" in str(error.value)


NUMBERS: dict[str, Callable[[Any], Any]] = {
    "math": math.sqrt,
    "int": int,
    "float": float,
    "round": round,
    "abs": abs,
    "floor": lambda p: p // 1,
    "modulo": lambda p: p % 1,
    "text": lambda p: f"{p:.2f}",
    "str": str,
    "key": lambda p: {p: 1},
}


@pytest.mark.parametrize("name", NUMBERS)
def test_looking_at_a_number_that_is_read_at_each_call(name: str) -> None:
    def step(x: Any, p: float) -> Any:
        NUMBERS[name](p)
        return x * p

    with pytest.raises(CaptureError, match="the number p"):
        byhand.compile(step)(byhand.ones(3), 0.5)


def keep(value: Any) -> None:
    KEPT.append(value)


KEEPERS: dict[str, Callable[[Any], Any]] = {
    "a list": keep,
    "a dictionary": lambda value: HOLDER.update(last=value),
    "an attribute": lambda value: setattr(keep, "last", value),
    "a nested list": lambda value: KEPT.append({"deep": [(value,)]}),
}


@pytest.mark.parametrize("name", KEEPERS)
def test_a_value_kept_outside(name: str) -> None:
    def step(x: Any) -> Any:
        loss = ((W - x) ** 2).sum()
        KEEPERS[name](loss.detach())
        return loss

    try:
        with pytest.raises(CaptureError, match=r"is kept outside of it.*return it from the step"):
            byhand.compile(step)(byhand.ones(3))
    finally:
        KEPT.clear()
        HOLDER.clear()
        vars(keep).clear()


def everything() -> tuple[Any, Any, Any]:
    byhand.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    optimizer = optim.Adam(model.parameters())
    F.cross_entropy(model(byhand.randn(5, 3)), byhand.randint(0, 2, (5,))).backward()
    return model, optimizer, byhand.randn(2, requires_grad=True)


@pytest.mark.parametrize("stepped", [True, False])
@pytest.mark.parametrize("fault", [ValueError, CaptureError, KeyboardInterrupt])
def test_an_exception_leaves_everything_as_it_was(fault: type[BaseException], stepped: bool) -> None:
    model, optimizer, extra = everything()
    if stepped:
        optimizer.step()
    before = contents([model, optimizer, extra]), str(default_generator.get_state())
    arrays = [p.array for p in model.parameters()]
    grads = [p.grad for p in model.parameters()]

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x + extra.sum()), y)
        loss.backward()
        optimizer.step()
        model[0].weight.requires_grad_(False)
        with byhand.no_grad():
            model[3].weight.mul_(2)
        if fault is CaptureError:
            loss.item()
        raise fault("a fault")

    x = byhand.ones(5, 3)
    with pytest.raises(fault):
        byhand.compile(step)(x, byhand.zeros(5, dtype=byhand.int64))
    same(before[0], contents([model, optimizer, extra]))
    assert before[1] == str(default_generator.get_state())
    assert all(p.array is a for p, a in zip(model.parameters(), arrays, strict=True))
    assert all(p.grad is g for p, g in zip(model.parameters(), grads, strict=True))
    assert all(p.requires_grad and type(p.array) is np.ndarray for p in model.parameters())
    assert type(x.array) is np.ndarray and (x.array == 1).all()


def test_fallback_warns_once_and_goes_on() -> None:
    model, optimizer, _ = everything()
    twin, other, _ = everything()

    def step(model: Any, optimizer: Any, x: Any) -> float:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    compiled = byhand.compile(step, fallback="eager")
    byhand.manual_seed(1)
    with pytest.warns(UserWarning, match=r"step runs eagerly: .*loss\.item\(\)"):
        found = [compiled(model, optimizer, byhand.ones(4, 3))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found += [compiled(model, optimizer, byhand.ones(4, 3)) for _ in range(2)]
    byhand.manual_seed(1)
    assert found == [step(twin, other, byhand.ones(4, 3)) for _ in range(3)]
    same(model, twin)


def test_options_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="dialect is one of"):
        byhand.compile(lambda: 0, dialect="fast")
    with pytest.raises(UsageError, match="fallback is None or 'eager'"):
        byhand.compile(lambda: 0, fallback="planned")
    with pytest.raises(UsageError, match="takes a function or a module"):
        byhand.compile(3)
    with pytest.raises(UsageError, match="no program yet"):
        byhand.compile(lambda: 0).program


def test_a_learning_rate_changed_by_the_step() -> None:
    w = byhand.ones(2, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    schedule = optim.lr_scheduler.StepLR(optimizer, 30)

    def scheduled() -> None:
        w.sum().backward()
        optimizer.step()
        schedule.step()

    def halved() -> None:
        w.sum().backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 0.5

    with pytest.raises(CaptureError, match=r"call scheduler\.step\(\) after the compiled step"):
        byhand.compile(scheduled)()
    with pytest.raises(CaptureError, match="lr"):
        byhand.compile(halved)()
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert schedule.last_epoch == 0
    assert w.tolist() == [1.0, 1.0]


def test_checks_of_values_are_part_of_the_program() -> None:
    weights = byhand.tensor([1.0, 2.0])
    cases: list[tuple[Any, Any, Any]] = [
        (lambda x: F.binary_cross_entropy(x, x), byhand.full((2,), 0.5), byhand.full((2,), 1.5)),
        (lambda x: F.gaussian_nll_loss(x, x, x), byhand.ones(2), -byhand.ones(2)),
        (lambda i: weights.gather(0, i), byhand.tensor([0, 1]), byhand.tensor([0, 2])),
        (lambda i: F.one_hot(i, 2), byhand.tensor([0, 1]), byhand.tensor([0, 2])),
        (lambda i: F.one_hot(i, 2), byhand.tensor([0, 1]), byhand.tensor([-1, 1])),
        (lambda i: F.cross_entropy(byhand.ones(2, 2), i), byhand.tensor([0, 1]), byhand.tensor([0, 2])),
        (lambda i: F.nll_loss(byhand.ones(2, 2), i), byhand.tensor([0, -100]), byhand.tensor([0, 2])),
        (lambda x: byhand.bernoulli(x), byhand.ones(2), byhand.tensor([2.0, 0.0])),
        (lambda x: byhand.multinomial(x, 2), byhand.ones(2), byhand.tensor([1.0, 0.0])),
        (lambda x: byhand.multinomial(x, 1), byhand.ones(2), byhand.tensor([1.0, -1.0])),
        (lambda x: nn.utils.get_total_norm([x], 2, True), byhand.ones(2), byhand.tensor([1.0, math.inf])),
    ]
    for function, good, bad in cases:
        compiled = byhand.compile(function)
        compiled(good)
        compiled(good)
        with pytest.raises(DomainError) as eager:
            function(bad)
        with pytest.raises(DomainError) as captured:
            compiled(bad)
        assert str(eager.value) == str(captured.value)
        compiled(good)
        assert "1 program>" in repr(compiled)


def test_reading_data_inside_of_the_step() -> None:
    loader = byhand.utils.data.DataLoader(byhand.utils.data.TensorDataset(byhand.ones(4, 3)), batch_size=2)
    batches = iter([byhand.ones(3)])

    def from_loader() -> Any:
        return [x.sum() for (x,) in loader]

    def from_iterator() -> Any:
        return next(batches) * 2

    with pytest.raises(CaptureError, match="a DataLoader is read inside of the step"):
        byhand.compile(from_loader)()
    with pytest.raises(CaptureError, match="the step reads from batches, an iterator"):
        byhand.compile(from_iterator)()
    assert next(batches).tolist() == [1.0] * 3


def test_seeding_inside_of_the_step() -> None:
    stream = byhand.Generator().manual_seed(0)
    before = str(stream.get_state())
    with pytest.raises(CaptureError, match="seed it outside"):
        byhand.compile(lambda: byhand.manual_seed(1) and byhand.rand(2))()
    with pytest.raises(CaptureError, match="set it outside"):
        byhand.compile(lambda: stream.set_state(stream.get_state()))()
    assert str(stream.get_state()) == before


def test_backward_through_a_compiled_function_says_where_to_put_it() -> None:
    model = byhand.compile(nn.Linear(3, 2))
    for _ in range(2):
        with pytest.raises(GraphError, match="a compiled function on the way"):
            model(byhand.ones(1, 3)).sum().backward()
