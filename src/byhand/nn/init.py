"""Starting values of parameters: `nn.init`. Called by the layers' `reset_parameters`, and by users.

Each function fills a tensor in place, outside of the tape, and returns it. What is random draws from the default
generator, or from `generator=`. The shape of a weight is (outputs, inputs, *kernel); its fans are

    fan_in  = inputs  × the size of the kernel       how many values one output sums up
    fan_out = outputs × the size of the kernel       how many outputs one input reaches

Which one to take: after ReLU He's (`kaiming_normal_`), after tanh or sigmoid Glorot's (`xavier_uniform_`), after SELU
LeCun's, a variance of 1 / fan_in (`kaiming_normal_(w, nonlinearity="linear")`; LeCun et al., Efficient BackProp, 1998).
"""

from __future__ import annotations

import math
import warnings
from typing import Any, TypeVar

import numpy as np

from byhand.core.errors import DomainError, ShapeError, UsageError
from byhand.core.generator import Generator, numpy_generator
from byhand.core.tape import no_grad
from byhand.nn.tree import did_you_mean
from byhand.tensor import Tensor

_T = TypeVar("_T", bound=Tensor)
Array = np.ndarray[Any, np.dtype[Any]]

GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def _fill(tensor: _T, values: Array | float) -> _T:
    """Overwrite a tensor in place, outside of the tape, in its own dtype."""
    with no_grad():
        if isinstance(values, np.ndarray):
            tensor.copy_(Tensor(values))
        else:
            tensor.fill_(values)
    return tensor


