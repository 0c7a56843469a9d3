"""Longhand: what the text says, where states are written, what is refused. That it is eager: `laws/test_dialects`."""

from __future__ import annotations

import ast
import io
import re
import traceback
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import byhand
from byhand import nn, optim
from byhand.core.op import OPS, Op
from byhand.nn import functional as F
from byhand.program.ir import ARGUMENT, CONSTANT, NUMBER, STATE, UPDATE, Node, Program, Value
from byhand.program.longhand import Longhand, html, show, source
from byhand.program.longhand.expression import literal, parsed, text
from byhand.program.longhand.function import Draft, generalised
from byhand.program.longhand.rules import rule_text
from byhand.program.longhand.source import Surroundings, UnreadableError
from byhand.program.longhand.tidy import tidied
from laws.sample import Sample
from laws.samples import SAMPLES

F32 = np.dtype(np.float32)


def lines(code: str) -> list[str]:
    """The statements of the step, without comments, docstrings and headings."""
    tree = ast.parse(code)
    step = [node for node in tree.body if isinstance(node, ast.FunctionDef)][-1]
    return [text(part) for part in step.body[1:]]


def state(name: str, *shape: int, data: Any = None) -> Value:
    data = np.arange(np.prod(shape, dtype=int), dtype=F32).reshape(shape) if data is None else data
    return Value(data.shape, data.dtype, origin=STATE, name=name, data=data)


def node(op: str, *inputs: Any, **attrs: Any) -> Node:
    """A node of arrays of one shape: that of the first input, unless the op is a view."""
    shape = next(x for x in inputs if isinstance(x, Value)).shape
    shape = shape[::-1] if op == "permute" else shape
    return Node(OPS[op], inputs, attrs, (Value(shape, F32),), UPDATE)


