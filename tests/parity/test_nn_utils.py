"""`nn.utils` beside PyTorch's: weights computed from others, folded batch normalisation, lazy layers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand import nn  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import RNG, close, compare, values  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

LAYERS = {
    "Linear": ((4, 3), (5, 4)),
    "Conv2d": ((2, 3, 2), (2, 2, 4, 4)),
    "ConvTranspose1d": ((2, 3, 2), (2, 2, 5)),
}


def twins(name, wrap):
    """A layer of ours and PyTorch's, each wrapped by its own library, with the same state."""
    mine, other = getattr(nn, name)(*LAYERS[name][0]).double(), getattr(torch.nn, name)(*LAYERS[name][0]).double()
    mine, other = wrap(nn.utils, mine), wrap(torch.nn.utils, other)
    return alike(mine, other)


def alike(mine, other):
    assert list(mine.state_dict()) == list(other.state_dict())
    mine.load_state_dict({key: value.numpy().copy() for key, value in other.state_dict().items()})
    return mine, other


def compare_layers(mine, other, shape):
    mine.zero_grad()
    other.zero_grad()
    compare(mine, other, [values(*shape)])
    for (name, p), (their_name, q) in zip(mine.named_parameters(), other.named_parameters(), strict=True):
        assert (name, p.requires_grad) == (their_name, q.requires_grad)
        if q.requires_grad:
            close(p.grad, q.grad, f"the gradient of {name}")
    for (name, p), q in zip(mine.state_dict().items(), other.state_dict().values(), strict=True):
        close(p, q, name)


WRAPPED = {
    "weight_norm": lambda utils, layer: utils.weight_norm(layer),
    "weight_norm, whole": lambda utils, layer: utils.weight_norm(layer, dim=None),
    "weight_norm, axis 1": lambda utils, layer: utils.weight_norm(layer, "weight", 1),
    "spectral_norm": lambda utils, layer: utils.spectral_norm(layer, n_power_iterations=2),
    "parametrized weight_norm": lambda utils, layer: utils.parametrizations.weight_norm(layer),
    "parametrized weight_norm, axis 1": lambda utils, layer: utils.parametrizations.weight_norm(layer, dim=1),
    "parametrized spectral_norm": lambda utils, layer: utils.parametrizations.spectral_norm(layer),
}


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("name", LAYERS)
def test_weights_computed_from_others(name, kind):
    mine, other = twins(name, WRAPPED[kind])
    assert repr(mine) == repr(other)
    for training in (True, True, False):
        compare_layers(mine.train(training), other.train(training), LAYERS[name][1])
    weight = other.weight.detach()
    for utils, layer in ((nn.utils, mine), (torch.nn.utils, other)):
        if kind.startswith("parametrized"):
            utils.parametrize.remove_parametrizations(layer, "weight")
        else:
            getattr(utils, f"remove_{kind.split(',')[0]}")(layer)
    assert list(mine.state_dict()) == list(other.state_dict())
    assert repr(mine) == repr(other)
    close(mine.weight, weight, "the weight that stays")


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal(kind, trivial, shape):
    made = []
    for package in (nn, torch.nn):
        layer = package.Linear(*shape).double()
        made.append(package.utils.parametrizations.orthogonal(layer, "weight", kind, use_trivialization=trivial))
    mine, other = made
    assert repr(mine) == repr(other)
    q = mine.weight.array
    tall = q if q.shape[0] >= q.shape[1] else q.T
    np.testing.assert_allclose(tall.T @ tall, np.eye(tall.shape[1]), atol=1e-12)
    moved = np.tril(RNG.standard_normal(q.shape) * 0.3, -1)
    moved = moved if q.shape[0] >= q.shape[1] else np.tril(RNG.standard_normal(q.T.shape), -1).T
    alike(mine, other)
    for layer, tensor in ((mine, Tensor), (other, torch.tensor)):
        layer.parametrizations.weight.original.data += tensor(moved)
    compare_layers(mine, other, (2, shape[0]))


