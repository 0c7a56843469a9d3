"""Complex tensors, as far as Fourier transforms need them: parts, magnitudes, angles, sums and products.

Rules stay those of real numbers: on its way back the gradient of a complex value z is ∂L/∂Re z − i ∂L/∂Im z, for which
the chain rule of real analysis holds as it stands (as in JAX). Users see its conjugate, as in PyTorch: `core.gradient`
and the engine turn it where gradients come in and go out. A value that is real takes the real part.

Other ops would give nonsense (NumPy orders complex numbers, for one), so from the first complex tensor on they refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core import engine
from byhand.core.capture import slot
from byhand.core.errors import DtypeError
from byhand.core.op import ELEMENTWISE, OPS, OTHER, VIEW, WATCHERS, Op, derive, op
from byhand.core.recorder import replace_kernel
from byhand.core.variable import Array
from byhand.ops import compare
from byhand.ops import elementwise as e
from byhand.ops.trigonometry import atan2, cos, sin

if TYPE_CHECKING:
    from byhand.tensor import Tensor

# What means the same for complex values; the rest is refused.
TAKEN = {
    "abs", "add", "all", "any", "cast", "cat", "clone", "column_sums", "complex_of", "complex_pairs", "conj",
    "contiguous", "copied", "cumsum", "diagonal", "diagonal_scattered", "einsum", "eq", "expand", "flip", "fourier",
    "gather", "getitem", "imag", "index", "index_added", "isclose", "isfinite", "isinf", "isnan", "matmul", "mean",
    "mul", "narrow", "ne", "neg", "pad", "paired", "permute", "placed", "pow", "prod", "real", "real_fourier",
    "real_inverse_fourier", "real_pairs", "reciprocal", "reshape", "roll", "row_sums", "scatter_add", "setitem",
    "sub", "sum", "tril", "triu", "true_divide", "unpadded", "view_written", "where",
}  # fmt: skip


@op(OTHER, name="real")
def real_part(x: Array) -> Array:
    """Re x"""
    return x.real.copy()


@op(OTHER)
def paired(x: Array) -> Array:
    """Real x as x + 0 i"""
    return x + 0j


@op(OTHER, name="imag")
def imaginary_part(x: Array) -> Array:
    """Im x"""
    return x.imag.copy()


@op(ELEMENTWISE, name="conj", ufunc=np.conjugate)
def conjugate(x: Array) -> Array:
    """Re x − i Im x"""
    return np.conjugate(x)


@op(OTHER)
def complex_of(x: Array, y: Array) -> Array:
    """x + i y"""
    pairs = np.stack(np.broadcast_arrays(x, y), -1)  # x + 1j * y would be NaN for infinite y
    return pairs.view(np.result_type(pairs, np.complex64))[..., 0]


@op(VIEW)
def real_pairs(x: Array) -> Array:
    """Complex (…) as pairs (Re, Im) (…, 2), of the same memory"""
    return np.ascontiguousarray(x).view(x.real.dtype).reshape(*x.shape, 2)


@op(VIEW)
def complex_pairs(x: Array) -> Array:
    """Pairs (Re, Im) (…, 2) as complex (…), of the same memory"""
    return np.ascontiguousarray(x).view(np.result_type(x.dtype, np.complex64))[..., 0]


derive(real_part, x=lambda g: paired(g))
derive(paired, x=lambda g: real_part(g))
derive(imaginary_part, x=lambda g: g * -1j)
derive(conjugate, x=lambda g: conjugate(g))
derive(complex_of, x=lambda g: real_part(g), y=lambda g: -imaginary_part(g))
derive(real_pairs, x=lambda g: conjugate(complex_pairs(g)))
derive(complex_pairs, x=lambda g: real_pairs(conjugate(g)))

engine.conj, engine.real, engine.paired = conjugate, real_part, paired

armed: list[str] = []  # the ops that refuse complex values by now


def arm() -> None:
    """Let all ops but those above refuse complex values; called before the first complex tensor is made."""
    if armed or slot.tracer is not None:
        return
    for record in OPS.values():
        _arm(record)
    WATCHERS.append(_arm)


def _arm(record: Op) -> None:
    if record.name not in TAKEN:
        armed.append(record.name)
        call = record.call
        replace_kernel(call, _guarded(record.name, replace_kernel(call, None)))  # type: ignore[arg-type]


def _guarded(name: str, kernel: Any) -> Any:
    def guarded(*arrays: Any, **attrs: Any) -> Any:
        for array in arrays:
            if isinstance(array, np.ndarray) and array.dtype.kind == "c":
                raise DtypeError(
                    f"{name} cannot take {array.dtype}: complex tensors are for byhand.fft, and have sums, products, "
                    "quotients, .real, .imag, .abs(), .angle() and .conj()"
                )
        return kernel(*arrays, **attrs)

    return guarded


def is_complex(input: Any) -> bool:
    """Whether the dtype is complex."""
    return bool(input.dtype.kind == "c")


def isreal(input: Any) -> Tensor:
    """Whether each value is real."""
    return compare.eq(imaginary_part(input), 0) if is_complex(input) else compare.eq(input, input) | True


def real(input: Any) -> Tensor:
    """The real part; of a real tensor itself."""
    return real_part(input) if is_complex(input) else input


def imag(input: Any) -> Tensor:
    """The imaginary part of a complex tensor."""
    if not is_complex(input):
        raise DtypeError(f"imag is for complex tensors, this one is {input.dtype}")
    return imaginary_part(input)


def conj(input: Any) -> Tensor:
    """The complex conjugate; of a real tensor itself."""
    return conjugate(input) if is_complex(input) else input


def angle(input: Any) -> Tensor:
    """The angle in the complex plane, from −π to π; of real values 0 or π."""
    if is_complex(input):
        return atan2(imaginary_part(input), real_part(input))
    return e.select(input < 0, np.pi, input * 0)


def complex(real: Any, imag: Any) -> Tensor:
    """real + i · imag, of two float tensors of one dtype.

    >>> import byhand
    >>> byhand.complex(byhand.tensor([3.0]), byhand.tensor([4.0])).abs()
    tensor([5.])
    """
    if real.dtype != imag.dtype or real.dtype not in (np.float32, np.float64):
        raise DtypeError(f"complex got {real.dtype} and {imag.dtype}; expected float32 twice or float64 twice")
    arm()
    return complex_of(real, imag)


def polar(abs: Any, angle: Any) -> Tensor:
    """abs · (cos angle + i sin angle)."""
    return complex(abs * cos(angle), abs * sin(angle))


def view_as_real(input: Any) -> Tensor:
    """Complex (…) as (…, 2), the real and imaginary parts; a view."""
    if not is_complex(input):
        raise DtypeError(f"view_as_real is for complex tensors, this one is {input.dtype}")
    return real_pairs(input)


def view_as_complex(input: Any) -> Tensor:
    """(…, 2), the real and imaginary parts, as complex (…); a view."""
    if input.dtype not in (np.float32, np.float64) or not input.ndim or input.shape[-1] != 2:
        raise DtypeError(f"view_as_complex takes floats of shape (…, 2), not {input.dtype} of shape {input.shape}")
    arm()
    return complex_pairs(input)