def run(program: Program, *given: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """What the program gives, and what its states are afterwards."""
    states = [value.data.copy("K") for value in program.states]
    return Longhand(program).bind(states)(*given), states


# where states are written


def test_a_state_is_written_where_its_new_value_is_computed() -> None:
    w, lr = state("w", 2, 2), Value((), None, origin=NUMBER, name="lr")
    rate = node("mul", w, lr)
    new = node("sub", w, rate.out)
    program = Program(states=[w], numbers=[lr], nodes=[rate, new], writes=[(w, new.out)])
    assert lines(Longhand(program).source) == ["w -= lr * w"]
    _, (after,) = run(program, 0.5)
    np.testing.assert_array_equal(after, w.data / 2)


def test_a_state_that_is_read_again_is_written_after_that() -> None:
    w, v = state("w", 3), state("v", 3)
    new, other = node("add", w, 1.0), node("mul", w, v)
    program = Program(states=[w, v], nodes=[new, other], outputs=[other.out], writes=[(w, new.out)])
    (result,), (after, _) = run(program)
    np.testing.assert_array_equal(result, w.data * v.data)
    np.testing.assert_array_equal(after, w.data + 1)


def test_two_states_change_places() -> None:
    w, v = state("w", 3), state("v", data=np.array([5, 6, 7], F32))
    _, (one, other) = run(Program(states=[w, v], writes=[(w, v), (v, w)]))
    np.testing.assert_array_equal(one, v.data)
    np.testing.assert_array_equal(other, w.data)


def test_a_state_becomes_the_transpose_of_another_that_is_written_too() -> None:
    w, v = state("w", 2, 2), state("v", 2, 2)
    seen, new = node("permute", w, axes=(1, 0)), node("add", w, 1.0)
    program = Program(states=[w, v], nodes=[seen, new], writes=[(v, seen.out), (w, new.out)])
    _, (one, other) = run(program)
    np.testing.assert_array_equal(one, w.data + 1)
    np.testing.assert_array_equal(other, w.data.T)


def test_two_states_become_the_same_value() -> None:
    w, v = state("w", 3), state("v", data=np.array([5, 6, 7], F32))
    new = node("mul", w, v)
    _, (one, other) = run(Program(states=[w, v], nodes=[new], writes=[(w, new.out), (v, new.out)]))
    np.testing.assert_array_equal(one, w.data * v.data)
    np.testing.assert_array_equal(other, w.data * v.data)


def test_two_states_become_values_of_the_same_formula() -> None:
    w, v = state("w", 3), state("v", 3)
    new, same = node("mul", w, 2.0), node("mul", w, 2.0)
    _, (one, other) = run(Program(states=[w, v], nodes=[new, same], writes=[(w, new.out), (v, same.out)]))
    np.testing.assert_array_equal(one, w.data * 2)
    np.testing.assert_array_equal(other, w.data * 2)


def test_old_values_are_returned_as_they_were() -> None:
    w = state("w", 2, 2)
    seen, new = node("permute", w, axes=(1, 0)), node("add", w, 1.0)
    program = Program(states=[w], nodes=[seen, new], outputs=[w, seen.out, new.out], writes=[(w, new.out)])
    (old, turned, fresh), (after,) = run(program)
    np.testing.assert_array_equal(old, w.data)
    np.testing.assert_array_equal(turned, w.data.T)
    np.testing.assert_array_equal(fresh, w.data + 1)
    fresh += 1
    np.testing.assert_array_equal(after, w.data + 1)


def test_arguments_constants_and_scalars_go_out_as_they_came() -> None:
    x, w = Value((2,), F32, origin=ARGUMENT, name="x"), state("w", 2)
    one = Value((), F32, origin=CONSTANT, data=np.float32(0.1).reshape(()))
    many = Value((40,), F32, origin=CONSTANT, data=np.linspace(0, 1, 40, dtype=F32))
    program = Program(
        arguments=[x], states=[w], constants=[one, many], outputs=[x, one, many, 3.5], writes=[(w, x)],
    )  # fmt: skip
    given = np.array([1, 2], F32)
    (same, scalar, array, number), (after,) = run(program, given)
    np.testing.assert_array_equal(same, given)
    assert not np.shares_memory(same, given)
    assert (scalar, scalar.dtype, number) == (np.float32(0.1), F32, 3.5)
    np.testing.assert_array_equal(array, many.data)
    np.testing.assert_array_equal(after, given)


def shared(sample: Sample) -> bool:
    """Whether the kernel's result is memory of an operand."""
    given = [x.copy() if isinstance(x, np.ndarray) else x for x in sample.operands]
    out = sample.op.kernel(*given, **sample.attrs)
    outs = out if sample.op.residuals else (out,)
    return any(np.shares_memory(y, x) for y in outs for x in given if isinstance(x, np.ndarray) and np.ndim(y))


def test_only_views_and_moves_share_memory() -> None:
    plain = [sample for sample in SAMPLES if sample.compose is None]
    with np.errstate(all="ignore"):
        assert {sample.op.kind for sample in plain if shared(sample)} <= {"view", "move"}


# what a step reads like


def step_of(model: Any, loss: Any, data: Any, **options: Any) -> Any:
    """A step compiled to longhand that has run once."""
    optimizer = optim.SGD(model.parameters(), **{"lr": 0.1, **options})

    @byhand.compile(dialect="longhand")
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    step(*data)
    return step


def classes(features: int = 6, number: int = 3) -> Any:
    return byhand.randn(4, features), byhand.randint(0, number, (4,))


def test_layers_of_a_sequence_are_named_by_what_they_do() -> None:
    inner = nn.Sequential(nn.Linear(5, 5), nn.PReLU())
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), inner, nn.LayerNorm(5), nn.Linear(5, 3))
    code = step_of(model, F.cross_entropy, classes()).source
    for name in ("fc1_weight", "bn1_running_var", "fc2_bias", "prelu1_weight", "ln1_bias", "fc3_weight"):
        assert f"{name}," in code


def test_names_of_the_module_tree_stay() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.out = nn.Linear(6, 4), nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return self.out(byhand.tanh(self.hidden(x)))

    code = step_of(Net(), F.cross_entropy, classes()).source
    assert "z1 = x @ hidden_weight.T + hidden_bias" in code
    assert "d_hidden_weight = d_z1.T @ x" in code


def test_one_layer_needs_no_number() -> None:
    code = step_of(nn.Linear(6, 3), F.cross_entropy, classes()).source
    assert "z = x @ weight.T + bias" in code and "d_z = (p - onehot) / 4" in code


def test_a_matrix_product_and_a_bias_are_a_layer() -> None:
    w, b = byhand.randn(6, 3, requires_grad=True), byhand.zeros(3, requires_grad=True)

    @byhand.compile(dialect="longhand")
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(x @ w + b, y)
        loss.backward()
        with byhand.no_grad():
            for p in (w, b):
                p -= 0.1 * p.grad
                p.grad = None
        return loss

    step(*classes())
    assert lines(step.source)[0] == "z = x @ w + b"
    assert lines(step.source)[-3:] == ["w -= 0.1 * d_w", "b -= 0.1 * d_b", "return loss"]
    assert "# update" in step.source