def test_parametrizing_twice_assigning_and_removing():
    def register(package, layer):
        class Doubled(package.Module):
            def forward(self, x):
                return 2 * x

            def right_inverse(self, x):
                return x / 2

        class Shifted(package.Module):
            def forward(self, x):
                return x + 1

            def right_inverse(self, x):
                return x - 1

        package.utils.parametrize.register_parametrization(layer, "weight", Doubled())
        package.utils.parametrize.register_parametrization(layer, "weight", Shifted())
        package.utils.parametrize.register_parametrization(layer, "bias", Doubled())
        return layer

    mine, other = alike(register(nn, nn.Linear(3, 2).double()), register(torch.nn, torch.nn.Linear(3, 2).double()))
    assert repr(mine) == repr(other)
    compare_layers(mine, other, (4, 3))
    new = values(2, 3)
    mine.weight, other.weight = Tensor(new), torch.tensor(new)
    close(mine.parametrizations.weight.original, other.parametrizations.weight.original, "what is learned")
    for utils, layer in ((nn.utils, mine), (torch.nn.utils, other)):
        assert utils.parametrize.is_parametrized(layer)
        utils.parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
        assert utils.parametrize.is_parametrized(layer, "bias") and not utils.parametrize.is_parametrized(
            layer, "weight"
        )
        utils.parametrize.remove_parametrizations(layer, "bias")
        assert not utils.parametrize.is_parametrized(layer)
    compare_layers(mine, other, (4, 3))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("name", "norm", "shape", "affine"),
    [("Conv2d", "BatchNorm2d", (2, 2, 5, 5), True), ("Conv2d", "BatchNorm2d", (2, 2, 5, 5), False),
     ("ConvTranspose2d", "BatchNorm2d", (2, 2, 4, 4), True), ("Linear", "BatchNorm1d", (6, 2), True)],
)  # fmt: skip
def test_folding_batch_norm(name, norm, shape, bias, affine):
    arguments = (2, 3) if name == "Linear" else (2, 3, 2)
    fused, pairs = [], []
    for package in (nn, torch.nn):
        layer = getattr(package, name)(*arguments, bias=bias).double().eval()
        pairs.append((layer, getattr(package, norm)(3, affine=affine).double().eval()))
    state = {"running_mean": values(3), "running_var": values(3, low=0.3)}
    if affine:
        state |= {"weight": values(3), "bias": values(3)}
    for mine, other in zip(*pairs, strict=True):
        alike(mine, other)
    pairs[0][1].load_state_dict(state, strict=False)
    pairs[1][1].load_state_dict({key: torch.tensor(value) for key, value in state.items()}, strict=False)
    for package, (layer, bn) in zip((nn, torch.nn), pairs, strict=True):
        if name == "Linear":
            fused.append(package.utils.fusion.fuse_linear_bn_eval(layer, bn))
        else:
            fused.append(package.utils.fusion.fuse_conv_bn_eval(layer, bn, transpose=name == "ConvTranspose2d"))
    compare_layers(*fused, shape)
    x = Tensor(values(*shape))
    np.testing.assert_allclose(fused[0](x).array, pairs[0][1](pairs[0][0](x)).array, atol=1e-12)


LAZY = [
    ("LazyLinear", (4,), (2, 3)), ("LazyConv1d", (4, 2), (2, 3, 6)), ("LazyConv2d", (4, 2), (2, 3, 6, 6)),
    ("LazyConv3d", (4, 2), (2, 3, 3, 3, 3)), ("LazyConvTranspose1d", (4, 2), (2, 3, 6)),
    ("LazyConvTranspose2d", (4, 2), (2, 3, 4, 4)), ("LazyConvTranspose3d", (4, 2), (2, 3, 2, 2, 2)),
    ("LazyBatchNorm1d", (), (5, 3)), ("LazyBatchNorm2d", (), (5, 3, 2, 2)), ("LazyBatchNorm3d", (), (5, 3, 2, 2, 2)),
    ("LazyInstanceNorm1d", (), (5, 3, 4)), ("LazyInstanceNorm2d", (), (5, 3, 2, 2)),
    ("LazyInstanceNorm3d", (), (5, 3, 2, 2, 2)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize(("name", "arguments", "shape"), LAZY)
def test_lazy_layers(name, arguments, shape):
    mine, other = getattr(nn, name)(*arguments).double(), getattr(torch.nn, name)(*arguments).double()
    assert repr(mine) == repr(other)
    assert mine.has_uninitialized_params()
    x = values(*shape)
    other(torch.tensor(x))
    twin = getattr(nn, name)(*arguments)
    mine(Tensor(x))
    assert repr(mine) == repr(other)
    assert type(mine).__name__ == type(other).__name__ == name.removeprefix("Lazy")
    alike(mine, other)
    compare_layers(mine, other, shape)
    alike(twin, other)  # the size may come from a state, too
    assert repr(twin) == repr(other)
