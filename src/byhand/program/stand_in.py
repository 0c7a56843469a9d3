"""Kernels on a stage: the same code, with `np` replaced where NumPy would not ask an operand what to do.

NumPy dispatches most of its functions on their operands, so symbols see them. What makes arrays does not: `asarray`,
`zeros`, and whatever of NumPy's own Python code begins with those. So a kernel, the functions of `byhand.ops` that it
calls, and NumPy's functions written in Python are run as copies whose global names lead to stand-ins. Called by
`lowering` and `symbol`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any


class Stage:
    """Copies of functions, in whose sight some functions are others.

    makers   what stands in for which function
    """

    def __init__(self, makers: Mapping[Any, Callable[..., Any]]) -> None:
        self._makers = dict(makers)
        self._copies: dict[FunctionType, FunctionType] = {}

    def __call__(self, function: Any) -> Any:
        """What stands in for `function` here."""
        if isinstance(function, ModuleType):
            return _Module(self, function) if _root(function) in ("byhand", "numpy") else function
        if hasattr(function, "op") and hasattr(function.op, "kernel"):
            kernel = self.copy(function.op.kernel)
            return (lambda *xs, **attrs: kernel(*xs, **attrs)[0]) if function.op.residuals else kernel
        try:
            found = self._makers.get(function)
        except TypeError:  # not hashable, so no function
            return function
        if found is not None:
            return found
        if isinstance(function, FunctionType) and _root(function) == "byhand":
            return self.copy(function)
        return function

    def copy(self, function: FunctionType) -> FunctionType:
        """The function, with this stage's view of its global names."""
        found = self._copies.get(function)
        if found is None:
            names: dict[str, Any] = {"__builtins__": __builtins__, "__name__": function.__module__}
            found = FunctionType(
                function.__code__, names, function.__name__, function.__defaults__, function.__closure__
            )
            found.__kwdefaults__ = function.__kwdefaults__
            self._copies[function] = found  # before its names are looked up: it may call itself
            known = function.__globals__
            names.update({name: self(known[name]) for name in _names(function.__code__) if name in known})
        return found


class _Module:
    """Stands in for a module, such as `numpy`."""

    def __init__(self, stage: Stage, module: ModuleType) -> None:
        self._stage, self._module = stage, module

    def __getattr__(self, name: str) -> Any:
        return self._stage(getattr(self._module, name))


def _root(x: Any) -> str:
    """The package that a module or function is from."""
    name: str = x.__name__ if isinstance(x, ModuleType) else x.__module__
    return name.partition(".")[0]


def _names(code: CodeType) -> set[str]:
    """The global names that a function or one inside of it may use."""
    return set(code.co_names).union(*(_names(c) for c in code.co_consts if isinstance(c, CodeType)))
