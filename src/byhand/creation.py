"""Functions that make tensors: from data, of constants, ranges, and at random. Re-exported by `byhand`.

Python floats become float32, integers int64, booleans bool; NumPy arrays keep their dtype. `requires_grad=True` makes
a leaf that gathers a gradient. `device` is taken so that PyTorch code runs, and must be the CPU.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.capture import stands_in, values
from byhand.core.dtypes import check_device, get_default_dtype, resolve
from byhand.core.errors import DtypeError, ShapeError, UsageError
from byhand.core.generator import Generator
from byhand.core.recorder import wrap
from byhand.core.variable import Array
from byhand.ops import elementwise as e
from byhand.ops import random
from byhand.ops.axes import shape_of, together
from byhand.ops.complex import arm
from byhand.ops.shape import stack
from byhand.ops.views import expanded
from byhand.tensor import Tensor


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Tensor:
    """A tensor with a copy of the data: numbers, nested lists, arrays or tensors.

    Raises ShapeError for ragged lists and DtypeError for what is not numeric.

    >>> import byhand
    >>> byhand.tensor([[1, 2], [3, 4]]).dtype
    dtype('int64')
    """
    check_device(device)
    if stands_in(data):
        made = _recorded(data, _array(_blank(data), dtype).dtype)
        return made.requires_grad_() if requires_grad else made
    return _made(np.array(_array(data, dtype)), device, requires_grad, layout)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of the data, sharing its memory where it is an array or tensor of that dtype."""
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if stands_in(data):
        return as_tensor(Tensor(data), dtype) if isinstance(data, np.ndarray) else tensor(data, dtype=dtype)
    return Tensor(_array(data, dtype))


asarray = as_tensor


def from_numpy(array: Array) -> Tensor:
    """A tensor that shares the memory of a NumPy array."""
    if not isinstance(array, np.ndarray):
        raise UsageError(f"from_numpy takes a NumPy array, not {type(array).__name__}; use tensor(…)")
    if array.dtype.kind not in "fiubc":
        raise DtypeError(f"from_numpy: a tensor cannot hold {array.dtype}")
    return Tensor(array)


def from_dlpack(array: Any) -> Tensor:
    """A tensor that shares the memory of any object with `__dlpack__`."""
    return Tensor(np.from_dlpack(array))


def _array(data: Any, dtype: Any) -> Array:
    wanted = None if dtype is None else resolve(dtype)
    if isinstance(data, Tensor):
        return data.array if wanted is None else data.array.astype(wanted, copy=False)
    if isinstance(data, (list, tuple)) and any(isinstance(x, Tensor) for x in data):
        data = [x.array if isinstance(x, Tensor) else x for x in data]
    try:
        array = np.asarray(data, dtype=wanted)
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise ShapeError(f"tensor: rows of different lengths do not make a tensor: {error}") from error
        raise DtypeError(f"tensor: these values are no {wanted or 'numbers'}: {error}") from error
    except TypeError as error:
        raise DtypeError(f"tensor: these values are no {wanted or 'numbers'}: {error}") from error
    if array.dtype.kind not in "fiubc":
        raise DtypeError(f"tensor: a tensor holds numbers and booleans, not {array.dtype} (from {_short(data)})")
    if (
        wanted is None
        and array.dtype in (np.float64, np.complex128)
        and not isinstance(data, (np.ndarray, np.generic))
        and not _holds_arrays(data)
    ):
        default = get_default_dtype()
        array = array.astype(default if array.dtype.kind == "f" else np.result_type(default, np.complex64))
    if array.dtype.kind == "c":
        arm()
    return array


def _blank(data: Any) -> Any:
    """The data with zeros in the place of what a step is captured with: they have the same dtype."""
    if isinstance(data, list | tuple):
        return [_blank(x) for x in data]
    if not stands_in(data):
        return data
    return np.zeros(data.shape, data.dtype) if hasattr(data, "shape") else data.current


def _recorded(data: Any, dtype: Any) -> Tensor:
    """A new tensor of what a step is captured with, computed by ops."""
    if isinstance(data, list | tuple):
        return stack([_recorded(x, dtype) for x in data], 0)
    if not stands_in(data):
        return Tensor(np.array(_array(data, dtype)))
    if not hasattr(data, "shape"):
        return wrap(e.mul(np.ones((), dtype), data))
    copy: Tensor = e.cast(values(data), dtype=dtype)
    return copy