def _standard_normal(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Array:
    kind = np.float32 if dtype == np.float32 else np.float64
    return np.asarray(numpy_generator(generator).standard_normal(shape, dtype=kind))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to scale weights such that a nonlinearity keeps the variance of what passes through it.

    1 for linear layers, convolutions and sigmoid; tanh 5/3; relu √2; selu 3/4; leaky_relu √(2 / (1 + param²)), where
    `param` is its negative slope, 0.01 unless told. Raises `UsageError` for other names.

    >>> from byhand.nn.init import calculate_gain
    >>> round(calculate_gain("relu"), 4)
    1.4142
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise UsageError(f"the negative slope of leaky_relu is a number, got {slope!r}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        names = [*GAINS, "leaky_relu"]
        hint = did_you_mean(nonlinearity, names) or f"; known are {', '.join(names)}"
        raise UsageError(f"no gain is known for the nonlinearity {nonlinearity!r}{hint}")
    return GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """The fans of a weight of shape (outputs, inputs, *kernel)."""
    shape = tensor.shape
    if len(shape) < 2:
        raise ShapeError(
            f"a tensor of shape {shape} has no fan in and fan out; expected a weight of shape "
            "(outputs, inputs, *kernel); for a bias use zeros_"
        )
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _fan(tensor: Tensor, mode: str) -> int:
    fans = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    try:
        return fans[mode.lower()]
    except (KeyError, AttributeError):
        raise UsageError(f"mode is 'fan_in' or 'fan_out', got {mode!r}") from None


def zeros_(tensor: _T) -> _T:
    """Fill with 0: for biases. Weights that are all equal would learn the same, for ever."""
    return _fill(tensor, 0.0)


def ones_(tensor: _T) -> _T:
    """Fill with 1: for the scales of normalisation."""
    return _fill(tensor, 1.0)


def constant_(tensor: _T, val: float) -> _T:
    """Fill with `val`."""
    return _fill(tensor, val)


def uniform_(tensor: _T, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> _T:
    """Draw each value from U(a, b)."""
    if not a <= b:
        raise UsageError(f"uniform_ draws between a and b; expected a <= b, got a={a}, b={b}")
    kind = np.float32 if tensor.dtype == np.float32 else np.float64
    values: Any = numpy_generator(generator).random(tensor.shape, dtype=kind)
    values *= b - a
    values += a
    return _fill(tensor, np.asarray(values))


def normal_(tensor: _T, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> _T:
    """Draw each value from N(mean, std²)."""
    if not std >= 0:
        raise UsageError(f"normal_ needs a standard deviation that is not negative, got std={std}")
    values = _standard_normal(tensor.shape, tensor.dtype, generator)
    values *= std
    values += mean
    return _fill(tensor, values)


def trunc_normal_(
    tensor: _T,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> _T:
    """Draw each value from N(mean, std²), again and again until it is in [a, b].

    Raises `UsageError` unless a < b and std > 0.
    """
    if not (a < b and std > 0):
        raise UsageError(f"trunc_normal_ expects a < b and std > 0, got a={a}, b={b}, std={std}")
    low, high = (a - mean) / std, (b - mean) / std
    values = _truncated(math.prod(tensor.shape), low, high, numpy_generator(generator))
    return _fill(tensor, (values * std + mean).clip(a, b).reshape(tensor.shape))


def _truncated(count: int, low: float, high: float, rng: np.random.Generator) -> Array:
    """Standard normal values in [low, high], by rejection.

    Where the interval lies so far out that few normal draws would hit it, candidates are uniform instead and accepted
    in proportion to the density, in the part of the interval where it is more than e⁻⁵⁰ of its largest.
    """
    nearest = min(max(0.0, low), high)
    mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    reach = math.sqrt(nearest**2 + 100)
    low, high = max(low, -reach), min(high, reach)
    found = np.empty(count)
    filled = 0
    while filled < count:
        missing = count - filled
        if mass > 0.25:
            z = rng.standard_normal(missing)
            z = z[(z >= low) & (z <= high)]
        else:
            z = rng.uniform(low, high, missing)
            z = z[rng.random(missing) < np.exp((nearest**2 - z**2) / 2)]
        found[filled : filled + len(z)] = z
        filled += len(z)
    return found


def eye_(tensor: _T) -> _T:
    """Ones on the diagonal of a matrix, zeros elsewhere: as many inputs as possible pass unchanged."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_ fills matrices; expected 2 axes, got shape {tensor.shape}")
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: _T, groups: int = 1) -> _T:
    """Dirac's delta in the middle of convolution kernels: as many channels as possible pass unchanged.

    The kernels have 3, 4 or 5 axes. With `groups`, this holds for each group of output channels.
    """
    shape = tensor.shape
    if len(shape) not in (3, 4, 5):
        raise ShapeError(f"dirac_ fills convolution kernels; expected 3, 4 or 5 axes, got shape {shape}")
    if shape[0] % groups:
        raise UsageError(f"dirac_: the {shape[0]} output channels cannot be divided into {groups} groups")
    values = np.zeros(shape)
    each = shape[0] // groups
    middle = tuple([n // 2 for n in shape[2:]])
    for group in range(groups):
        for channel in range(min(each, shape[1])):
            values[(group * each + channel, channel, *middle)] = 1.0
    return _fill(tensor, values)


def xavier_uniform_(tensor: _T, gain: float = 1.0, generator: Generator | None = None) -> _T:
    """Glorot's uniform values: U(-b, b) with b = gain · √(6 / (fan_in + fan_out)).

    Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    bound = gain * math.sqrt(6.0 / _positive(sum(_calculate_fan_in_and_fan_out(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: _T, gain: float = 1.0, generator: Generator | None = None) -> _T:
    """Glorot's normal values: N(0, std²) with std = gain · √(2 / (fan_in + fan_out)).

    Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    std = gain * math.sqrt(2.0 / _positive(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: _T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> _T:
    """He's uniform values: U(-b, b) with b = gain · √(3 / fan).

    a             the negative slope where the nonlinearity is leaky_relu
    mode          "fan_in" keeps the variance in the forward pass, "fan_out" in the backward pass
    nonlinearity  what comes after the layer, for `calculate_gain`

    He et al., Delving deep into rectifiers, 2015. With a=√5, b = 1 / √fan_in: how PyTorch's `Linear` starts.
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _positive(_fan(tensor, mode)))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: _T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> _T:
    """He's normal values: N(0, std²) with std = gain / √fan; arguments as in `kaiming_uniform_`.

    He et al., Delving deep into rectifiers, 2015.
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(_positive(_fan(tensor, mode)))
    return normal_(tensor, 0.0, std, generator)


def _positive(fan: int) -> int:
    """A fan of 0 belongs to an empty weight, for which any bound does."""
    return max(fan, 1)


def orthogonal_(tensor: _T, gain: float = 1, generator: Generator | None = None) -> _T:
    """A random matrix whose rows, or columns if they are fewer, are orthonormal, times `gain`.

    More than two axes count as (first, product of the others). Drawn uniformly: Q of a normal matrix's QR, with the
    signs of R's diagonal. Saxe, McClelland & Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, 2013.
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_ fills matrices; expected 2 axes or more, got shape {tensor.shape}")
    rows = tensor.shape[0]
    columns = math.prod(tensor.shape[1:])
    if rows * columns == 0:
        return tensor
    normal = _standard_normal((max(rows, columns), min(rows, columns)), np.float64, generator)
    q, r = np.linalg.qr(normal)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0) * gain
    return _fill(tensor, (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: _T, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> _T:
    """N(0, std²) values, of which a fraction `sparsity` (rounded up) in each column of a matrix is 0.

    Martens, Deep learning via Hessian-free optimization, 2010.
    """
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_ fills matrices; expected 2 axes, got shape {tensor.shape}")
    if not 0 <= sparsity <= 1:
        raise DomainError(f"sparsity is a fraction between 0 and 1, got {sparsity}")
    rows, columns = tensor.shape
    values = _standard_normal((rows, columns), tensor.dtype, generator) * std
    order = numpy_generator(generator).random((rows, columns)).argsort(axis=0)
    values[order < math.ceil(sparsity * rows)] = 0.0
    return _fill(tensor, values)


def __getattr__(name: str) -> Any:
    """PyTorch's names of before 0.4, without the underscore."""
    if not name.startswith("_") and f"{name}_" in globals():
        warnings.warn(f"nn.init.{name} is called nn.init.{name}_ now", FutureWarning, stacklevel=2)
        return globals()[f"{name}_"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
