"""Work that threads share: each part is done once, by whoever comes, and gives the same bits with help and without."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite")

import byhand
from byhand import nn
from byhand.core.threads import get_num_threads, limit_blas_threads
from byhand.nn import functional as F
from byhand.program.loops import Loops, driver, executable, settlement, sharing
from byhand.program.loops.machine_code import INTEGER, functions
from byhand.program.loops.sharing import Span, span
from byhand.program.loops.team import Team, memory, team
from program.loops import Ran, assert_close, normal
from program.lowered import Lowered
from program.random_lowered import Writer, codes

THREADS = 3


@pytest.fixture(autouse=True)
def everything_is_shared(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every loop and product, however small, by three threads."""
    monkeypatch.setattr(executable, "lanes", lambda: THREADS)
    for name in ("LEAST", "LEAST_PRODUCT", "STEP", "FEW"):
        monkeypatch.setattr(sharing, name, 1)
    monkeypatch.setattr(settlement, "WORTH", 0)


# The parts.


@given(st.integers(0, 500), st.integers(1, 9))
def test_a_span_has_every_round_once(rounds: int, threads: int) -> None:
    found = span(rounds, threads)
    if found is None:
        assert rounds < 2 or threads < 2
        return
    places: dict[str, Any] = {"minimum": min}
    done: list[int] = []
    for part in range(found.parts):
        exec("\n".join(found.lines()), places, here := {"part": part})
        done += range(here["first"], here["last"])
    assert done == list(range(rounds))


def test_few_rounds_are_parts_by_themselves() -> None:
    assert Span(3, 1).parts == 3 and Span(3, 1).lines() == ["first = part", "last = part + 1"]


# The team.

COUNTING = """
@part
def part_1(given, part):
    done = argument_i8(kept_i8(given, 0))
    done[part] = done[part] + 1


def main(team, given, done):
    keep(given, 0, done)
    lead(team, given, part_1, 7)
    return 0
"""


@pytest.mark.parametrize("helpers", [0, 1, 3])
def test_each_part_is_done_once(helpers: int) -> None:
    team, given, done = Team(helpers), np.zeros(1, np.int64), np.zeros(7, np.int64)
    main = functions(COUNTING, {"main": [INTEGER] * 3}, None)["main"]
    alone = memory()
    for _ in range(300):
        leading = team.begin(alone.ctypes.data)
        main(leading, given.ctypes.data, id(done))
        team.end(leading)
    assert done.tolist() == [300] * 7
    team.stop()
    assert not any(helper.is_alive() for helper in team._helpers)


def test_helpers_sleep_and_wake() -> None:
    team = Team(1)
    for _ in range(2):
        until = time.monotonic() + 10
        while not team._asleep and time.monotonic() < until:
            time.sleep(0.001)
        assert len(team._asleep) == 1
        team.end(team.begin(0))
    team.stop()