def test_the_bias_of_a_batch_of_sequences_needs_no_matrix() -> None:
    model = nn.Linear(6, 3)
    step = byhand.compile(dialect="longhand")(
        lambda x: byhand.autograd.grad((model(x) ** 2).sum(), list(model.parameters()))
    )
    step(byhand.randn(2, 5, 6))
    assert "d_z.sum(axis=(0, 1))" in step.source and "d_z.reshape(10, 3).T @ x.reshape(10, 6)" in step.source


def test_names_of_arguments_win() -> None:
    model = nn.Linear(6, 3)

    @byhand.compile(dialect="longhand")
    def step(z: Any, loss: Any) -> Any:
        value = F.cross_entropy(model(z), loss)
        value.backward()
        return value

    step(*classes())
    assert "z_2 = z @ weight.T + bias" in step.source and "loss_2 = -log_p[np.arange(4), loss].mean()" in step.source


def test_a_function_stands_above_with_all_it_calls() -> None:
    def loss(out: Any, y: Any) -> Any:
        return F.mse_loss(byhand.erfc(out), y)

    code = step_of(nn.Linear(6, 3), loss, (byhand.randn(4, 6), byhand.randn(4, 3))).source
    names = [part.name for part in ast.parse(code).body if isinstance(part, ast.FunctionDef)]
    assert names == ["tail", "erfc", "step"]
    assert "COEFFICIENTS = (" in code and ": Array" not in code


@pytest.mark.parametrize("gone", ["COEFFICIENTS", "tail"])
def test_what_stands_above_is_needed(gone: str) -> None:
    def loss(out: Any, y: Any) -> Any:
        return F.mse_loss(byhand.erfc(out), y)

    code = step_of(nn.Linear(6, 3), loss, (byhand.randn(4, 6), byhand.randn(4, 3))).source
    broken = code.replace(f"def {gone}", f"def {gone}_gone").replace(f"{gone} = ", f"{gone}_gone = ")
    names: dict[str, Any] = {}
    exec(broken, names)
    with pytest.raises(NameError, match=gone):
        names["erfc"](np.float32(1.0))


def test_the_error_function_is_pythons() -> None:
    code = step_of(
        nn.Sequential(nn.Linear(6, 3), nn.GELU()), F.mse_loss, (byhand.randn(4, 6), byhand.randn(4, 3))
    ).source
    assert "np.vectorize(math.erf" in code and "import math\n" in code and "COEFFICIENTS" not in code


def test_two_masks_are_drawn_twice() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.Linear(5, 5), nn.Dropout(0.5))
    code = lines(step_of(model, F.mse_loss, (byhand.randn(4, 6), byhand.randn(4, 5))).source)
    for name in ("mask1", "mask2"):
        assert f"{name} = rng.random((4, 5), dtype=np.float32) < 0.5" in code
    assert "h1 = z1 * mask1 / 0.5" in code and "d_z1 = d_h1 * mask1 / 0.5" in code


def test_what_several_lines_need_is_computed_once() -> None:
    loss = nn.CrossEntropyLoss(label_smoothing=0.3)
    code = lines(step_of(nn.Linear(6, 3), loss, classes()).source)
    assert [line for line in code if "np.log(" in line] == [
        "log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))"
    ]


def test_a_long_formula_is_cut() -> None:
    model = nn.Linear(6, 3)

    @byhand.compile(dialect="longhand")
    def step(x: Any) -> Any:
        h = model(x)
        return (byhand.exp(h * h + 1) / (byhand.log(h * h + 2) + byhand.sqrt(h * h + 3)) + byhand.tanh(h) ** 3).sum()

    step(byhand.randn(4, 6))
    assert max(map(len, step.source.splitlines())) <= 100


def test_wrong_labels_are_refused_and_nothing_is_written() -> None:
    model = nn.Linear(6, 3)
    step = step_of(model, F.cross_entropy, classes())
    x, y = classes()
    before = model.weight.array.copy()
    y.array[2] = 3
    with pytest.raises(byhand.core.errors.DomainError, match="3"):
        step(x, y)
    np.testing.assert_array_equal(model.weight.array, before)