def _holds_arrays(data: Any) -> bool:
    """Whether nested lists hold NumPy values, whose dtype then counts."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic))


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) < 60 else text[:57] + "..."


def _leaf(array: Any, requires_grad: bool) -> Tensor:
    made = array if isinstance(array, Tensor) else Tensor(array)  # random draws under `func.vmap` are tensors
    return made.requires_grad_() if requires_grad else made


def _made(array: Any, device: Any, requires_grad: bool, layout: dict[str, Any]) -> Tensor:
    check_device(device)
    if layout:
        _check_layout(layout)
    return _leaf(array, requires_grad)


def _check_layout(layout: dict[str, Any]) -> None:
    """Raises UsageError for keywords that are not PyTorch's words for memory, which all have one meaning here."""
    if "out" in layout:
        raise UsageError("functions here make new tensors and take no out=; write x.copy_(…) or x[...] = …")
    unknown = sorted(set(layout) - {"layout", "pin_memory", "memory_format"})
    if unknown:
        raise UsageError(f"a function that makes a tensor got the unknown keyword {', '.join(unknown)}")


def _sized(sizes: tuple[Any, ...], layout: dict[str, Any]) -> tuple[int, ...]:
    """The shape in f(2, 3), f((2, 3)) or f(size=(2, 3))."""
    return shape_of((layout.pop("size"),) if not sizes and "size" in layout else sizes)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Tensor:
    """Zeros of this shape."""
    return _made(np.zeros(_sized(size, layout), resolve(dtype)), device, requires_grad, layout)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Tensor:
    """Ones of this shape."""
    return _made(np.ones(_sized(size, layout), resolve(dtype)), device, requires_grad, layout)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Tensor:
    """A tensor of this shape whose values are whatever was in memory."""
    return _made(np.empty(_sized(size, layout), resolve(dtype)), device, requires_grad, layout)


def full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """This value everywhere; its own type decides the dtype unless one is given."""
    if stands_in(fill_value):
        return _filled(shape_of((size,)), fill_value, dtype, requires_grad)
    value = fill_value.array if isinstance(fill_value, Tensor) else fill_value
    kind = _array(value, None).dtype if dtype is None else resolve(dtype)
    return _made(np.full(shape_of((size,)), value, kind), device, requires_grad, layout)


def _filled(shape: tuple[int, ...], value: Any, dtype: Any, requires_grad: bool) -> Tensor:
    made: Tensor = e.clone(expanded(tensor(value, dtype=dtype), shape=shape))
    return made.requires_grad_() if requires_grad else made


def _like(x: Any, dtype: Any) -> np.dtype[Any]:
    return x.dtype if dtype is None else resolve(dtype)


def zeros_like(
    input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """Zeros in the shape and dtype of another tensor."""
    return _made(np.zeros(input.shape, _like(input, dtype)), device, requires_grad, layout)


def ones_like(
    input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """Ones in the shape and dtype of another tensor."""
    return _made(np.ones(input.shape, _like(input, dtype)), device, requires_grad, layout)


def empty_like(
    input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """An unfilled tensor in the shape and dtype of another."""
    return _made(np.empty(input.shape, _like(input, dtype)), device, requires_grad, layout)


def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """One value in the shape and dtype of another tensor."""
    if stands_in(fill_value):
        return _filled(input.shape, fill_value, _like(input, dtype), requires_grad)
    return _made(np.full(input.shape, fill_value, _like(input, dtype)), device, requires_grad, layout)


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    **layout: Any,
) -> Tensor:  # fmt: skip
    """start, start + step, … up to but without end; from 0 if only one number is given.

    >>> import byhand
    >>> byhand.arange(3)
    tensor([0, 1, 2])
    """
    if end is None:
        start, end = 0, start
    numbers = [x.item() if isinstance(x, Tensor) else x for x in (start, end, step)]
    if numbers[2] == 0:
        raise UsageError("arange: step must not be 0")
    array = np.arange(*numbers)
    if dtype is not None or array.dtype.kind == "f":
        array = array.astype(resolve(dtype))
    return _made(array, device, requires_grad, layout)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    **layout: Any,
) -> Tensor:  # fmt: skip
    """`steps` equally spaced values from start to end, both included."""
    first, last = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    return _made(np.linspace(first, last, steps).astype(resolve(dtype)), device, requires_grad, layout)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """`steps` values from base^start to base^end, with equal ratios."""
    first, last = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    return _made(np.logspace(first, last, steps, base=base, dtype=resolve(dtype)), device, requires_grad, layout)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any
) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    return _made(np.eye(n, m, dtype=resolve(dtype)), device, requires_grad, layout)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = np.int64, device: Any = None, **layout: Any
) -> Tensor:
    """The (row, column) indices of the lower triangle, (2, n)."""
    return _made(np.stack(np.tril_indices(row, offset, col)).astype(resolve(dtype)), device, False, layout)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = np.int64, device: Any = None, **layout: Any
) -> Tensor:
    """The (row, column) indices of the upper triangle, (2, n)."""
    return _made(np.stack(np.triu_indices(row, offset, col)).astype(resolve(dtype)), device, False, layout)


