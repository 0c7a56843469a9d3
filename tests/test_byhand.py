"""The names of `byhand` itself."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import byhand

LATE = """
import sys, byhand
F = lambda: byhand.nn.functional
print([name for name in sys.modules if name.startswith(("byhand.nn", "byhand.program", "byhand.autograd"))])
print({"nn", "compile", "load", "vmap"} - {*dir(byhand)})
step = byhand.compile(lambda x: F().scaled_dot_product_attention(x, x, x).sum(), dialect="planned")
byhand.autograd
print([name for name in sys.modules if name.startswith("byhand.nn")])
step(byhand.ones(1, 2, 3))
x = byhand.tensor([[[1.0, 2.0, 3.0], [0.5, 0.25, -1.0]]])
print(abs(step(x) - F().scaled_dot_product_attention(x, x, x).sum()).item() < 1e-5, byhand.core.op.WATCHERS)
"""


def test_what_is_public_is_listed() -> None:
    """A name missing from `__all__` is unknown to a user's type checker."""
    named = {n for n, value in vars(byhand).items() if not n.startswith("_") and not isinstance(value, ModuleType)}
    listed = {n for n in byhand.__all__ if n in vars(byhand) and not isinstance(getattr(byhand, n), ModuleType)}
    assert named - {"annotations", "TYPE_CHECKING", "Any"} == listed


def test_what_is_listed_is_there() -> None:
    for name in byhand.__all__:
        assert getattr(byhand, name) is not None or name == "newaxis"


def test_rooms_are_entered_late() -> None:
    """Layers are loaded when they are asked for; a step that is captured just then sees their ops."""
    said = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["[]", "set()", "[]", "True []"]


def test_ops_that_are_defined_late_refuse_complex_values_too() -> None:
    code = """
import byhand
z = byhand.fft.fft(byhand.ones(1, 2, 4))
from byhand.ops.attention import likeness
try:
    likeness(z, z, scale=1.0)
except byhand.errors.DtypeError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("likeness cannot take complex64: complex tensors are for byhand.fft")