def test_an_infinite_exponential_is_no_error_in_a_sigmoid() -> None:
    model = nn.Sequential(nn.Linear(6, 3), nn.Sigmoid())
    step = step_of(model, F.mse_loss, (byhand.randn(4, 6), byhand.randn(4, 3)))
    step(1e4 * byhand.randn(4, 6), byhand.randn(4, 3))  # warnings are errors here


def test_a_traceback_shows_the_line() -> None:
    step = step_of(nn.Linear(6, 3), F.cross_entropy, classes())
    function = step.latest.executable._function()
    with pytest.raises(AttributeError) as caught:
        function(*[None] * function.__code__.co_argcount)
    assert "z = x @ weight.T + bias" in "".join(traceback.format_exception(caught.value))


UPDATES = {
    "SGD": (optim.SGD, {"lr": 0.1}, ["weight -= lr * d_weight"]),
    "decay": (optim.SGD, {"lr": 0.1, "weight_decay": 0.1}, ["weight -= lr * (d_weight + weight_decay * weight)"]),
    "momentum": (optim.SGD, {"lr": 0.1, "momentum": 0.9}, ["v[...] = momentum * v + d_w", "w -= lr * v"]),
    "nesterov": (
        optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        ["v[...] = momentum * v + d_w", "w -= lr * (d_w + momentum * v)"],
    ),
    "Adam": (
        optim.Adam, {},
        ["t += 1", "m[...] = beta1 * m + (1 - beta1) * d_w", "v[...] = beta2 * v + (1 - beta2) * d_w**2",
         "m_hat = m / (1 - beta1**t)", "v_hat = v / (1 - beta2**t)", "w -= lr * m_hat / (np.sqrt(v_hat) + eps)"],
    ),
    "AdamW": (
        optim.AdamW, {},
        ["w[...] = (1 - lr * weight_decay) * w - lr * m_hat / (np.sqrt(v_hat) + eps)"],
    ),
    "amsgrad": (optim.Adam, {"amsgrad": True}, ["v_max[...] = np.maximum(v_max, v)", "v_hat = v_max / (1 - beta2**t)"]),
    "NAdam": (optim.NAdam, {}, ["mu_product *= beta1 * (1 - c1)", "w -= c6 * d_w / u1 + c7 * m / u1"]),
    "Adagrad": (optim.Adagrad, {}, ["s += d_w**2", "w -= lr / c1 * d_w / (np.sqrt(s) + eps)"]),
    "Adadelta": (optim.Adadelta, {}, ["u[...] = rho * u + (1 - rho) * u1**2", "w -= lr * u1"]),
    "RMSprop": (
        optim.RMSprop, {"momentum": 0.5},
        ["b[...] = momentum * b + d_w / (np.sqrt(v) + eps)", "w -= lr * b"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UPDATES)
def test_updates_read_like_the_papers_and_are_eager(name: str) -> None:
    kind, options, expected = UPDATES[name]
    byhand.manual_seed(1)
    data = [classes() for _ in range(5)]
    models, losses = [], []
    for dialect in ("eager", "longhand"):
        byhand.manual_seed(0)
        model = nn.Linear(6, 3)
        optimizer = kind(model.parameters(), **options)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()  # noqa: B023
            loss = F.cross_entropy(model(x), y)  # noqa: B023
            loss.backward()
            optimizer.step()  # noqa: B023
            return loss

        compiled = byhand.compile(step, dialect=dialect)
        losses.append([compiled(x, y).item() for x, y in data])
        models.append(model)
    for line in expected:
        assert f" {line}\n" in compiled.source
    np.testing.assert_allclose(*losses, rtol=1e-6)
    np.testing.assert_allclose(models[0].weight.array, models[1].weight.array, rtol=2e-6, atol=1e-7)


def test_groups_with_their_own_rates_are_loops_of_their_own() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "lr": 0.2}]
    optimizer = optim.Adam(groups)

    @byhand.compile(dialect="longhand")
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step(*classes())
    code = step.source
    assert code.count("for w, d_w, m, v in (") == 2
    assert "w -= lr * m_hat /" in code and "w -= lr_2 * m_hat /" in code


# the parts