# at random


def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    **layout: Any,
) -> Tensor:  # fmt: skip
    """Uniform values of [0, 1)."""
    return _made(random.uniform(_sized(size, layout), resolve(dtype), generator), device, requires_grad, layout)


def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False,
    **layout: Any,
) -> Tensor:  # fmt: skip
    """Values of the standard normal distribution."""
    return _made(random.standard_normal(_sized(size, layout), resolve(dtype), generator), device, requires_grad, layout)


def rand_like(
    input: Any, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """Uniform values of [0, 1) in the shape and dtype of another tensor."""
    return _made(random.uniform(input.shape, _like(input, dtype), generator), device, requires_grad, layout)


def randn_like(
    input: Any, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """Standard normal values in the shape and dtype of another tensor."""
    return _made(random.standard_normal(input.shape, _like(input, dtype), generator), device, requires_grad, layout)


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """Integers from low (0 if left out) to high − 1: `randint(10, (3,))` or `randint(2, 10, (3,))`."""
    if size is None or high is None:
        low, high, size = 0, low, high if size is None else size
    kind = None if dtype is None else resolve(dtype)
    return _made(random.integers(low, high, shape_of((size,)), kind, generator), device, requires_grad, layout)


def randint_like(
    input: Any, low: int, high: int | None = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """Integers from low (0 if left out) to high − 1 in the shape and dtype of another tensor."""
    first, last = (0, low) if high is None else (low, high)
    drawn = random.integers(first, last, input.shape, _like(input, dtype), generator)
    return _made(drawn, device, requires_grad, layout)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, **layout: Any
) -> Tensor:
    """0 … n − 1 in random order."""
    drawn: Any = random.permutation(n, generator)
    if dtype is not None:
        drawn = e.cast(drawn, dtype=resolve(dtype))
    return _made(drawn, device, False, layout)


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False, **layout: Any,
) -> Tensor:  # fmt: skip
    """Values of normal distributions with these means and standard deviations, numbers or tensors."""
    if size is None:
        size = together("normal", *[np.shape(getattr(v, "array", v)) for v in (mean, std)])
    drawn = random.standard_normal(shape_of((size,)), resolve(dtype), generator)
    made: Tensor = _made(drawn, device, False, layout) * std + mean
    return made.detach().requires_grad_(requires_grad)


def scalar_tensor(value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor without axes."""
    return tensor(value, dtype=resolve(dtype), device=device, requires_grad=requires_grad)


def is_tensor(obj: object) -> bool:
    """Whether it is a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Any) -> bool:
    """Whether the dtype is a float."""
    return bool(input.dtype.kind == "f")


def promote_types(type1: Any, type2: Any) -> np.dtype[Any]:
    """The dtype of a sum of tensors of these dtypes: an integer does not widen a float."""
    first, second = resolve(type1), resolve(type2)
    if {first.kind, second.kind} & {"f", "c"} and first.kind != second.kind and {first.kind, second.kind} != {"f", "c"}:
        return first if first.kind in "fc" else second
    return np.result_type(first, second)


def result_type(tensor1: Any, tensor2: Any) -> np.dtype[Any]:
    """The dtype of the sum of two tensors or numbers."""
    total = tensor1 + tensor2
    return total.dtype if is_tensor(total) else tensor(total).dtype


def is_nonzero(input: Any) -> bool:
    """Whether the one value of a tensor is not 0."""
    return bool(input)


def numel(input: Any) -> int:
    """How many values a tensor has."""
    return math.prod(input.shape)
