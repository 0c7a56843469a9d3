"""Operations of one's own with a derivative of one's own: PyTorch's `autograd.Function`. Called by users.

A call becomes one node of the tape whose rule is the class's `backward`. Several results are kept as one: laid end to
end, so that the node has one gradient, and cut apart again by ordinary ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from byhand.core.errors import GraphError, UsageError
from byhand.core.op import OTHER, Derivative, Op
from byhand.core.recorder import record, wrap
from byhand.core.tape import mode, no_grad
from byhand.core.variable import Variable
from byhand.creation import zeros
from byhand.ops.shape import cat
from byhand.ops.views import narrowed, reshaped
from byhand.tensor import Tensor


class FunctionCtx:
    """What `forward` leaves for `backward`; any attribute may be set."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Any, ...] = ()
        self._constant: list[int] = []
        self._materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors; `saved_tensors` gives them back."""
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say through which results no gradient passes."""
        self._constant += map(id, tensors)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Accepted: in-place changes are seen here by themselves."""

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros for results that nothing was made of (the default), or None."""
        self._materialize = value


class Function:
    """An operation defined by two static methods; call it by `apply`.

    forward(ctx, *args) → a tensor or several; backward(ctx, *gradients) → one gradient for each argument, None for what
    has none. Or forward(*args) without ctx, and setup_context(ctx, inputs, output).

    >>> import byhand
    >>> class Cube(byhand.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         x, = ctx.saved_tensors
    ...         return 3 * x * x * g
    >>> x = byhand.tensor([1.0, 2.0], requires_grad=True)
    >>> Cube.apply(x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result."""
        raise NotImplementedError("a Function needs a static method forward(ctx, …)")

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what `backward` needs, if `forward` has no ctx."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Any:
        """The gradients of the arguments."""
        raise NotImplementedError("a Function needs a static method backward(ctx, …)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward` and record `backward`."""
        ctx = FunctionCtx(tuple(isinstance(x, Tensor) and x.requires_grad for x in args))
        with no_grad():
            if cls.setup_context is Function.setup_context:
                out = cls.forward(ctx, *args)
            else:
                out = cls.forward(*args)
                cls.setup_context(ctx, args, out)
        results = out if isinstance(out, tuple) else (out,)
        if not mode.recording or not any(ctx.needs_input_grad):
            return out
        tracked = [
            i for i, x in enumerate(results)
            if isinstance(x, Tensor) and x.array.dtype.kind == "f" and id(x) not in ctx._constant
        ]  # fmt: skip
        replaced = dict(zip(tracked, _recorded(cls, ctx, args, [results[i] for i in tracked]), strict=True))
        found = tuple(replaced.get(i, x) for i, x in enumerate(results))
        ctx._constant = [i for i in range(len(results)) if i not in replaced]
        return found if isinstance(out, tuple) else found[0]


def _recorded(cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], results: Sequence[Tensor]) -> list[Tensor]:
    """The results as tensors behind one node."""
    if not results:
        return []
    tensors = [x for x in args if isinstance(x, Tensor)]
    places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
    shapes = [x.shape for x in results]
    with no_grad():
        whole = results[0] if len(results) == 1 else cat([x.reshape(-1) for x in results])
    nodes = [x.node for x in tensors]
    attrs = {"call": _Call(cls, ctx, places, len(args), shapes)}
    node = record(_operation(cls), nodes, [None] * len(nodes), whole.array, attrs)
    joined = wrap(whole.array, node)
    if len(results) == 1:
        return [joined]
    sizes = [prod(shape) for shape in shapes]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    flat = [narrowed(joined, axis=0, start=a, stop=a + n) for a, n in zip(starts, sizes, strict=True)]
    return [reshaped(x, shape=shape) for x, shape in zip(flat, shapes, strict=True)]


class _Call:
    """One call, as its rule sees it."""

    def __init__(
        self, cls: type[Function], ctx: FunctionCtx, places: list[int], count: int, shapes: list[tuple[int, ...]]
    ) -> None:
        self.cls, self.ctx, self.places, self.count, self.shapes = cls, ctx, places, count, shapes

    def gradients(self, g: Any) -> list[Any]:
        """`backward`, on tensors; its results as what `g` is, array or tensor, for each tensor among the arguments."""
        on_tensors = isinstance(g, Variable)
        whole: Any = g if on_tensors else wrap(g)
        given = self.cls.backward(self.ctx, *self._pieces(whole))
        found = list(given) if isinstance(given, tuple) else [given]
        if len(found) < self.count or any(x is not None for x in found[self.count :]):
            raise GraphError(
                f"{self.cls.__name__}.backward returned {len(found)} gradients; expected {self.count}, one for each "
                "argument of forward (None for what has none)"
            )
        chosen = [found[i] for i in self.places]
        return [x if on_tensors or x is None else x.array for x in chosen]

    def _pieces(self, whole: Any) -> list[Any]:
        sizes, start, pieces = [prod(shape) for shape in self.shapes], 0, []
        if len(sizes) == 1:
            pieces = [whole]
        else:
            for size, shape in zip(sizes, self.shapes, strict=True):
                pieces.append(reshaped(narrowed(whole, axis=0, start=start, stop=start + size), shape=shape))
                start += size
        for i in self.ctx._constant:
            pieces.insert(i, None)
        return pieces


def _gradient(g: Any, gradients: list[Any], i: int, xs_shapes: list[Any]) -> Any:
    """The gradient of one tensor; zeros where `backward` said None."""
    if gradients[i] is not None:
        return gradients[i]
    none: Any = zeros(xs_shapes[i], dtype=g.dtype)
    return none if isinstance(g, Variable) else none.array


def _operation(cls: type[Function]) -> Op:
    """The record of a class: an op outside of the table, for its calls are not byhand's."""
    found: Op | None = cls.__dict__.get("_op")
    if found is None:

        def kernel(*xs: Any, call: Any) -> Any:
            raise UsageError(f"{cls.__name__} is called by {cls.__name__}.apply(…)")

        found = Op(cls.__name__, kernel, OTHER, None, {}, None, None)
        found.shared["gradients"] = Derivative(lambda g, call: call.gradients(g), ("call",), found)
        found.rules[0] = Derivative(_gradient, ("gradients", "i", "xs_shapes"), found)
        found.saves = True
        cls._op = found  # type: ignore[attr-defined]
    return found
