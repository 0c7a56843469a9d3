"""What a program is bound to: when models, modes, states or globals change, another one is captured."""

from __future__ import annotations

import copy
import threading
from collections import namedtuple
from typing import Any

import pytest

import byhand
from byhand import nn, optim
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


def test_evaluation_is_another_program_and_both_are_kept() -> None:
    found = []
    for compiled in (False, True):
        byhand.manual_seed(0)
        model = network()
        run = byhand.compile(model) if compiled else model
        if compiled:
            captures = count_captures(run)
        outs = []
        for _ in range(3):
            model.train()
            outs += [contents(run(byhand.randn(5, 4))) for _ in range(2)]
            run.eval()
            with byhand.no_grad():
                outs += [contents(run(byhand.randn(5, 4))) for _ in range(2)]
        found.append((outs, contents(model)))
    same(*found)
    assert len(captures) == 2


def test_a_step_that_sets_the_mode_itself() -> None:
    def make() -> Any:
        model = network()

        def step(x: Any) -> Any:
            model.train()
            first = model(x)
            model.eval()
            return first.detach(), model(x).detach()

        return step, model

    compiled = agree(make, lambda i: (byhand.randn(5, 4),), captures=2)
    assert compiled.function.__closure__[0].cell_contents.training is False


def test_loading_a_state_between_steps() -> None:
    found = []
    for compiled in (False, True):
        byhand.manual_seed(0)
        model = network()
        optimizer = optim.Adam(model.parameters())
        step = trainer(model, optimizer)
        step = byhand.compile(step, keep_grads=True) if compiled else step
        losses = [step(*batch()).item()]
        saved = copy.deepcopy([model.state_dict(), optimizer.state_dict()])
        losses += [step(*batch()).item() for _ in range(2)]
        model.load_state_dict(saved[0])
        optimizer.load_state_dict(saved[1])
        losses += [step(*batch()).item() for _ in range(2)]
        model.load_state_dict(saved[0], assign=True)
        losses += [step(*batch()).item() for _ in range(2)]
        model.double()
        losses += [step(x.double(), y).item() for x, y in (batch(), batch())]
        found.append((losses, contents([model, optimizer])))
    same(*found)


def test_changing_between_eager_and_compiled_at_any_step() -> None:
    patterns = ["eeeeee", "cccccc", "ececec", "eeccee", "ceecce"]
    found = []
    for pattern in patterns:
        byhand.manual_seed(0)
        model = network()
        optimizer = optim.AdamW(model.parameters())
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
        eager = trainer(model, optimizer)
        ways = {"e": eager, "c": byhand.compile(eager)}
        losses = []
        for way in pattern:
            losses.append(ways[way](*batch()).item())
            schedule.step()
        model.zero_grad()
        found.append((losses, contents([model, optimizer])))
    for other in found[1:]:
        same(found[0], other)


def test_methods_and_what_objects_hold() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.parts = {"model": nn.Linear(4, 3), "extra": [byhand.zeros(3, requires_grad=True)]}
            self.optimizer = optim.SGD([*self.parts["model"].parameters(), *self.parts["extra"]], lr=0.1)
            self.scale = 1.0

        def loss(self, x: Any, y: Any) -> Any:
            return F.cross_entropy(self.parts["model"](x) + self.parts["extra"][0], y) * self.scale

        @byhand.compile
        def step(self, x: Any, y: Any) -> Any:
            self.optimizer.zero_grad()
            loss = self.loss(x, y)
            loss.backward()
            self.optimizer.step()
            return loss

    byhand.manual_seed(0)
    trainers = [Trainer() for _ in range(3)]
    for other in trainers[1:]:
        other.parts["model"].load_state_dict(trainers[0].parts["model"].state_dict())
    bound = byhand.compile(trainers[2].step.function)
    for i in range(4):
        given = batch()
        for t in trainers:
            t.scale = 1.0 if i < 2 else 2.0
        losses = [Trainer.step.function(trainers[0], *given), trainers[1].step(*given), bound(*given)]
        assert len({loss.item() for loss in losses}) == 1
    for t in trainers:
        t.optimizer.zero_grad()
    same(trainers[0].parts, trainers[1].parts)
    same(trainers[0].parts, trainers[2].parts)
    names = {value.name for value in trainers[1].step.program.states}
    assert {"weight", "bias"} <= names


def test_a_model_and_an_optimiser_as_arguments() -> None:
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        return trainer(model, optimizer)(x, y)

    compiled = byhand.compile(step, keep_grads=True)
    captures = count_captures(compiled)
    found = []
    for run in (step, compiled):
        byhand.manual_seed(0)
        models = [network(), network()]
        optimizers = [optim.Adam(model.parameters()) for model in models]
        losses = [run(models[i % 2], optimizers[i % 2], *batch()).item() for i in range(6)]
        models[0].eval()
        losses.append(run(models[0], optimizers[0], *batch()).item())
        found.append((losses, contents([models, optimizers])))
    same(*found)
    assert len(captures) == 3


