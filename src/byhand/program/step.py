"""`compile`: a function that is written out as a program at its first call, and runs as that program afterwards.

`Compiled` keeps one `Entry` for each signature of arguments and state of its surroundings. An entry is a capture, the
program made of it and the arrays it is bound to; before each run it makes sure that those are still the ones in use.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Collection
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from byhand.core.capture import slot
from byhand.core.capture import tracer as running
from byhand.core.errors import CaptureError, UsageError
from byhand.program import views
from byhand.program.call import MISS
from byhand.program.surroundings import Surroundings
from byhand.program.tree import flatten

if TYPE_CHECKING:
    from byhand.program.entry import Entry
    from byhand.program.ir import Program

DIALECTS = ("planned", "loops", "longhand", "eager")
MOST_PROGRAMS = 64
MANY = 16  # captures of one function: something is wrong
CONTAINERS = (tuple, list, dict)


class Compiled:
    """A compiled function; call it like the function itself, and look at it by `program`, `source`, `show`, `stats`."""

    def __init__(
        self,
        function: Callable[..., Any],
        dialect: str,
        fallback: str | None,
        keep_grads: bool,
        without: Collection[str],
        replay: bool = False,
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function, self.dialect, self.fallback = function, dialect, fallback
        self.keep_grads, self.without, self.replay = keep_grads, tuple(without), replay
        self.surroundings: Surroundings
        self.entries: dict[Any, list[Entry]] = {}  # by the structure of the arguments, the latest first
        self.latest: Entry | None = None
        self._gave_up = False
        self._attribute = ""
        self._captures = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (
            slot.tracer is not None and running() is not None
        ) or self._gave_up:  # part of a step that is being captured
            return self.function(*args, **kwargs)
        leaves, structure = args, None
        nested = bool(kwargs)
        for x in args:  # `any` over a generator would take 1 µs
            nested = nested or isinstance(x, CONTAINERS)
        if nested:
            leaves, structure = flatten((args, kwargs))
        entries = self.entries.get(structure)
        if entries is not None:
            for i, entry in enumerate(entries):
                result = entry.call(leaves)
                if result is not MISS:
                    if i:  # the next call is likely to be of the same kind
                        entries.insert(0, entries.pop(i))
                    self.latest = entry
                    return result
        return self._first(structure, leaves, args, kwargs)

    def _first(self, structure: Any, leaves: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The first call of its kind: for real, and recorded; one thread at a time."""
        with slot.lock:
            for entry in self.entries.get(structure, ()):  # another thread had borrowed the tensors, or was faster
                result = entry.call(leaves)
                if result is not MISS:
                    return result
            return self._captured(structure, leaves, args, kwargs)

    def _captured(self, structure: Any, leaves: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from byhand.program.entry import capture  # the compiler itself is imported when it is first needed

        self._captures += 1
        if self._captures == MANY:
            warnings.warn(
                f"{_named(self.function)} was captured {MANY} times: each shape, and each value of an integer, string "
                "or object among its arguments and globals is another program; pass floats or tensors, and pad to few "
                "shapes",
                stacklevel=4,
            )
        self.surroundings = Surroundings(self.function, leaves)
        try:
            entry, result = capture(self, args, kwargs)
        except CaptureError as error:
            if self.fallback != "eager":
                raise
            warnings.warn(f"{_named(self.function)} runs eagerly: {error}", stacklevel=4)
            self._gave_up = True
            return self.function(*args, **kwargs)
        entries = self.entries.setdefault(structure, [])
        entries[:] = [entry, *[other for other in entries[: MOST_PROGRAMS - 1] if not other.is_obsolete()]]
        self.latest = entry
        return result

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        # a method: one compiled function for each object, kept where the object itself will find it first
        method = self.function.__get__(instance, owner)
        bound = Compiled(method, self.dialect, self.fallback, self.keep_grads, self.without, self.replay)
        vars(instance)[self._attribute] = bound
        bound._attribute = self._attribute
        return bound

    def __set_name__(self, owner: Any, name: str) -> None:
        self._attribute = name

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        made = Compiled(
            copy.deepcopy(self.function, memo), self.dialect, self.fallback, self.keep_grads, self.without, self.replay
        )
        made._attribute = self._attribute
        return made

    def __reduce__(self) -> Any:
        if isinstance(self.function, MethodType):
            return getattr, (self.function.__self__, self._attribute)
        if isinstance(self.function, FunctionType):
            return self.function.__qualname__
        options = (self.dialect, self.fallback, self.keep_grads, self.without, self.replay)
        return Compiled, (self.function, *options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "function" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.function, name)  # a compiled model has its parameters, modes and all else

    def _last(self) -> Entry:
        if self.latest is None:
            raise UsageError(
                f"{_named(self.function)} has no program yet: it is written at the first call; call it once"
            )
        return self.latest

    @property
    def program(self) -> Program:
        """The program of the latest call: a straight line of ops, cleaned up; print it, or walk over its nodes."""
        return self._last().program

    @property
    def source(self) -> str:
        """The program as the NumPy code that one would derive by hand."""
        return self.text("longhand")

    def text(self, stage: str = "longhand", explain: bool = False) -> str:
        """The program at a stage: captured, program, longhand, lowered, planned or loops."""
        return views.text(self._last(), stage, explain)

    def show(self, stage: str = "longhand", explain: bool = False) -> None:
        """Print `text`, in colours on a terminal; `explain` names the rule that each line of the backward pass is."""
        from byhand.program.longhand import show

        show(self.text(stage, explain))

    def stats(self) -> views.Statistics:
        """Ops, fused kernels, buffers, bytes, FLOPs, and the time in matrix products against the rest."""
        return views.statistics(self._last())

    def profile(self, rounds: int = 30) -> list[views.Line]:
        """The median time of each line, printed as a table and returned; on copies, so that nothing is trained."""
        from rich.console import Console

        lines = views.profile(self._last(), rounds)
        Console().print(views.table(lines))
        return lines

    def _repr_html_(self) -> str:
        from byhand.program.longhand import html

        return html(self.source)

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
    replay: bool = False,
) -> Any:
    """Write a training step, or any function of tensors, out as a straight-line program, and run that from then on.

    The first call of a signature (shapes and dtypes of the arguments, training flags) runs as always and is recorded;
    later calls run the program on the same parameters, optimiser state, buffers and random generator, so one may change
    between compiled and eager at any step.

    function    a function, or a module; as a decorator with or without arguments
    dialect     "planned": NumPy with planned memory; "loops": compiled loops (needs the extra `byhand[fast]`);
                "longhand": the program as one reads it; "eager": no program; by default loops where that is
                installed, else planned
    fallback    "eager" goes on eagerly, with one warning, if the function cannot be captured
    keep_grads  whether gradients that the step's own optimiser has used stay in `.grad`; otherwise they are None
                afterwards, which saves their memory
    without     names of passes to leave out, to see what they do
    replay      undo the recorded call and run the program for it too, so that every call is rounded alike

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
        options: dict[str, Any] = {"dialect": dialect, "fallback": fallback, "keep_grads": keep_grads}
        options |= {"without": without, "replay": replay}
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
    return Compiled(function, chosen, fallback, keep_grads, without, replay)


def default_dialect() -> str:
    """Loops where llvmlite can be imported, else planned."""
    from importlib.util import find_spec

    return "loops" if find_spec("llvmlite") is not None else "planned"


def _named(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__


__all__ = ["Compiled", "compile", "default_dialect"]