@pytest.mark.parametrize(
    "given, expected",
    [
        ("np.greater(x, 0)", "x > 0"),
        ("np.multiply(x, y)", "x * y"),
        ("np.invert(x)", "~x"),
        ("np.asarray(x)", "x"),
        ("x.sum(axis=(0,), keepdims=False)", "x.sum(axis=0)"),
        ("x.argmax(axis=None, keepdims=False)", "x.argmax()"),
        ("np.add.reduce(x, 0)", "x.sum(axis=0)"),
        ("np.maximum.reduce(x, (0, 1), keepdims=True)", "x.max(axis=(0, 1), keepdims=True)"),
        ("x.reshape((2, 3))", "x.reshape(2, 3)"),
        ("x.transpose((1, 0))", "x.T"),
        ("x.transpose((0, 2, 1))", "x.transpose(0, 2, 1)"),
        ("x.transpose((0, 1))", "x"),
        ("x.T.T", "x"),
        ("x.copy(order='K')", "x.copy()"),
        ("np.add.at(x, (i,), y)", "np.add.at(x, i, y)"),
        ("x + -y", "x - y"),
        ("x - -2.0 * y", "x + 2.0 * y"),
        ("x + y * -z / 2", "x - y * z / 2"),
        ("-(-x * y)", "x * y"),
        ("x * 2.0", "2.0 * x"),
        ("2.0 * -x", "-2.0 * x"),
        ("2.0 * (x / y)", "2.0 * x / y"),
        ("x * (1 / y)", "x / y"),
        ("(x + y) ** 2", "(x + y) ** 2"),
        ("(x**2).sum()", "(x**2).sum()"),
        ("(x**y)**2", "(x**y) ** 2"),
    ],
)
def test_less_ink(given: str, expected: str) -> None:
    assert text(tidied(parsed(given))) == expected


@pytest.mark.parametrize(
    "value, expected",
    [
        (0.1, "0.1"), (-0.5, "-0.5"), (float("inf"), "np.inf"), (-float("inf"), "-np.inf"), (float("nan"), "np.nan"),
        (4 / 3, "4 / 3"), (0.1 * 3, "0.3"), (2**0.5, "1.4142135623730951"), (np.float32(0.1), "np.float32(0.1)"),
        (np.dtype(np.int64), "np.int64"), (np.dtype(bool), "bool"), (slice(1, None), "slice(1, None)"),
        ((1, None, "left"), '(1, None, "left")'), (True, "True"), ([1, 2.0], "[1, 2.0]"),
    ],
)  # fmt: skip
def test_literals(value: Any, expected: str) -> None:
    assert text(literal(value)) == expected


def test_an_index_is_written_with_colons() -> None:
    index = literal((slice(None), slice(1, None, 2), None, ..., 3), inside_index=True)
    assert text(ast.Subscript(parsed("x"), index, ast.Load())) == "x[:, 1::2, None, ..., 3]"


def draft(code: str, comment: str = "") -> Draft:
    return Draft([["x"]], ["a sentence"], [("", [(code, comment)])], ["y"])


@pytest.mark.parametrize(
    "one, other, expected",
    [
        ("y = x / 50", "y = x / 60", "y = x / n"),
        ("y = 50 / 49 * x", "y = 60 / 59 * x", "y = n / (n - 1) * x"),
        ("y = x / 150", "y = x / 180", "y = x / (3 * n)"),
        ("y = x.reshape(100, 7)", "y = x.reshape(120, 7)", "y = x.reshape(2 * n, 7)"),
        ("y = 0.02 * x", "y = 0.03 * x", None),
        ("y = x.sum()", "y = x.sum(axis=0)", None),
        ("y = x[:51]", "y = x[:63]", None),
    ],
)
def test_one_text_for_all_sizes(one: str, other: str, expected: str | None) -> None:
    found = generalised(draft(one, "(50, 7)"), draft(other, "(60, 7)"), (50, 60))
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.sections == [("", [("n = len(x)", "")]), ("", [(expected, "(n, 7)")])]


