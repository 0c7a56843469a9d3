"""The tape: one `Node` for each recorded operation, and the switch that turns recording on and off.

A node is kept apart from the tensor that it computed. It holds the nodes it came from and just those arrays that
its rules name, so that in `relu(linear(x))` the pre-activation is freed as soon as nobody looks at it. Gradients of
leaves are kept on their node too: a node never points back to its tensor, so no tape has a reference cycle.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from byhand.core.hooks import Hooks
    from byhand.core.op import Op
    from byhand.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R")

next_serial: Callable[[], int] = itertools.count(1).__next__


class Node:
    """What was computed, from what, and what its rules need.

    op       the record in the table of ops; None for a leaf
    inputs   the node of each operand, None where no gradient is tracked
    saved    operands and result that a rule names, in order; None where no rule does
    attrs    the resolved keyword arguments
    serial   counts up; sorting by it is the order of execution
    shape, dtype   of the result
    grad     for leaves and after `retain_grad`: the accumulated gradient
    hooks    functions on the gradient that passes here
    """

    __slots__ = ("__weakref__", "attrs", "dtype", "grad", "hooks", "inputs", "op", "saved", "serial", "shape")

    op: Op | None
    inputs: tuple[Node | None, ...]
    saved: tuple[Any, ...] | None
    attrs: dict[str, Any]
    serial: int
    shape: tuple[int, ...]
    dtype: Any
    grad: Tensor | None
    hooks: Hooks | None


def leaf(shape: tuple[int, ...], dtype: Any) -> Node:
    """A node without an operation: the gradient of a leaf gathers here."""
    node = Node()
    node.op = None
    node.inputs = ()
    node.saved = ()
    node.attrs = {}
    node.serial = next_serial()
    node.shape = shape
    node.dtype = dtype
    node.grad = None
    node.hooks = None
    return node


class _Local(threading.local):
    recording = True


class _Mode:
    """Whether operations are recorded; per thread, as in PyTorch.

    A thread's own setting takes 50 ns to look up. `quiet`, how many threads have recording turned off, takes 20, and
    as long as it is 0 there is nothing to look up: the recorder asks for it first.
    """

    __slots__ = ("_local", "_lock", "quiet")

    def __init__(self) -> None:
        self._local, self._lock, self.quiet = _Local(), threading.Lock(), 0

    @property
    def recording(self) -> bool:
        return self._local.recording

    @recording.setter
    def recording(self, wanted: bool) -> None:
        local = self._local
        if local.recording != wanted:
            with self._lock:
                self.quiet += -1 if wanted else 1
            local.recording = wanted


mode = _Mode()


class set_grad_enabled:
    """Turn recording on or off: at once when called, and for a block when used with `with` or as a decorator.

    >>> import byhand
    >>> with byhand.set_grad_enabled(False):
    ...     byhand.is_grad_enabled()
    False
    """

    def __init__(self, enabled: bool) -> None:
        self._enabled = bool(enabled)
        self._before = mode.recording
        mode.recording = self._enabled

    def __enter__(self) -> None:
        mode.recording = self._enabled

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        mode.recording = self._before

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        mode.recording = self._before  # as a decorator it must not act at once
        return _decorate(function, self._enabled)


class _Block:
    """A context manager and decorator that sets the mode to `enabled`; safe to nest and to reuse."""

    enabled: bool

    def __init__(self) -> None:
        self._stack: list[bool] = []

    def __enter__(self) -> None:
        self._stack.append(mode.recording)
        mode.recording = self.enabled

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        mode.recording = self._stack.pop()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return _decorate(function, self.enabled)

    def __new__(cls, function: Any = None) -> Any:
        if function is not None:  # `@no_grad` without parentheses
            return _decorate(function, cls.enabled)
        return super().__new__(cls)


class no_grad(_Block):
    """Do not record what happens in this block or function.

    >>> import byhand
    >>> x = byhand.ones(2, requires_grad=True)
    >>> with byhand.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    enabled = False


class enable_grad(_Block):
    """Record again, inside of a `no_grad` block."""

    enabled = True


class inference_mode(no_grad):
    """PyTorch's stricter `no_grad`; here the same thing, since un-recorded ops cost nothing more."""

    def __new__(cls, function: Any = None) -> Any:
        if isinstance(function, bool):  # torch.inference_mode(mode=True)
            return (no_grad if function else enable_grad)()
        return super().__new__(cls, function)


def _decorate(function: Callable[P, R], enabled: bool) -> Callable[P, R]:
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        before, mode.recording = mode.recording, enabled
        try:
            return function(*args, **kwargs)
        finally:
            mode.recording = before

    return wrapped


def is_grad_enabled() -> bool:
    """Whether operations are being recorded in this thread."""
    return mode.recording
