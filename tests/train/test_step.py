"""The compiled step of training: what is compiled, what is not, and that one cannot tell the difference.

`interpreted` runs programs op by op as they were captured, which gives the very bits of an eager step.
"""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import UsageError
from byhand.data import DataLoader, TensorDataset
from byhand.program import entry
from byhand.train import Callback, DivergenceError, GradientClipping, Run, Training, checkpoint, fit, step
from program.captured import Interpreted
from train.networks import TRAIN, X, Y, bits, network, timeless


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "executable", lambda program, dialect, without=(): Interpreted(program))
    monkeypatch.setattr(entry, "optimise", lambda program, without=(): program)


class Look(Callback):
    """What can be seen of a run from outside."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.programs = 0

    def on_epoch_end(self, training: Training) -> None:
        self.running.append(training.running)
        compiled = training._step._compiled
        self.programs = 0 if compiled is None else sum(map(len, compiled.entries.values()))


def run(model: nn.Module, compile: bool | str, data: Any = TRAIN, **options: Any) -> tuple[Any, Any, Look]:
    look = Look()
    optimizer = options.pop("optimizer", lambda p: optim.Adam(p, lr=0.02))(model.parameters())
    given = {"epochs": 3, "batch_size": 16, "seed": 1, "progress": False, "callbacks": [], **options}
    if "scheduler" in given:
        given["scheduler"] = given["scheduler"](optimizer)
    given["callbacks"] = [*given["callbacks"], look]
    history = fit(model, data, optimizer=optimizer, compile=compile, **given)
    return bits(model), timeless(history), look


def one_cycle(optimizer: Any) -> Any:
    return optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clip_norm": 0.1, "scheduler": one_cycle},
        {"optimizer": lambda p: optim.SGD(p, 0.1, momentum=0.9, dampening=0.5)},
        {"loss": nn.MultiMarginLoss(), "metrics": []},
    ],
    ids=["plain", "clipped and scheduled", "momentum of the first step", "hinge"],
)
@pytest.mark.usefixtures("interpreted")
def test_compiled_is_eager_bit_for_bit(options: dict[str, Any]) -> None:
    eager, compiled = run(network(), False, **options), run(network(), "planned", **options)
    assert eager[:2] == compiled[:2]
    assert eager[2].running == ["eager"] * 3 and eager[2].programs == 0
    assert compiled[2].running == ["compiled: planned NumPy"] * 3
    # a full batch and the last of two samples; with dampening the very first step is another one
    assert compiled[2].programs == 2 + (1 if "momentum" in str(options) else 0)


def test_it_compiles_by_default() -> None:
    assert run(network(), True)[2].running[0] == "compiled: planned NumPy"


def test_loops_are_announced_with_the_version_of_what_compiles_them() -> None:
    llvmlite = pytest.importorskip("llvmlite")
    assert step.described("loops") == f"compiled: loops (llvmlite {llvmlite.__version__})"


def test_an_unknown_dialect() -> None:
    with pytest.raises(
        UsageError, match="compile is True, False or one of planned, loops, longhand, eager, not 'fast'"
    ):
        run(network(), "fast")


# --- what a program would not call ---


class Spy(Callback):
    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_backward_end(self, training: Training) -> None:
        self.norms.append(float(abs(training.model[0].weight.grad.array).sum()))


def test_a_callback_between_backward_and_update_keeps_training_eager() -> None:
    spy = Spy()
    found, expected = run(network(), True, callbacks=[spy]), run(network(), False)
    assert found[:2] == expected[:2] and len(spy.norms) == 12
    assert found[2].running[0] == "eager: Spy looks between backward and update"


class OwnClipping(GradientClipping):
    def on_backward_end(self, training: Training) -> None:
        training.model[0].weight.grad.zero_()


def test_a_subclass_that_clips_in_its_own_way_does() -> None:
    model = network()
    before = bits(model)["0.weight"]
    look = run(model, True, callbacks=[OwnClipping(1.0)])[2]
    assert look.running[0] == "eager: OwnClipping looks between backward and update"
    assert bits(model)["0.weight"] == before


class Noise(Callback):
    """Noise on the gradients, which a program can hold."""

    def on_backward_end(self, training: Training) -> None:
        for p in training.model.parameters():
            p.grad.add_(byhand.randn(*p.shape), alpha=0.01)

    def in_step(self, training: Training, loss: Any) -> None:
        self.on_backward_end(training)


@pytest.mark.usefixtures("interpreted")
def test_a_callback_can_be_part_of_the_step() -> None:
    found, expected = (run(network(), compile, callbacks=[Noise()]) for compile in (True, False))
    assert found[:2] == expected[:2] != run(network(), False)[:2]
    assert found[2].running[0].startswith("compiled") and found[2].programs == 2


class Watch(Callback):
    """Hooks in the second of three epochs."""

    def __init__(self, who: str) -> None:
        self.who, self.calls = who, 0

    def on_epoch_begin(self, training: Training) -> None:
        def count(*args: Any) -> None:
            self.calls += 1

        model = training.model
        if training.epoch == 1:
            register = {
                "the model": model[0].register_forward_hook,
                "a parameter": model[0].weight.register_hook,
                "the optimiser": training.optimizer.register_step_post_hook,
            }
            self.hook = register[self.who](count)
        if training.epoch == 2:
            self.hook.remove()


@pytest.mark.parametrize("who", ["the model", "a parameter", "the optimiser"])
def test_epochs_with_hooks_are_eager(who: str) -> None:
    watch = Watch(who)
    running = run(network(), True, callbacks=[watch])[2].running
    assert watch.calls == 4
    assert running == ["compiled: planned NumPy", f"eager: {who} has hooks", "compiled: planned NumPy"]


class Gradients(Callback):
    def __init__(self) -> None:
        self.found: list[Any] = []

    def on_batch_end(self, training: Training) -> None:
        self.found.append([p.grad.tolist() for p in training.model.parameters()])


@pytest.mark.usefixtures("interpreted")
def test_a_callback_of_ones_own_still_finds_the_gradients() -> None:
    ways = [Gradients(), Gradients()]
    for way, compile in zip(ways, (False, True), strict=True):
        run(network(), compile, callbacks=[way])
    assert ways[0].found == ways[1].found and len(ways[0].found) == 12


# --- what cannot be compiled ---


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = network()

    def forward(self, x: Any) -> Any:
        return self.body(x) if x.sum() > 0 else -self.body(x)


class Counts(Branches):
    """Python's own state, which a program would not change."""

    count = 0

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, x: Any) -> Any:
        self.count += 1
        return self.body(x) * (1.0 + self.count)


