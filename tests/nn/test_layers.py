"""Layers: their modes, states, parameters and messages. Their values are compared with PyTorch's in tests/parity."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import DomainError, DtypeError, ShapeError, UsageError
from byhand.nn import functional as F
from byhand.nn.module import Module
from byhand.tensor import Tensor


class Net(Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 30)
        self.norm = nn.BatchNorm1d(30)
        self.fc2 = nn.Linear(30, 10, bias=False)

    def forward(self, x):
        return self.fc2(self.norm(self.fc1(x)))


MADE = [
    nn.Linear(4, 3), nn.Linear(4, 3, bias=False), nn.Bilinear(4, 3, 2), nn.Identity(), nn.Flatten(),
    nn.Unflatten(1, (2, 2)), nn.Dropout(0.2), nn.AlphaDropout(), nn.BatchNorm1d(4), nn.LayerNorm(4),
    nn.Maxout(4, 3, 5), nn.PReLU(4), nn.ReLU(),
    nn.Embedding(5, 4, padding_idx=1), nn.EmbeddingBag(5, 4), nn.MultiheadAttention(4, 2, add_bias_kv=True),
    nn.TransformerEncoderLayer(4, 2, 8), nn.Transformer(4, 2, 1, 1, 8),
    nn.Softmax(1), nn.Hardtanh(), nn.CrossEntropyLoss(byhand.ones(4)), nn.MSELoss(reduction="sum"),
]  # fmt: skip


@pytest.mark.parametrize("layer", MADE, ids=lambda m: m.describe())
def test_layers_can_be_copied_and_pickled(layer):
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(twin) == repr(layer)
        assert list(twin.state_dict()) == list(layer.state_dict())
        assert all(
            np.array_equal(a.array, b.array)
            for a, b in zip(twin.state_dict().values(), layer.state_dict().values(), strict=True)
        )


def test_a_network_learns():
    byhand.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Maxout(16, 8), nn.Dropout(0.1), nn.Linear(8, 2)
    )
    x = byhand.randn(200, 2)
    labels = (x[:, 0] * x[:, 1] > 0).long()
    loss = nn.CrossEntropyLoss()
    before = loss(net(x), labels).item()
    for _ in range(100):
        net.zero_grad()
        loss(net(x), labels).backward()
        with byhand.no_grad():
            for p in net.parameters():
                p -= 0.5 * p.grad
    net.eval()
    assert loss(net(x), labels).item() < 0.4 * before
    assert (net(x).argmax(1) == labels).float().mean().item() > 0.95


# Linear


def test_linear_starts_within_its_bounds():
    byhand.manual_seed(0)
    layer = nn.Linear(100, 50)
    for p in (layer.weight, layer.bias):
        assert p.dtype == np.float32
        assert 0.09 < np.abs(p.array).max() <= 0.1
    before = layer.weight.array.copy()
    layer.reset_parameters()
    assert not np.array_equal(before, layer.weight.array)


def test_layers_take_a_dtype_and_a_device():
    assert nn.Linear(2, 3, dtype=byhand.float64).weight.dtype == np.float64
    assert nn.BatchNorm1d(3, device="cpu", dtype=byhand.float64).running_mean.dtype == np.float64
    with pytest.raises(UsageError, match="no device 'cuda'"):
        nn.Linear(2, 3, device="cuda")


def test_linear_of_the_wrong_width_names_the_layer():
    with pytest.raises(ShapeError, match=r"Linear\(784 → 30\) got x of shape \(50, 785\); expected \(\.\.\., 784\)"):
        nn.Linear(784, 30)(byhand.zeros(50, 785))
    with pytest.raises(
        ShapeError, match=r"^model\.fc1: Linear\(784 → 30\) got x of shape \(50, 785\); expected \(\.\.\., 784\)"
    ):
        Net()(byhand.zeros(50, 785))
    with pytest.raises(ShapeError, match=r"Linear\(4 → 3\) got x of shape \(50, 5\); expected \(\.\.\., 4\)"):
        nn.Linear(4, 3, bias=False)(byhand.zeros(50, 5))


def test_linear_of_integers_says_what_to_type():
    with pytest.raises(DtypeError, match=r"model\.fc1: .*input is uint8 of shape \(5, 784\); use input.float\(\)"):
        Net()(byhand.zeros(5, 784, dtype=byhand.uint8))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Linear(-1, 3), UsageError, "Linear: in_features is a number of values, not -1"),
        (lambda: nn.Linear(3, 2.5), UsageError, "Linear: out_features is a number of values, not 2.5"),
        (lambda: nn.Linear((28, 28), 3), UsageError, r"in_features is a number of values, not \(28, 28\)"),
        (lambda: nn.Bilinear(0, 2, 3), UsageError, "in1_features must be positive"),
        (lambda: nn.Maxout(2, 3, 0), UsageError, "at least one piece"),
        (lambda: nn.BatchNorm1d("3"), UsageError, "BatchNorm1d: num_features is a number of values, not '3'"),
        (
            lambda: nn.Dropout(1.5),
            DomainError,
            "Dropout: p is the probability that a value is dropped, from 0 to 1, not 1.5",
        ),
        (lambda: nn.Hardtanh(1, 1), UsageError, "expected min_val < max_val"),
        (lambda: nn.Unflatten(1, ("a", 2)), UsageError, "an axis and its new sizes"),
        (lambda: nn.Softmax2d()(byhand.ones(2, 3)), ShapeError, r"Softmax2d takes \(N, C, H, W\)"),
        (lambda: nn.Flatten()(byhand.ones(3)), DomainError, "there is no axis 1"),
        (lambda: nn.Unflatten(1, (2, 2))(byhand.ones(3, 5)), ShapeError, "unflatten"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


# Maxout


def test_maxout_is_the_largest_of_affine_maps():
    byhand.manual_seed(0)
    layer = nn.Maxout(4, 3, pieces=5).double()
    x = byhand.randn(7, 4, dtype=byhand.float64)
    pieces = [x.array @ layer.weight.array[i::5].T + layer.bias.array[i::5] for i in range(5)]
    assert layer(x).shape == (7, 3)
    assert np.allclose(layer(x).array, np.max(pieces, axis=0))
    assert repr(layer) == "Maxout(in_features=4, out_features=3, pieces=5, bias=True)"
    assert [n for n, _ in nn.Maxout(4, 3, bias=False).named_parameters()] == ["weight"]
    with pytest.raises(ShapeError, match=r"Maxout\(4 → 3 × 5\) got x of shape \(7, 5\)"):
        layer(byhand.ones(7, 5, dtype=byhand.float64))


# modes


def test_dropout_works_while_training_only():
    byhand.manual_seed(0)
    layer, x = nn.Dropout(0.5), byhand.ones(100)
    assert (layer(x) == 0).any()
    assert layer.eval()(x) is x


def test_batch_norm_learns_while_training_only():
    byhand.manual_seed(0)
    layer = nn.BatchNorm1d(3)
    x = byhand.randn(64, 3) * 2 + 5
    y = layer(x)
    assert np.allclose(y.mean(0).array, 0, atol=1e-5)
    assert np.allclose(y.var(0, unbiased=False).array, 1, atol=1e-4)
    assert layer.num_batches_tracked.item() == 1
    state = {k: v.array.copy() for k, v in layer.eval().state_dict().items()}
    layer(x)
    assert all(np.array_equal(v, layer.state_dict()[k].array) for k, v in state.items())
    for _ in range(100):
        layer.train()(x)
    assert np.allclose(layer.eval()(x).array, y.array, atol=0.05)
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.num_batches_tracked.item() == 0


def test_batch_norm_with_a_plain_average_of_all_batches():
    layer = nn.BatchNorm1d(1, momentum=None)
    for value in (1.0, 2.0, 6.0):
        layer(Tensor(np.array([[value - 1], [value + 1]], np.float32)))
    assert np.isclose(layer.running_mean.item(), 3.0)


def test_batch_norm_without_statistics_uses_the_batch_in_evaluation_too():
    layer = nn.BatchNorm1d(3, track_running_stats=False).eval()
    x = byhand.randn(64, 3) + 5
    assert np.allclose(layer(x).mean(0).array, 0, atol=1e-5)
    assert layer.running_mean is None


def test_batch_norm_of_the_wrong_input_names_the_layer():
    layer = nn.BatchNorm1d(3)
    for shape in ((5, 4), (3,), (2, 3, 4, 5)):
        with pytest.raises(ShapeError, match=r"BatchNorm1d\(3\) got .*expected \(N, 3\) or \(N, 3, L\)"):
            layer(byhand.zeros(*shape))
    with pytest.raises(ShapeError, match=r"drop_last=True"):
        layer(byhand.zeros(1, 3))
    assert layer.num_batches_tracked.item() == 0, "a batch that was refused does not count"
    layer.eval()(byhand.zeros(1, 3))


def test_prelu_starts_at_a_quarter_and_can_be_reset():
    layer = nn.PReLU(3)
    with byhand.no_grad():
        layer.weight.fill_(7.0)
    layer.reset_parameters()
    assert layer.weight.tolist() == [0.25, 0.25, 0.25]


def test_identity_takes_anything():
    assert nn.Identity(3, unused=True)("anything") == "anything"


def test_every_layer_has_its_function():
    for name in F.__all__:
        assert callable(getattr(F, name))
    for name in nn.__all__:
        assert getattr(nn, name) is not None
