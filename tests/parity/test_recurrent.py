"""Recurrent layers and packed sequences beside PyTorch's, in float64: values, gradients, second derivatives."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand import nn  # noqa: E402
from byhand.nn.utils import rnn as ours  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402

theirs = torch.nn.utils.rnn
RNG = np.random.default_rng(0)
T, N, IN, H = 4, 3, 3, 4
LENGTHS = [2, 4, 1]

KINDS = [
    ("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("LSTM", {"proj_size": 2}), ("GRU", {}),
]  # fmt: skip
FORMS = list(itertools.product(["batch", "batch_first", "single", "packed", "packed_first"], [False, True]))
SHAPES = [
    {}, {"bias": False}, {"num_layers": 2}, {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
]  # fmt: skip


def twins(name, *args, **kwargs):
    """Our module and PyTorch's with the same parameters, which have the same names and order."""
    mine = getattr(nn, name)(*args, **kwargs).double()
    other = getattr(torch.nn, name)(*args, **kwargs).double()
    assert list(mine.state_dict()) == list(other.state_dict())
    mine.load_state_dict({key: value.numpy() for key, value in other.state_dict().items()})
    return mine, other


def flat(x):
    return [leaf for part in x for leaf in flat(part)] if isinstance(x, tuple | list) else [x]


def compare(mine, other, call, x, states):
    """All results, their gradients, and the gradients of Σ gradient²; call(module, library, x, states) runs both."""
    a, b = (
        [Tensor(v.copy()).requires_grad_() for v in (x, *states)],
        [torch.tensor(v, requires_grad=True) for v in (x, *states)],
    )
    found, wanted = flat(call(mine, ours, a[0], a[1:])), flat(call(other, theirs, b[0], b[1:]))
    assert [v.shape for v in found] == [tuple(v.shape) for v in wanted]
    a, b = [*a, *mine.parameters()], [*b, *other.parameters()]
    weights = [RNG.standard_normal(v.shape) for v in found]
    loss = sum((v * Tensor(w)).sum() for v, w in zip(found, weights, strict=True))
    goal = sum((v * torch.tensor(w)).sum() for v, w in zip(wanted, weights, strict=True))
    first = byhand.autograd.grad(loss, a, create_graph=True)
    firsts = torch.autograd.grad(goal, b, create_graph=True)
    second = byhand.autograd.grad(sum((g * g).sum() for g in first), a)
    seconds = torch.autograd.grad(sum((g * g).sum() for g in firsts), b)
    for v, w in zip([*found, *first, *second], [*wanted, *firsts, *seconds], strict=True):
        np.testing.assert_allclose(v.array, w.detach().numpy(), rtol=1e-9, atol=1e-9)


def runner(form, pair):
    """How a layer is called with an input of this form."""

    def call(layer, library, x, states):
        hx = () if not states else (tuple(states),) if pair else (states[0],)
        if not form.startswith("packed"):
            return layer(x, *hx)
        first = form == "packed_first"
        lengths = LENGTHS if library is ours else torch.tensor(LENGTHS)
        packed = library.pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        out, last = layer(packed, *hx)
        return library.pad_packed_sequence(out, batch_first=first)[0], last

    return call


@pytest.mark.parametrize(("form", "given"), FORMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "kind"), KINDS, ids=str)
def test_layers(name, kind, shape, form, given):
    first = form in ("batch_first", "packed_first")
    mine, other = twins(name, IN, H, batch_first=first, **kind, **shape)
    x = RNG.standard_normal((T, IN) if form == "single" else (N, T, IN) if first else (T, N, IN))
    lead = (shape.get("num_layers", 1) * (1 + shape.get("bidirectional", False)), *(() if form == "single" else (N,)))
    widths = (kind.get("proj_size", H), H) if name == "LSTM" else (H,)
    states = [RNG.standard_normal((*lead, width)) for width in widths] if given else []
    compare(mine, other, runner(form, name == "LSTM"), x, states)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("lead", [(), (3,)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("name", "kind"), [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {})]
)
def test_cells(name, kind, bias, lead, given):
    mine, other = twins(name, IN, H, bias=bias, **kind)
    states = [RNG.standard_normal((*lead, H)) for _ in range(2 if name == "LSTMCell" else 1)] if given else []
    compare(mine, other, runner("batch", name == "LSTMCell"), RNG.standard_normal((*lead, IN)), states)