MODEL = nn.Linear(4, 3)
OFFSET = 1.0


def test_globals_that_are_set_anew() -> None:
    global MODEL, OFFSET
    step = lambda x: MODEL(x).detach() + OFFSET  # noqa: E731
    compiled = byhand.compile(step)
    x = byhand.randn(2, 4)
    for _ in range(2):
        for _ in range(2):
            same(step(x), compiled(x))
        MODEL = nn.Linear(4, 3)
        same(step(x), compiled(x))
        OFFSET += 1.0
        same(step(x), compiled(x))


def test_a_layer_that_is_exchanged() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    compiled = byhand.compile(model)
    x = byhand.randn(2, 4)
    compiled(x)
    model[2] = nn.Linear(4, 5)
    for _ in range(2):
        same(model(x).detach(), compiled(x))
    model[1] = nn.Tanh()
    same(model(x).detach(), compiled(x))
    model[0].weight = nn.Parameter(byhand.ones(4, 4))
    same(model(x).detach(), compiled(x))


def test_freezing_makes_another_program() -> None:
    model = nn.Linear(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    compiled = byhand.compile(trainer(model, optimizer), keep_grads=True)
    captures = count_captures(compiled)
    twin = copy.deepcopy(model)
    plain = trainer(twin, optim.SGD(twin.parameters(), lr=0.1))
    for wanted in (True, True, False, False, True):
        model.weight.requires_grad_(wanted)
        twin.weight.requires_grad_(wanted)
        given = batch()
        same(plain(*given), compiled(*given))
    same(model.state_dict(), twin.state_dict())
    assert len(captures) <= 3


def test_threads() -> None:
    model = nn.Linear(4, 3)
    runs = [byhand.compile(lambda x, k=k: model(x).detach() * k) for k in range(1, 5)]
    given = [byhand.randn(5, 4) for _ in range(4)]
    expected = [(model(x) * k).detach() for k, x in enumerate(given, 1)]
    found: dict[int, Any] = {}
    lock = threading.Lock()

    def work(i: int) -> None:
        for _ in range(20):
            (given[i] @ model.weight.T).sum().item()
            if "program" not in repr(runs[i]) or "0 programs" in repr(runs[i]):
                with lock:
                    found[i] = runs[i](given[i])
            found[i] = runs[i](given[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        same(expected[i], found[i])


def test_copies_of_what_holds_a_compiled_function() -> None:
    class Owner:
        def __init__(self) -> None:
            self.model = nn.Linear(4, 3)

        @byhand.compile
        def run(self, x: Any) -> Any:
            return self.model(x).detach()

    owner, x = Owner(), byhand.randn(2, 4)
    owner.run(x)
    twin = copy.deepcopy(owner)
    with byhand.no_grad():
        twin.model.weight.zero_()
        twin.model.bias.zero_()
    assert twin.run(x).tolist() == [[0.0] * 3] * 2
    assert owner.run(x).tolist() != twin.run(x).tolist()
    compiled = byhand.compile(nn.Linear(4, 3))
    compiled(x)
    other = copy.deepcopy(compiled)
    with byhand.no_grad():
        other.weight.zero_()
        other.bias.zero_()
    assert other(x).tolist() == [[0.0] * 3] * 2
    assert compiled(x).tolist() != other(x).tolist()


class Slotted:
    """Holds a model where nobody looks for it."""

    __slots__ = ("model",)


def test_the_mode_of_a_model_that_was_not_found_counts_too() -> None:
    hidden = Slotted()
    hidden.model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    compiled = byhand.compile(lambda x: hidden.model(x).detach())
    captures = count_captures(compiled)
    x = byhand.randn(2, 4)
    for training in (True, False, True, False):
        hidden.model.train(training)
        byhand.manual_seed(0)
        found = compiled(x)
        byhand.manual_seed(0)
        same(hidden.model(x).detach(), found)
    assert len(captures) == 2


def test_tensors_in_lists_that_are_exchanged() -> None:
    params = [byhand.ones(3), byhand.zeros(3)]
    named = {"scale": byhand.ones(())}
    compiled = byhand.compile(lambda x: (x * params[0] + params[1]) * named["scale"])
    x = byhand.ones(3)
    assert compiled(x).tolist() == compiled(x).tolist() == [1.0] * 3
    params[1] = byhand.ones(3)
    assert compiled(x).tolist() == compiled(x).tolist() == [2.0] * 3
    named["scale"] = byhand.tensor(0.5)
    assert compiled(x).tolist() == [1.0] * 3
