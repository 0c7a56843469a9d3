"""Every layer and activation beside PyTorch's in float64: values and gradients to 1e-9, over many arguments.

And for all of `nn` and `nn.functional`: names, arguments, defaults, printed forms, initial values.
"""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand import nn  # noqa: E402
from byhand.nn import functional as F  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import RNG, close, compare, values  # noqa: E402

TORCH_ONLY = {"_stacklevel", "out", "device", "dtype"}

# activations

ACTIVATIONS = [
    ("Sigmoid", {}), ("Tanh", {}), ("ReLU", {}), ("ReLU6", {}), ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.3}), ("RReLU", {}), ("RReLU", {"lower": 0.1, "upper": 0.7}),
    ("ELU", {}), ("ELU", {"alpha": 0.4}), ("CELU", {}), ("CELU", {"alpha": 2.5}),
    ("SELU", {}), ("GELU", {}), ("GELU", {"approximate": "tanh"}), ("SiLU", {}), ("Mish", {}),
    ("Softplus", {}), ("Softplus", {"beta": 3.0, "threshold": 2.0}), ("Softsign", {}), ("LogSigmoid", {}),
    ("Hardtanh", {}), ("Hardtanh", {"min_val": -0.5, "max_val": 2.0}), ("Hardsigmoid", {}), ("Hardswish", {}),
    ("Hardshrink", {}), ("Hardshrink", {"lambd": 1.2}), ("Softshrink", {}), ("Softshrink", {"lambd": 1.2}),
    ("Tanhshrink", {}), ("Threshold", {"threshold": 0.2, "value": -7.0}),
    ("GLU", {}), ("GLU", {"dim": 0}), ("GLU", {"dim": 1}),
    ("Softmax", {"dim": 0}), ("Softmax", {"dim": -1}), ("Softmin", {"dim": 1}), ("LogSoftmax", {"dim": 0}),
    ("LogSoftmax", {"dim": 2}), ("Softmax2d", {}),
]  # fmt: skip
SHAPES = {"small": (4, 6, 2), "wide": (2, 4, 6)}
# the slope 1/6 is a float32 in PyTorch, also where the values are float64
COARSE = {"Hardsigmoid": 1e-7}
# where the formulas change, and far out, where exponentials overflow
EDGES = np.array([-800.0, -30.0, -6.0, -3.0, -1.0, -0.5, -1e-9, 0.0, 1e-9, 0.5, 1.0, 2.0, 3.0, 6.0, 20.0, 30.0, 800.0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
def test_activations(name, options, shape):
    mine, other = getattr(nn, name)(**options).eval(), getattr(torch.nn, name)(**options).eval()
    compare(mine, other, [values(*SHAPES[shape])], slack=COARSE.get(name, 1e-9))
    assert repr(mine) == repr(other)


@pytest.mark.parametrize(
    ("name", "options"), [a for a in ACTIVATIONS if "dim" not in a[1] and a[0] not in ("GLU", "Softmax2d")]
)
def test_activations_where_formulas_change(name, options):
    compare(
        getattr(nn, name)(**options).eval(),
        getattr(torch.nn, name)(**options).eval(),
        [EDGES],
        slack=COARSE.get(name, 1e-9),
    )


INPLACE = [
    "ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "SiLU", "Mish", "Hardtanh", "Hardsigmoid", "Hardswish",
]  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_inplace_activations(name):
    def run(layer, x):
        y = x * 2
        assert layer(y) is y
        return y * 1

    mine, other = getattr(nn, name)(inplace=True), getattr(torch.nn, name)(inplace=True)
    compare(lambda x: run(mine, x), lambda x: run(other, x), [values(3, 4)], slack=COARSE.get(name, 1e-9))
    assert repr(mine) == repr(other)


@pytest.mark.parametrize(
    ("shape", "count"), [((5,), 1), ((5, 3), 1), ((5, 3), 3), ((2, 3, 4), 3), ((2, 3, 2, 2), 3), ((), 1)]
)
def test_prelu(shape, count):
    compare(F.prelu, torch.nn.functional.prelu, [values(*shape), values(count)])


@pytest.mark.parametrize(
    ("name", "args"),
    [("softmax", (0,)), ("softmin", (1,)), ("log_softmax", (-1,)), ("glu", (1,)), ("threshold", (0.1, 4.0)),
     ("sigmoid", ()), ("tanh", ()), ("logsigmoid", ()), ("softsign", ()), ("hardshrink", (0.2,)),
     ("elu", (0.3,)), ("celu", (0.25,))],
)  # fmt: skip
def test_positional_arguments(name, args):
    compare(
        lambda x: getattr(F, name)(x, *args), lambda x: getattr(torch.nn.functional, name)(x, *args), [values(4, 6)]
    )


# layers with parameters


def twins(name, *args, **kwargs):
    """Our layer and PyTorch's, in float64, with the same parameters and buffers."""
    mine, other = getattr(nn, name)(*args, **kwargs).double(), getattr(torch.nn, name)(*args, **kwargs).double()
    state = {k: RNG.standard_normal(tuple(v.shape)) for k, v in other.state_dict().items() if v.dtype == torch.float64}
    for key in state:
        if key.endswith("running_var"):
            state[key] = np.abs(state[key]) + 0.5
    assert list(mine.state_dict()) == list(other.state_dict())
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in other.named_parameters()]
    mine.load_state_dict(state, strict=False)
    other.load_state_dict({k: torch.tensor(v) for k, v in state.items()}, strict=False)
    return mine, other


def compare_layers(mine, other, *args):
    assert repr(mine) == repr(other)
    compare(mine, other, args)
    for (name, p), q in zip(mine.named_parameters(), other.parameters(), strict=True):
        close(p.grad, q.grad, f"the gradient of {name}")
    for (name, p), q in zip(mine.named_buffers(), other.buffers(), strict=True):
        close(p, q, name)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (2, 1, 5, 3)])