@pytest.mark.parametrize("arguments", [
    "RNN(3, 4)", "RNN(3, 4, 2, 'relu', True, True, 0.5, True)", "LSTM(3, 4, 2, False, True, 0.5, True, 2)",
    "GRU(3, 4, 1, True, True)", "LSTM(3, 4, num_layers=2, bidirectional=True)", "GRU(3, 4, bias=False)",
    "RNNCell(3, 4, nonlinearity='relu')", "LSTMCell(3, 4, bias=False)", "GRUCell(3, 4)", "RNNCell(3, 4, False)",
])  # fmt: skip
def test_printed_form_parameters_and_attributes(arguments):
    mine, other = eval(f"nn.{arguments}"), eval(f"torch.nn.{arguments}")
    assert repr(mine) == repr(other)
    assert {k: v.shape for k, v in mine.state_dict().items()} == {
        k: tuple(v.shape) for k, v in other.state_dict().items()
    }
    for name in ("mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional",
                 "proj_size", "nonlinearity"):  # fmt: skip
        assert getattr(mine, name, None) == getattr(other, name, None), name
    if hasattr(other, "all_weights"):
        assert [[tuple(p.shape) for p in group] for group in mine.all_weights] == [
            [tuple(p.shape) for p in group] for group in other.all_weights
        ]


def test_samples_of_pytorch():
    """PyTorch's own inputs for these modules."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_modules import module_db

        infos = [info for info in module_db if info.module_cls.__name__ in (
            "RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")]  # fmt: skip
        count = 0
        for info, training in itertools.product(infos, [True, False]):
            for given in info.module_inputs_func(info, "cpu", torch.float64, True, training):
                _as_pytorch(info.module_cls.__name__, given, training)
                count += 1
    assert count > 50


def _as_pytorch(name, given, training):
    made = given.constructor_input
    kwargs = {k: v for k, v in made.kwargs.items() if k not in ("device", "dtype")}
    mine, other = twins(name, *made.args, **kwargs)
    mine.train(training)
    other.train(training)
    if training and kwargs.get("dropout"):
        return  # other random numbers
    args = given.forward_input.args
    x = [_translated(a) for a in args]
    found, wanted = (
        mine(*x, **{k: _translated(v) for k, v in given.forward_input.kwargs.items()}),
        other(*args, **given.forward_input.kwargs),
    )
    for v, w in zip(flat(found), flat(wanted), strict=True):
        if v is None:
            assert w is None
            continue
        np.testing.assert_allclose(v.array, w.detach().numpy(), rtol=1e-9, atol=1e-9)


def _translated(x):
    if isinstance(x, theirs.PackedSequence):
        return ours.PackedSequence(*[_translated(part) for part in x])
    if isinstance(x, tuple):
        return tuple(map(_translated, x))
    return Tensor(x.detach().numpy().copy()) if isinstance(x, torch.Tensor) else x


# packed sequences


SEQUENCES = [RNG.standard_normal((n, 2)) for n in (3, 1, 4)]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_pad_sequence(batch_first, side):
    a = [Tensor(x.copy()).requires_grad_() for x in SEQUENCES]
    b = [torch.tensor(x, requires_grad=True) for x in SEQUENCES]
    found = ours.pad_sequence(a, batch_first, padding_value=7.0, padding_side=side)
    wanted = theirs.pad_sequence(b, batch_first, padding_value=7.0, padding_side=side)
    np.testing.assert_array_equal(found.array, wanted.detach().numpy())
    g = RNG.standard_normal(found.shape)
    found.backward(Tensor(g))
    wanted.backward(torch.tensor(g))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.grad.array, y.grad.numpy())


@pytest.mark.parametrize("sort", [False, True])
def test_pack_and_unpack(sort):
    given = sorted(SEQUENCES, key=len, reverse=True) if sort else SEQUENCES
    a, b = [Tensor(x.copy()) for x in given], [torch.tensor(x) for x in given]
    found, wanted = ours.pack_sequence(a, enforce_sorted=sort), theirs.pack_sequence(b, enforce_sorted=sort)
    for name in ("data", "batch_sizes", "sorted_indices", "unsorted_indices"):
        x, y = getattr(found, name), getattr(wanted, name)
        assert (x is None) == (y is None)
        if x is not None:
            np.testing.assert_array_equal(x.array, y.numpy())
    for x, y in zip(ours.unpack_sequence(found), theirs.unpack_sequence(wanted), strict=True):
        np.testing.assert_array_equal(x.array, y.numpy())
    for kwargs in ({}, {"batch_first": True, "padding_value": 5.0}, {"total_length": 6}):
        (x, n), (y, m) = ours.pad_packed_sequence(found, **kwargs), theirs.pad_packed_sequence(wanted, **kwargs)
        np.testing.assert_array_equal(x.array, y.numpy())
        assert n.tolist() == m.tolist()
