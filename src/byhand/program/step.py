"""`compile`: a function that is written out as a program at its first call, and runs as that program afterwards.

`Compiled` keeps one `Entry` for each signature of arguments and state of its surroundings. An entry is a capture, the
program made of it and the arrays it is bound to; before each run it makes sure that those are still the ones in use.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from byhand.core.capture import tracer as running
from byhand.core.errors import CaptureError, UsageError
from byhand.core.tape import mode
from byhand.core.variable import Variable
from byhand.program.entry import Entry, capture
from byhand.program.surroundings import Surroundings
from byhand.program.tree import flatten

DIALECTS = ("planned", "loops", "longhand", "eager")
MOST_PROGRAMS = 64


class Compiled:
    """A compiled function; call it like the function itself.

    program   the program of the latest call: a straight line of nodes, printable
    source    the same as NumPy code for people: the longhand dialect
    """

    def __init__(
        self, function: Callable[..., Any], dialect: str, fallback: str | None, keep_grads: bool, without: Collection[str]
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function, self.dialect, self.fallback = function, dialect, fallback
        self.keep_grads, self.without = keep_grads, tuple(without)
        self.surroundings: Surroundings | None = None
        self.entries: dict[Any, list[Entry]] = {}
        self.latest: Entry | None = None
        self._gave_up = False
        self._fixed: tuple[Any, ...] = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._gave_up or running() is not None:  # part of a step that is being captured
            return self.function(*args, **kwargs)
        if self.surroundings is None:
            self.surroundings = Surroundings(self.function)
        leaves, structure = flatten((args, kwargs)) if kwargs or any(type(a) in (tuple, list, dict) for a in args) else (args, None)
        signature = (tuple([_kind(x) for x in leaves]), structure, mode.recording, self.surroundings.fixed())
        for entry in self.entries.get(signature, ()):
            if entry.holds(leaves):
                self.latest = entry
                return entry.run(leaves)
        return self._first(signature, args, kwargs)

    def _first(self, signature: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The first call of a signature: for real, and recorded."""
        self.surroundings = Surroundings(self.function)  # what is there may have changed since
        try:
            entry, result = capture(self, args, kwargs)
        except CaptureError as error:
            if self.fallback != "eager":
                raise
            warnings.warn(f"{_named(self.function)} runs eagerly: {error}", stacklevel=3)
            self._gave_up = True
            return self.function(*args, **kwargs)
        kept = self.entries.setdefault(signature[:-1] + (self.surroundings.fixed(),), [])
        kept[:] = [other for other in kept if not entry.replaces(other)]
        kept.append(entry)
        self.latest = entry
        if sum(map(len, self.entries.values())) > MOST_PROGRAMS:
            self.entries.pop(next(iter(self.entries)))
        return result

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "function" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.function, name)  # a compiled model has its parameters, modes and all else

    def _last(self) -> Entry:
        if self.latest is None:
            raise UsageError(f"{_named(self.function)} has no program yet: it is written at the first call; call it once")
        return self.latest

    @property
    def program(self) -> Any:
        """The program of the latest call, as captured and cleaned up."""
        return self._last().program

    def __repr__(self) -> str:
        count = sum(map(len, self.entries.values()))
        return f"<compiled {_named(self.function)}: {self.dialect}, {count} program{'s' * (count != 1)}>"


def compile(
    function: Any = None,
    *,
    dialect: str | None = None,
    fallback: str | None = None,
    keep_grads: bool = False,
    without: Collection[str] = (),
) -> Any:
    """Write a training step, or any function of tensors, out as a straight-line program, and run that from then on.

    The first call of a signature (shapes and dtypes of the arguments, training flags) runs as always and is recorded;
    later calls run the program on the same parameters, optimiser state, buffers and random generator, so one may change
    between compiled and eager at any step.

    function    a function, or a module; as a decorator with or without arguments
    dialect     "planned": NumPy with planned memory; "loops": compiled loops (needs the extra `byhand[fast]`); "longhand":
                the program as one reads it; "eager": no program; by default loops where Numba is installed, else planned
    fallback    "eager" goes on eagerly, with one warning, if the function cannot be captured
    keep_grads  whether gradients that the step's own optimiser has used stay in `.grad`; otherwise they are None
                afterwards, which saves their memory
    without     names of passes to leave out, to see what they do

    Numbers that the step reads from an optimiser (lr, momentum, …) and float arguments are inputs of the program. All
    other Python values are constants in it. Raises CaptureError for a step that looks at values (`.item()`, `if loss >
    1`), with the line; nothing has changed then.

    >>> import byhand
    >>> w = byhand.tensor([1.0, 2.0], requires_grad=True)
    >>> @byhand.compile
    ... def loss(x):
    ...     return ((w - x) * (w - x)).sum()
    >>> loss(byhand.zeros(2)).item(), loss(byhand.ones(2)).item()
    (5.0, 1.0)
    """
    if function is None:
        options = {"dialect": dialect, "fallback": fallback, "keep_grads": keep_grads, "without": without}
        return functools.partial(compile, **options)
    chosen = dialect or default_dialect()
    if chosen not in DIALECTS:
        raise UsageError(f"dialect is one of {', '.join(DIALECTS)}, not {dialect!r}")
    if fallback not in (None, "eager"):
        raise UsageError(f"fallback is None or 'eager', not {fallback!r}")
    if not callable(function):
        raise UsageError(f"compile takes a function or a module, not {type(function).__name__}")
    if chosen == "eager":
        return function
    return Compiled(function, chosen, fallback, keep_grads, without)


def default_dialect() -> str:
    """Loops where Numba can be imported, else planned."""
    from importlib.util import find_spec

    return "loops" if find_spec("numba") is not None else "planned"


def _kind(x: Any) -> Any:
    """What a program depends on in an argument."""
    if isinstance(x, Variable):
        array = x.array
        return array.shape, array.dtype, x.node is not None
    if isinstance(x, np.ndarray):
        return x.shape, x.dtype
    if type(x) is float:
        return float
    try:
        hash(x)
    except TypeError:
        return id(x)
    return type(x), x


def _named(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__


__all__ = ["Compiled", "compile", "default_dialect"]