def test_linear(shape, bias):
    compare_layers(*twins("Linear", 3, 4, bias=bias), values(*shape))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(5,), (2, 3), ()])
def test_bilinear(lead, bias):
    compare_layers(*twins("Bilinear", 3, 2, 4, bias=bias), values(*lead, 3), values(*lead, 2))


@pytest.mark.parametrize("options", [{}, {"start_dim": 0}, {"start_dim": 1, "end_dim": 2}, {"start_dim": -2}])
def test_flatten(options):
    compare_layers(nn.Flatten(**options), torch.nn.Flatten(**options), values(2, 3, 4, 5))


@pytest.mark.parametrize(("dim", "sizes"), [(1, (2, 3)), (1, (2, -1)), (-1, (1, 4)), (0, [2, 1])])
def test_unflatten(dim, sizes):
    mine, other = nn.Unflatten(dim, tuple(sizes)), torch.nn.Unflatten(dim, tuple(sizes))
    compare_layers(mine, other, values(2, 6, 4))


def test_identity():
    compare_layers(nn.Identity(54, anything=True), torch.nn.Identity(54, anything=True), values(2, 3))


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
@pytest.mark.parametrize(("affine", "track"), list(itertools.product([True, False], repeat=2)))
def test_batch_norm(shape, momentum, affine, track):
    mine, other = twins("BatchNorm1d", 3, eps=1e-3, momentum=momentum, affine=affine, track_running_stats=track)
    for _ in range(3):
        mine.zero_grad()
        other.zero_grad()
        compare_layers(mine, other, values(*shape))
    mine.eval()
    other.eval()
    mine.zero_grad()
    other.zero_grad()
    compare_layers(mine, other, values(*shape))


def test_batch_norm_without_bias():
    compare_layers(*twins("BatchNorm1d", 3, bias=False), values(6, 3))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_functional_batch_norm(shape, training):
    mean, var, weight, bias, x = values(3), values(3, low=0.5), values(3), values(3), values(*shape)

    def run(f, tensor):
        return lambda x, w, b: f(x, tensor(mean), tensor(var), w, b, training, 0.3, 1e-4)

    compare(
        run(F.batch_norm, lambda a: Tensor(a.copy())),
        run(torch.nn.functional.batch_norm, lambda a: torch.tensor(a)),
        [x, weight, bias],
    )