class Draws(Branches):
    """Random numbers that are not the library's; `rng` is the module's own generator."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(4)
        np.random.seed(7)  # noqa: NPY002  # just what a user's old code does
        random.seed(8)

    def forward(self, x: Any) -> Any:
        return self.body(x) * (1 + self.draw())


class Legacy(Draws):
    def draw(self) -> float:
        return float(np.random.rand())  # noqa: NPY002


class Own(Draws):
    def draw(self) -> float:
        return float(self.rng.random())


class Python(Draws):
    def draw(self) -> float:
        return random.random()


@pytest.mark.parametrize(
    "kind, reason",
    [
        (Branches, "is asked whether it is true"),
        (Counts, "the step changes count, a plain Python number"),
        (Legacy, "the step draws random numbers from"),
        (Own, "the step draws random numbers from"),
        (Python, "the step draws random numbers from"),
    ],
)
def test_what_cannot_be_captured_runs_eagerly_with_one_warning(kind: Any, reason: str) -> None:
    model = kind()
    with pytest.warns(UserWarning, match="training runs eagerly: ") as caught:
        found = run(model, True)
    assert len(caught) == 1 and reason in str(caught[0].message) and "\n" not in str(caught[0].message)
    assert found[2].running == ["eager: the step cannot be captured"] * 3
    other = kind()
    assert found[:2] == run(other, False)[:2]
    assert getattr(model, "count", 0) == getattr(other, "count", 0)


def test_batches_of_something_else() -> None:
    class Embeds(nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(byhand.tensor([[len(word)] * 4 for word in x], dtype=byhand.float32))

    batches = [(["a", "bcd"], byhand.tensor([0, 1]))] * 3
    options = {"loss": nn.CrossEntropyLoss(), "metrics": []}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        look = run(Embeds(4, 2), True, batches, **options)[2]
    assert look.running[0] == "eager: a batch holds something else than tensors"


def of_many_lengths(count: int) -> list[Any]:
    return [tuple(map(byhand.tensor, (X[: i + 2], Y[: i + 2]))) for i in range(count)]


@pytest.mark.usefixtures("interpreted")
def test_only_the_first_shapes_get_a_program() -> None:
    options = {"loss": nn.CrossEntropyLoss(), "metrics": []}
    batches = of_many_lengths(12)
    found, expected = (run(network(), compile, batches, **options) for compile in (True, False))
    assert found[:2] == expected[:2]
    assert found[2].programs == step.MOST_SHAPES == 8


@pytest.mark.usefixtures("interpreted")
def test_a_step_that_is_another_one_each_time_is_not_compiled_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    class Warmer(Callback):
        def on_batch_end(self, training: Training) -> None:
            training.model[2].p = 0.01 * training.step

    monkeypatch.setattr(step, "MOST_PROGRAMS", 5)
    found, expected = (run(network(), compile, callbacks=[Warmer()]) for compile in (True, False))
    assert found[:2] == expected[:2]
    assert found[2].running[-1] == "eager: a number in the step changes all the time"


@pytest.mark.usefixtures("interpreted")
def test_a_number_that_a_callback_changes_makes_a_new_program() -> None:
    class Milder(Callback):
        def on_epoch_begin(self, training: Training) -> None:
            training.model[2].p = 0.5 - 0.1 * training.epoch

    found, expected = (run(network(), compile, callbacks=[Milder()]) for compile in (True, False))
    assert found[:2] == expected[:2] and found[2].programs == 6


# --- divergence ---


def poisoned(compile: bool | str, when: int, **options: Any) -> tuple[str, Any]:
    class Poison(Callback):
        def on_batch_end(self, training: Training) -> None:
            if training.step == when:
                training.model[3].weight.array[0, 0] = np.nan

    model = network()
    with pytest.raises(DivergenceError) as caught:
        run(model, compile, callbacks=[Poison()], **options)
    return str(caught.value), bits(model)


@pytest.mark.parametrize("when", [1, 3, 6])
@pytest.mark.usefixtures("interpreted")
def test_a_loss_that_is_not_finite_ends_the_run_before_the_update(when: int) -> None:
    """In a step that is captured, batch 4 the first of its shape, as in one that runs as a program."""
    found, expected = poisoned(True, when), poisoned(False, when)
    assert found == expected
    assert f"epoch {when // 4 + 1}, batch {when % 4 + 1}: the weights of 3 (weight)" in found[0]


# --- resuming ---


class CrashError(Exception):
    pass


class Crash(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, training: Training) -> None:
        if training.step == self.step:
            raise CrashError


DIALECTS = ["longhand", "planned", "loops"]


@pytest.fixture
def dialect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "loops":
        pytest.importorskip("llvmlite")
    monkeypatch.setattr(step, "default_dialect", lambda: request.param)
    return str(request.param)


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_resumed_run_is_rounded_like_an_unbroken_one(tmp_path: Path, dialect: str, at: int) -> None:
    """Though its programs are captured at other batches."""
    loader = DataLoader(TensorDataset(*map(byhand.tensor, TRAIN)), 16, shuffle=True)
    options = {"clip_norm": 0.5, "scheduler": one_cycle}
    expected = run(network(), dialect, loader, **options)
    with pytest.raises(CrashError):
        run(network(), dialect, loader, callbacks=[Crash(at)], out=tmp_path, save_every_batches=1, **options)
    found = run(network(), True, loader, out=tmp_path, resume=True, **options)
    assert found[:2] == expected[:2]
    assert found[2].running[-1].startswith(f"compiled: {dialect}")


@pytest.mark.usefixtures("interpreted")
def test_the_shapes_that_are_compiled_stay_the_same(tmp_path: Path) -> None:
    options = {"loss": nn.CrossEntropyLoss(), "metrics": [], "out": tmp_path}
    data = TensorDataset(byhand.tensor(X), byhand.tensor(Y))
    sampler = [list(range(i + 2)) for i in range(12)]

    def crashing(at: int, **more: Any) -> Look:
        loader = DataLoader(data, batch_sampler=sampler)
        return run(network(), True, loader, callbacks=[Crash(at)], save_every_batches=1, **options, **more)[2]

    with pytest.raises(CrashError):
        crashing(5)
    assert crashing(99, resume=True).programs == 8
    assert checkpoint.load(tmp_path)["step"]["shapes"] == [((i, 4), (i,)) for i in range(2, 10)]


def test_moments_lie_in_memory_as_before(tmp_path: Path) -> None:
    """Else the program of a resumed run would sum in another order."""
    layouts: list[Any] = []

    class Layout(Callback):
        def on_train_begin(self, training: Training) -> None:
            optimizer = training.optimizer
            layouts.append([[x.array.strides for x in (p, *optimizer.state[p].values()) if hasattr(x, "array")]
                            for p in training.model.parameters() if p in optimizer.state])  # fmt: skip

    run(network(), True, epochs=1, out=tmp_path)
    run(network(), True, out=tmp_path, resume=True, callbacks=[Layout()])
    assert len(layouts[0]) == 4
    assert all(p == moment for p, *moments in layouts[0] for moment in moments)


def shortened(folder: Path, **changes: Any) -> None:
    """A run of one epoch, its checkpoint changed, to be resumed."""
    run(network(), "planned", epochs=1, out=folder)
    state = checkpoint.load(folder)
    state["step"] = state["step"] | changes if changes else None
    checkpoint.save(folder, state)


def test_a_checkpoint_from_before_there_was_a_compiler_goes_on_eagerly(tmp_path: Path) -> None:
    shortened(tmp_path)
    assert run(network(), True, out=tmp_path, resume=True)[2].running[-1] == "eager"


def test_without_llvmlite_a_run_of_loops_goes_on_and_says_so(tmp_path: Path) -> None:
    shortened(tmp_path, dialect="loops")
    with pytest.warns(UserWarning, match="began in the dialect loops, for which llvmlite is missing here"):
        look = run(network(), True, out=tmp_path, resume=True)[2]
    assert look.running[-1] == "compiled: planned NumPy"


def test_a_dialect_that_is_named_wins(tmp_path: Path) -> None:
    shortened(tmp_path, dialect="loops")
    assert run(network(), "longhand", out=tmp_path, resume=True)[2].running[-1] == "compiled: longhand NumPy"
    assert run(network(), False, out=tmp_path, resume=True, epochs=4)[2].running[-1] == "eager"


def test_the_folder_of_a_run_says_how_it_was_compiled(tmp_path: Path) -> None:
    for compile, name in ((True, "planned"), (False, "eager"), ("longhand", "longhand")):
        run(network(), compile, epochs=0, out=tmp_path / name)
        assert Run.load(tmp_path / name).config["compile"] == name
