"""Recurrent layers: shapes, states carried over, errors, and scripts as people write them."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import DtypeError, ShapeError, UsageError
from byhand.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence
from byhand.ops.recurrent import product
from byhand.tensor import Tensor

RNG = np.random.default_rng(0)


def some(*shape):
    return Tensor(RNG.standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_a_sequence_in_two_parts_is_the_sequence(name):
    layer, x = getattr(nn, name)(3, 4, num_layers=2), some(6, 2, 3)
    whole, last = layer(x)
    first, state = layer(x[:2])
    second, end = layer(x[2:], state)
    np.testing.assert_allclose(byhand.cat([first, second]).array, whole.array, rtol=1e-5, atol=1e-6)
    for a, b in zip(byhand.cat(list(last)), byhand.cat(list(end)), strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_a_cell_is_one_step_of_the_layer(name):
    layer, cell, x = getattr(nn, name)(3, 4), getattr(nn, name + "Cell")(3, 4), some(5, 2, 3)
    cell.load_state_dict({key: getattr(layer, f"{key}_l0") for key in cell.state_dict()})
    state, hs = None, []
    for row in x:
        state = cell(row, state)
        hs.append(state[0] if name == "LSTM" else state)
    np.testing.assert_allclose(byhand.stack(hs).array, layer(x)[0].array, rtol=1e-5, atol=1e-6)


def test_padding_does_not_count():
    layer, x = nn.LSTM(3, 4, bidirectional=True, batch_first=True), some(3, 5, 3)
    out, (h, _) = layer(pack_padded_sequence(x, [2, 5, 3], batch_first=True, enforce_sorted=False))
    out, lengths = pad_packed_sequence(out, batch_first=True)
    assert lengths.tolist() == [2, 5, 3]
    for k, n in enumerate(lengths.tolist()):
        alone, (last, _) = layer(x[k, :n])
        np.testing.assert_allclose(out[k, :n].array, alone.array, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(h[:, k].array, last.array, rtol=1e-5, atol=1e-6)
        assert not out[k, n:].array.any()


def test_dropout_comes_between_layers_and_only_while_training():
    layer, x = nn.GRU(3, 40, num_layers=2, dropout=0.5), some(4, 2, 3)
    assert not np.array_equal(layer(x)[0].array, layer(x)[0].array)
    layer.eval()
    assert np.array_equal(layer(x)[0].array, layer(x)[0].array)
    single = nn.GRU(3, 4)
    single.dropout = 0.9
    assert np.array_equal(single(x)[0].array, single(x)[0].array)


def test_initial_values_are_uniform_in_one_over_the_root_of_the_width():
    layer = nn.LSTM(30, 100)
    values = np.concatenate([p.array.ravel() for p in layer.parameters()])
    assert 0.099 < np.abs(values).max() <= 0.1
    assert abs(values.mean()) < 0.001
    assert layer.flatten_parameters() is None


def test_float32_stays_float32_and_float64_float64():
    for dtype in (np.float32, np.float64):
        layer = nn.LSTM(3, 4, dtype=dtype)
        out, (h, c) = layer(Tensor(np.ones((5, 2, 3), dtype)))
        assert out.dtype == h.dtype == c.dtype == dtype
        out.sum().backward()
        assert layer.weight_hh_l0.grad.dtype == dtype


def test_a_layer_can_be_copied_and_pickled():
    layer, x = nn.GRU(3, 4, bidirectional=True), some(5, 2, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x)[0].array, layer(x)[0].array)


# errors


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: nn.LSTM(3, 4)(some(5, 2, 7)), ShapeError,
     "got x of shape (5, 2, 7); expected (T, N, 3), or (T, 3) for one sequence; the input has 7 values a step"),
    (lambda: nn.LSTM(3, 4, batch_first=True)(some(3)), ShapeError, "expected (N, T, 3), or (T, 3) for one sequence"),
    (lambda: nn.GRU(3, 4)(some(5, 2, 3), some(1, 3, 4)), ShapeError, "h_0 has shape (1, 3, 4); expected (1, 2, 4)"),
    (lambda: nn.GRU(3, 4)(some(5, 3), some(1, 1, 4)), ShapeError, "h_0 has shape (1, 1, 4); expected (1, 4)"),
    (lambda: nn.LSTM(3, 4)(some(5, 2, 3), (some(1, 2, 4), some(2, 2, 4))), ShapeError, "c_0 has shape (2, 2, 4)"),
    (lambda: nn.LSTM(3, 4)(some(5, 2, 3), some(1, 2, 4)), ShapeError, "hx is the pair (h_0, c_0)"),
    (lambda: nn.RNN(3, 4)(some(0, 2, 3)), ShapeError, "a sequence of no steps"),
    (lambda: nn.RNN(3, 4)(some(5, 2, 3).double()), DtypeError, "the input is float64, the parameters are float32"),
    (lambda: nn.RNN(3, 4)(some(5, 2, 3), some(1, 2, 4).double()), DtypeError, "h_0 is float64, the input float32"),
    (lambda: nn.LSTM(3, 4, proj_size=4), UsageError, "LSTM: proj_size=4 must be smaller than hidden_size=4"),
    (lambda: nn.GRU(3, 4, proj_size=2), UsageError, "GRU: proj_size is for LSTM alone"),
    (lambda: nn.LSTM(0, 4), UsageError, "LSTM: input_size must be greater than 0"),
    (lambda: nn.LSTM(3, 4, dropout=1.5), UsageError, "dropout is the probability"),
    (lambda: nn.RNN(3, 4, nonlinearity="gelu"), UsageError, "nonlinearity is 'tanh' or 'relu', not 'gelu'"),
    (lambda: nn.LSTMCell(3, 4)(some(2, 5)), ShapeError, "LSTMCell(3 → 4) got x of shape (2, 5); expected (N, 3)"),
    (lambda: nn.GRUCell(3, 4)(some(2, 3), some(1, 4)), ShapeError, "the state h has shape (1, 4); expected (2, 4)"),
    (lambda: pack_padded_sequence(some(5, 2, 3), [1, 3]), UsageError, "sort them, or pass enforce_sorted=False"),
    (lambda: pack_padded_sequence(some(5, 2, 3), [6, 3]), ShapeError, "have 2 lengths from 1 to 5, not [6, 3]"),
    (lambda: pad_packed_sequence(pack_padded_sequence(some(5, 2, 3), [4, 3]), total_length=3), UsageError,
     "total_length=3, but the longest sequence has 4 steps"),
    (lambda: pad_sequence([some(2, 3), some(2, 4)]), ShapeError, "not of shapes [(2, 3), (2, 4)]"),
    (lambda: pad_sequence([some(2, 3)], padding_side="top"), UsageError, "padding_side is 'left' or 'right'"),
])  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_dropout_of_a_single_layer_is_a_mistake():
    with pytest.warns(UserWarning, match="comes after all layers but the last, and there is only one"):
        nn.LSTM(3, 4, dropout=0.5)


def test_a_packed_sequence_is_its_four_parts():
    packed = pack_padded_sequence(some(4, 2, 3), [2, 4], enforce_sorted=False)
    data, batch_sizes, sorted_indices, unsorted_indices = packed
    assert (batch_sizes.tolist(), sorted_indices.tolist(), unsorted_indices.tolist()) == ([2, 2, 1, 1], [1, 0], [1, 0])
    assert PackedSequence(data, batch_sizes, sorted_indices).unsorted_indices.tolist() == [1, 0]
    assert packed.double().data.dtype == np.float64
    assert not packed.is_cuda


# scripts, as people write them


def test_characters_with_a_state_carried_over_and_detached():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.rnn, self.head = nn.Embedding(5, 8), nn.LSTM(8, 16, 2), nn.Linear(16, 5)

        def forward(self, x, hidden=None):
            out, hidden = self.rnn(self.embed(x), hidden)
            return self.head(out), tuple(h.detach() for h in hidden)

    byhand.manual_seed(0)
    net = Net()
    optimizer = byhand.optim.Adam(net.parameters(), lr=0.02)
    text = byhand.tensor(np.arange(121) % 5)
    hidden, losses = None, []
    for start in range(0, 120, 10):
        x, y = text[start : start + 10].reshape(-1, 1), text[start + 1 : start + 11]
        out, hidden = net(x, hidden)
        loss = nn.functional.cross_entropy(out.reshape(-1, 5), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_a_sine_wave_by_cells_and_lbfgs_like_loops():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm1, self.lstm2, self.linear = nn.LSTMCell(1, 9), nn.LSTMCell(9, 9), nn.Linear(9, 1)

        def forward(self, input, future=0):
            outputs = []
            h_t, c_t = byhand.zeros(input.size(0), 9), byhand.zeros(input.size(0), 9)
            h_t2, c_t2 = byhand.zeros(input.size(0), 9), byhand.zeros(input.size(0), 9)
            for input_t in input.split(1, dim=1):
                h_t, c_t = self.lstm1(input_t, (h_t, c_t))
                h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
                output = self.linear(h_t2)
                outputs += [output]
            for _ in range(future):
                h_t, c_t = self.lstm1(output, (h_t, c_t))
                h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
                output = self.linear(h_t2)
                outputs += [output]
            return byhand.cat(outputs, dim=1)

    byhand.manual_seed(0)
    net = Net()
    waves = Tensor(np.sin(np.arange(13) / 2 + np.arange(3)[:, None]).astype(np.float32))
    optimizer = byhand.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(8):
        loss = nn.functional.mse_loss(net(waves[:, :-1]), waves[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    with byhand.no_grad():
        assert net(waves[:, :-1], future=4).shape == (3, 16)


@pytest.mark.parametrize("dialect", ["planned", "loops"])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_a_compiled_step_trains_as_the_eager_one(name, dialect):
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    x, y = some(20, 3, 4), Tensor(RNG.integers(0, 2, 3))

    def training(how):
        byhand.manual_seed(0)
        net, head = getattr(nn, name)(4, 8), nn.Linear(8, 2)
        optimizer = byhand.optim.Adam([*net.parameters(), *head.parameters()], lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(head(net(x)[0][-1]), y)
            loss.backward()
            optimizer.step()
            return loss

        run = how(step)
        return [run(x, y).item() for _ in range(4)]

    np.testing.assert_allclose(training(byhand.compile(dialect=dialect)), training(lambda f: f), rtol=1e-5)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_products_of_a_step_in_parts(monkeypatch, name):
    """As for a BLAS with which that pays, and as for one with which it does not."""
    layer, x = getattr(nn, name)(3, 5).double(), Tensor(RNG.standard_normal((4, 16, 3)))
    lengths = [4] * 8 + [3] * 5 + [1] * 3
    found = []
    for limit in (0, 300, 400):
        monkeypatch.setattr(product, "MULTIPLICATIONS", limit)
        assert [product.in_parts(rows, 75) for rows in (16, 13, 8)] == ([4, 1, 2] if limit else [1, 1, 1])
        for given in (x, pack_padded_sequence(x, lengths)):
            layer.zero_grad()
            out, _ = layer(given)
            out = out if isinstance(out, Tensor) else out.data
            (out * out).sum().backward()
            found.append([out.detach(), *[p.grad for p in layer.parameters()]])
    for whole, parts in zip(found[:2] * 2, found[2:], strict=True):
        for a, b in zip(whole, parts, strict=True):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-12)
