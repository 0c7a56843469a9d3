"""The errors of the library: what happened, in the user's own names, and what to type instead.

Raised everywhere. Each is also a subclass of the built-in exception that NumPy or PyTorch raise in its place,
so that code written for those keeps working. `Module.__call__` fills in `module`, `module_inputs` and `path`.
"""

from __future__ import annotations

from typing import Any


class ByhandError(Exception):
    """The base of every error that this library raises on purpose."""

    module: Any = None  # the innermost module whose forward raised
    module_inputs: tuple[Any, ...] = ()
    path: str | None = None  # dotted path of that module below the outermost one that was called
    explained: bool = False  # the message names the module by itself, as those of losses do

    def __str__(self) -> str:
        detail = super().__str__()
        if self.module is None:
            return detail
        where = "model" if not self.path else f"model.{self.path}"
        if self.explained:
            return f"{where}: {detail}" if self.path else detail
        shapes = [_describe(x) for x in self.module_inputs]
        got = f" got {', '.join(shapes)}" if shapes else ""
        return f"{where}: {self.module.describe()}{got}; {detail}"


def _describe(x: object) -> str:
    shape = getattr(x, "shape", None)
    return f"x of shape {tuple(shape)}" if shape is not None else repr(x)


class ShapeError(ByhandError, ValueError, RuntimeError):
    """Shapes that do not fit together."""


class DtypeError(ByhandError, TypeError):
    """A dtype that an operation cannot take."""


class DomainError(ByhandError, ValueError, IndexError):
    """A value outside of what is allowed: a label, an index, a probability."""


class LinAlgError(DomainError, RuntimeError):
    """A matrix that an operation of linear algebra cannot take: singular, or not positive definite."""


class GraphError(ByhandError, RuntimeError):
    """A misuse of the tape: freed, overwritten, or never recorded."""


class DataError(ByhandError, ValueError):
    """A file or data set that is missing, truncated, corrupt or hostile."""


class CheckpointError(ByhandError, RuntimeError):
    """A checkpoint that cannot be written, read, or belongs to another model."""


class UsageError(ByhandError, ValueError):
    """Arguments that make no sense together."""


class CaptureError(ByhandError, RuntimeError):
    """A step that cannot be written out as a program, because Python itself looks at a value."""