@pytest.mark.parametrize(
    "op, operand, expected",
    [
        ("relu", "x", "relu: dx = g · [out > 0]"),
        ("tanh", "x", "tanh: dx = g · (1 − out²)"),
        ("sub", "y", "sub: dy = −g"),
        ("linear", "weight", "linear: dweight = gᵀ x"),
        ("linear", "bias", "linear: dbias = Σ g over the rows"),
        ("matmul", "y", "matmul: dy = xᵀ g"),
        ("cross_entropy_mean", "x", "cross_entropy_mean: dx = g / N · (p − onehot)"),
        ("maximum", "y", "maximum: dy = g · [x < y]"),
        ("silu", "x", "silu: dx = g · (s · (1 + x · (1 − s))), with s = σ(x)"),
        ("gelu", "x", "gelu: dx = g · (Φ(x) + x · Φ′(x))"),
        ("index", "x", "index: dx = g, each value to where it came from"),
    ],
)
def test_rules_in_the_letters_of_mathematics(op: str, operand: str, expected: str) -> None:
    assert rule_text(op, operand) == expected


def test_every_rule_has_a_text() -> None:
    for op in OPS.values():
        for index in op.rules:
            said = rule_text(op.name, op.operands[index])
            assert said.startswith(f"{op.name}: d{op.operands[index]} = ") and "lambda" not in said


def test_explained_lines() -> None:
    program = step_of(nn.Sequential(nn.Linear(6, 3), nn.ReLU()), F.cross_entropy, classes()).program
    code = source(program, explain=True)
    assert "a = np.maximum(z, 0)                        # (4, 3)  relu: max(x, 0)" in code
    assert "d_z = d_a * (a > 0)                  # (4, 3)  relu: dx = g · [out > 0]" in code
    assert code.count("cross_entropy_mean: dx") == 1


def test_html_needs_nothing_from_elsewhere() -> None:
    code = 'x = 1 < 2  # "less"\n'
    assert "http" not in html(code) and "<script" not in html(code)
    assert "x = 1 &lt; 2  # &quot;less&quot;" in re.sub("<.*?>", "", html(code))
    assert "color: #" in html(code)


def test_in_colour_and_unfolded_on_a_terminal() -> None:
    terminal = Console(force_terminal=True, file=io.StringIO(), width=40)
    show(f"x = {'1 + ' * 60}1  # much\n", terminal)
    printed = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[" in printed and printed.count("\n") == 1


def test_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    long = f"x = {'1 + ' * 60}1\n"
    show(long)
    assert capsys.readouterr().out == long


# what later ops will ask of the reading of kernels


def _branching(x: Any, *, wide: bool, steps: int) -> Any:
    """x some times over"""
    out = x
    for _ in range(steps):
        if wide:
            out = out + 2 * x
        else:
            out = out + x
    return out


def _branching_of(x: Value, wide: bool) -> Node:
    op = Op("branching", _branching, "elementwise", None, {}, None, None)
    return Node(op, (x,), {"wide": wide, "steps": 3}, (Value(x.shape, F32),))


def test_a_kernel_with_a_loop_is_a_function_without_the_branches_it_does_not_take() -> None:
    x = Value((2,), F32, origin=ARGUMENT, name="x")
    wide, narrow, again = (_branching_of(x, kind) for kind in (True, False, True))
    outputs = [node.out for node in (wide, narrow, again)]
    program = Program(arguments=[x], nodes=[wide, narrow, again], outputs=list(outputs))
    written = Longhand(program)
    names = [part.name for part in ast.parse(written.source).body if isinstance(part, ast.FunctionDef)]
    assert names == ["branching", "branching_2", "step"]
    assert "wide" not in written.source and "branching(x, steps=3)" in written.source
    found = written.bind([])(np.array([1, 2], F32))
    for array, times in zip(found, (7, 4, 7), strict=True):
        np.testing.assert_array_equal(array, np.array([1, 2]) * times)


def test_what_stands_above_has_one_meaning() -> None:
    """Functions and constants of several modules that stand in one text must not share a name."""
    seen: dict[str, str] = {}
    for op in OPS.values():
        around = Surroundings()
        try:
            around.add(op.kernel)
        except UnreadableError:  # it has a form of its own
            continue
        for name, code in {**around.functions, **around.constants}.items():
            assert seen.setdefault(name, code) == code, name
    assert {"tail", "COEFFICIENTS", "grid"} <= set(seen)


def test_powers_of_negative_numbers_have_their_brackets() -> None:
    step = byhand.compile(lambda n: 2 * (-1.0) ** n, dialect="longhand")
    n = byhand.tensor([1.0, 2.0, 3.0])
    assert step(n).tolist() == step(n).tolist() == [-2, 2, -2]
    assert "(-1.0) ** n" in step.source