@pytest.mark.parametrize(
    ("wanted", "options"),
    [(5, {}), ((4, 5), {}), ((5,), {"bias": False}), ((5,), {"elementwise_affine": False}), ([4, 5], {"eps": 0.1})],
)
def test_layer_norm(wanted, options):
    compare_layers(*twins("LayerNorm", wanted, **options), values(3, 4, 5))


def test_dropout_layers_print_as_pytorchs():
    for name in ("Dropout", "AlphaDropout"):
        mine, other = getattr(nn, name)(0.3), getattr(torch.nn, name)(0.3)
        assert repr(mine) == repr(other)
        compare(mine.eval(), other.eval(), [values(3, 4)])


@pytest.mark.parametrize(("dim", "shape"), [(1, (4, 3)), (0, (4, 3)), (-1, (2, 3, 4))])
def test_similarity_and_scaling(dim, shape):
    x, y = values(*shape), values(*shape)
    compare(lambda a, b: F.cosine_similarity(a, b, dim), lambda a, b: torch.cosine_similarity(a, b, dim), [x, y])
    for p in (1.0, 2.0, 3.0):
        compare(lambda a, p=p: F.normalize(a, p, dim), lambda a, p=p: torch.nn.functional.normalize(a, p, dim), [x])


def test_pad_and_one_hot():
    x, labels = values(2, 3), RNG.integers(0, 4, (5, 2))
    compare(
        lambda a: F.pad(a, (1, 2, 0, 1), value=3.0), lambda a: torch.nn.functional.pad(a, (1, 2, 0, 1), value=3.0), [x]
    )
    assert np.array_equal(
        F.one_hot(Tensor(labels), 6).array, torch.nn.functional.one_hot(torch.tensor(labels), 6).numpy()
    )


# names, arguments, defaults, initial values


NO_LAYERS = ("functional", "init", "utils", "Maxout", "Parameter", "Buffer", "RNNCellBase")


@pytest.mark.parametrize("name", [n for n in nn.__all__ if n not in NO_LAYERS])
def test_arguments_of_layers(name):
    mine, other = (inspect.signature(getattr(package, name).__init__).parameters for package in (nn, torch.nn))
    if any(p.kind is p.VAR_POSITIONAL for p in other.values()):
        return
    expected = {n: getattr(p.default, "__name__", p.default) for n, p in other.items()}
    found = {n: getattr(p.default, "__name__", p.default) for n, p in mine.items()}
    assert list(found) == list(expected)
    assert found == expected


MORE = {"multi_head_attention_forward": ["batch_first"]}  # arguments that PyTorch's function has not


def tells_its_signature(name):
    """Whether PyTorch's function is written in Python, and takes more than *args."""
    try:
        found = inspect.signature(getattr(torch.nn.functional, name)).parameters.values()
    except ValueError:
        return False
    return all(p.kind is not p.VAR_POSITIONAL for p in found)


@pytest.mark.parametrize("name", [n for n in F.__all__ if n != "maxout" and tells_its_signature(n)])
def test_arguments_of_functions(name):
    other = inspect.signature(getattr(torch.nn.functional, name)).parameters
    mine = inspect.signature(getattr(F, name)).parameters
    expected = {n: p.default for n, p in other.items() if n not in TORCH_ONLY}
    found = {n: p.default for n, p in mine.items() if n not in (*TORCH_ONLY, *MORE.get(name, ()))}
    assert list(found) == list(expected)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "args"),
    [("Linear", (40, 50)), ("Bilinear", (9, 8, 30)), ("PReLU", (7,)), ("BatchNorm1d", (9,)), ("LayerNorm", (9,))],
)
def test_initial_values(name, args):
    """The same dtype, shapes and bounds; the same spread within them."""
    byhand.manual_seed(0)
    torch.manual_seed(0)
    mine, other = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    for (key, p), (their_key, q) in zip(mine.state_dict().items(), other.state_dict().items(), strict=True):
        q = q.numpy()
        assert (key, p.shape, p.dtype) == (their_key, q.shape, q.dtype)
        if np.ptp(q) == 0:
            assert np.array_equal(p.array, q)
        else:
            bound = 1 / np.sqrt(args[0])
            assert np.abs(p.array).max() <= bound
            assert np.abs(p.array).max() > 0.9 * bound
            assert abs(p.array.std() - bound / np.sqrt(3)) < 0.12 * bound
