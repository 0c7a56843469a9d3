"""PyTorch's keywords for operands that the mathematics here calls x and y. Called by `byhand/__init__.py`, once.

Formulas read best in x and y, and `torch.sum(input=x)` must run all the same. A wrapper would cost each call 60 ns, so
the parameters themselves get their second name: in the code object, where names of parameters are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any

NAMES = {"x": "input", "y": "other"}
SPECIAL: Mapping[str, Mapping[str, str]] = {
    "pow": {"x": "input", "y": "exponent"},
    "isin": {"x": "elements", "y": "test_elements"},
    "lerp": {"start": "input"},
    "dot": {"x": "input", "other": "tensor"},
    "trapezoid": {},  # y and x are PyTorch's own names
    "cumulative_trapezoid": {},
}


def rename(functions: Iterable[Any]) -> None:
    """Let the functions of `byhand.ops` among these take PyTorch's keywords."""
    made: dict[tuple[CodeType, str], CodeType] = {}  # recorders of one arity share their code, and keep doing so
    for function in functions:
        if type(function) is FunctionType and function.__module__.startswith("byhand.ops."):
            name = function.__name__
            code, known = function.__code__, name if name in SPECIAL else ""
            if (code, known) not in made:
                made[code, known] = _renamed(code, SPECIAL.get(name, NAMES))
            function.__code__ = made[code, known]


def _renamed(code: CodeType, names: Mapping[str, str]) -> CodeType:
    parameters = code.co_varnames[: code.co_argcount]
    new = {old: now for old, now in names.items() if old in parameters and now not in code.co_varnames}
    return code.replace(
        co_varnames=tuple(new.get(name, name) for name in code.co_varnames),
        co_cellvars=tuple(new.get(name, name) for name in code.co_cellvars),
    )