def test_who_comes_second_works_alone_and_numpy_gets_its_threads_back() -> None:
    team, before = Team(0), get_num_threads()
    limit_blas_threads(2)
    if get_num_threads() == 2:  # an OpenBLAS, on two cores
        first = team.begin(1)
        assert first != 1 and get_num_threads() == 1 and team.begin(1) == 1
        team.end(1)
        assert get_num_threads() == 1
        team.end(first)
        assert get_num_threads() == 2
    limit_blas_threads(1)
    assert team.begin(1) == 1  # one thread is wanted
    limit_blas_threads(before)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_gives_the_team_back(error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    p, before = Lowered(), get_num_threads()
    loops = Loops(p.done(p("tanh", p.argument(normal(40, 30), "x"))), threads=THREADS)

    def interrupted(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(driver, "functions", lambda _, kernels, __: dict.fromkeys(kernels, interrupted))
    with pytest.raises(error):
        loops.bind([])(normal(40, 30))
    assert not team(THREADS)._taken.locked() and get_num_threads() == before


# The laws.


@settings(max_examples=30, deadline=None)
@given(codes())
def test_random_programs(code: Any) -> None:
    writer = Writer()
    program = writer.run(code)
    Ran(writer.p, program).agrees(tolerance=1e-5)


@pytest.mark.parametrize("fold", ["add.reduce", "maximum.reduce", "multiply.reduce"])
@pytest.mark.parametrize("axis", [(0,), (1,), (0, 1)])
def test_sums_over_what_is_shared(fold: str, axis: tuple[int, ...]) -> None:
    p = Lowered()
    x = p.argument(normal(37, 12), "x")
    ran = Ran(p, p.done(p(fold, p("sin", x), axis=axis, keepdims=False)))
    ran.agrees(looser=8)
    assert "lead(team" in ran.loops.source


def test_a_nan_in_any_part_is_the_maximum() -> None:
    for place in (0, 20, 36):
        p, data = Lowered(), normal(37, 12)
        data[place] = np.nan
        x = p.argument(data, "x")
        Ran(p, p.done(p("maximum.reduce", p("sin", x), axis=(0,), keepdims=False))).agrees()


@pytest.mark.parametrize("fold", ["logical_or.reduce", "logical_and.reduce"])
def test_truths_of_all_parts(fold: str) -> None:
    for place in (None, 0, 20, 36):
        p, data = Lowered(), np.full((37, 3), fold == "logical_and.reduce")
        if place is not None:
            data[place] ^= True
        x = p.argument(data, "x")
        ran = Ran(p, p.done(p(fold, p("logical_not", p("logical_not", x)), axis=(0, 1), keepdims=False)))
        ran.agrees()
        assert "lead(team" in ran.loops.source


def test_rows_between_loops_are_each_threads_own() -> None:
    p = Lowered()
    x = p.argument(normal(40, 30), "x")
    e = p("exp", p("subtract", x, p("maximum.reduce", x, axis=(1,), keepdims=True)))
    ran = Ran(p, p.done(p("divide", e, p("add.reduce", e, axis=(1,), keepdims=True))))
    ran.agrees(looser=4)
    assert "part *" in ran.loops.source


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(2, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(5, 4, (3, 2), stride=(2, 1), padding=1, dilation=(1, 2)), nn.GELU(),
            nn.Flatten(), nn.LazyLinear(6),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        return self.body(x)


class Sequential(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(11, 8), nn.LSTM(8, 12, batch_first=True)
        self.gru, self.norm, self.head = nn.GRU(12, 8, batch_first=True), nn.LayerNorm(8), nn.Linear(8, 6)

    def forward(self, x: Any) -> Any:
        h = self.norm(self.gru(self.lstm(self.embedding(x))[0])[0])
        return self.head(F.scaled_dot_product_attention(h, h, h, is_causal=True).mean(1))


def trained(module: type[nn.Module], x: Any, dialect: str, dtype: Any) -> list[Any]:
    byhand.manual_seed(1)
    model = module()
    model(byhand.from_numpy(x))
    model.to(dtype)
    optimizer = byhand.optim.Adam(model.parameters(), lr=1e-2)
    labels = byhand.arange(len(x)) % 6

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    compiled = step if dialect == "eager" else byhand.compile(step, dialect=dialect)
    losses = [compiled(byhand.from_numpy(x)).item() for _ in range(5)]
    return [np.array(losses), *[p.array.copy() for p in model.parameters()]]


IMAGES = normal(7, 2, 10, 9, dtype=np.float64)
TEXT = np.random.default_rng(0).integers(0, 11, (6, 9))
NETWORKS = [(Convolutional, IMAGES), (Sequential, TEXT)]


@pytest.mark.parametrize(("module", "x"), NETWORKS, ids=["convolutional", "sequential"])
def test_networks_train_as_in_eager_mode(module: Any, x: Any) -> None:
    for mine, eager in zip(*[trained(module, x, d, byhand.float64) for d in ("loops", "eager")], strict=True):
        np.testing.assert_allclose(mine, eager, 1e-9, 1e-9 * np.abs(eager).max())


@pytest.mark.parametrize(("module", "x"), NETWORKS, ids=["convolutional", "sequential"])
def test_help_changes_no_bit(module: Any, x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    helped = trained(module, x, "loops", byhand.float64)
    monkeypatch.setattr(Team, "begin", lambda self, alone: alone)
    for mine, alone in zip(helped, trained(module, x, "loops", byhand.float64), strict=True):
        np.testing.assert_array_equal(mine, alone)


def test_two_steps_at_the_same_time() -> None:
    x = [byhand.randn(60, 50) for _ in range(2)]
    steps = [byhand.compile(lambda x: (x @ x.T).tanh().sum(0), dialect="loops") for _ in x]
    wanted = [[step(a).array.copy() for _ in range(2)][-1] for step, a in zip(steps, x, strict=True)]
    wrong: list[int] = []

    def run(i: int) -> None:
        wrong.extend(i for _ in range(200) if not np.array_equal(steps[i](x[i]).array, wanted[i]))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Convolutions, which are lowered for loops in a way of their own.


@st.composite
def convolutions(draw: Any) -> Any:
    ndim = draw(st.integers(1, 3))
    each = st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim).map(tuple)
    kernel, stride, dilation = draw(each), draw(each), draw(each)
    padding = tuple(draw(st.integers(0, 2)) for _ in range(ndim))
    channels, count = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    least = [d * (k - 1) + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    sizes = tuple(max(n, 1) + draw(st.integers(0, 4)) for n in least)
    return (draw(st.integers(1, 4)), channels, *sizes), (count, channels, *kernel), stride, padding, dilation


@settings(max_examples=30, deadline=None)
@given(convolutions(), st.sampled_from([1, 3]), st.booleans())
def test_convolutions(case: Any, threads: int, transposed: bool) -> None:
    shape, weight_shape, stride, padding, dilation = case
    ndim = len(stride)
    conv = getattr(F, f"conv_transpose{ndim}d" if transposed else f"conv{ndim}d")
    if transposed:
        weight_shape = weight_shape[1], weight_shape[0], *weight_shape[2:]
        along = zip(shape[2:], weight_shape[2:], stride, dilation, padding, strict=True)
        if min((n - 1) * s + d * (k - 1) + 1 - 2 * p for n, k, s, d, p in along) < 1:
            return
    x, w = (byhand.from_numpy(normal(*s, dtype=np.float64)).requires_grad_() for s in (shape, weight_shape))
    count = weight_shape[1] if transposed else weight_shape[0]
    bias = byhand.from_numpy(normal(count, dtype=np.float64)).requires_grad_()

    def step(x: Any, w: Any, bias: Any) -> Any:
        out = conv(x, w, bias, stride=stride, padding=padding, dilation=dilation)
        return (out, *byhand.autograd.grad((out * out.sin()).sum(), (x, w, bias)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executable, "lanes", lambda: threads)
        compiled = byhand.compile(step, dialect="loops")
        compiled(x, w, bias)
        found = compiled(x, w, bias)
    for mine, eager in zip(found, step(x, w, bias), strict=True):
        assert_close(mine.detach().array, eager.detach().array, case, tolerance=1e-11)
    assert not any("convolution" in line for line in compiled.text("loops").splitlines() if "call_" in line)


def test_the_table_of_ops_in_programs_for_three_threads() -> None:
    p = Lowered()
    x, y = p.argument(normal(20, 30), "x"), p.argument(normal(30, 25), "y")
    z = p("matmul", p("tanh", x), y)
    loops = Loops(p.done(p("add", z, p("add.reduce", z, axis=(0,), keepdims=True))), threads=THREADS)
    assert loops.source.count("lead(team") >= 3 and "begin(alone)" in loops.source
