"""What went wrong in an op, said with its name and the shapes it got. Called by the recorder when a kernel raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import ByhandError, DomainError, DtypeError, LinAlgError, ShapeError, UsageError

if TYPE_CHECKING:
    from byhand.core.op import Op


def explain(op: Op, error: Exception, operands: tuple[Any, ...], attrs: dict[str, Any]) -> Exception:
    """The error to raise in place of what NumPy said."""
    if isinstance(error, ByhandError):
        return error
    arrays = [getattr(x, "array", x) for x in operands]
    if isinstance(error, (TypeError, np.exceptions.DTypePromotionError)):
        return DtypeError(f"{op.name} cannot take {_listing(arrays, _kind)}: {error}")
    if isinstance(error, IndexError):
        return DomainError(f"{op.name}: {error}; the operands have shapes {_listing(arrays, _shape)}")
    if isinstance(error, np.linalg.LinAlgError):
        return LinAlgError(f"{op.name}: {error}; the operands have shapes {_listing(arrays, _shape)}")
    if not isinstance(error, ValueError):
        error.add_note(f"in {op.name} of {_listing(arrays, _shape)}")
        return error
    if "read-only" in str(error):
        return UsageError(
            f"{op.name} cannot write into this tensor of shape {_shape(arrays[0])}: it is an expanded view, where one "
            "value in memory stands at several places, or wraps a read-only array; write into a clone()"
        )
    message = f"{op.name} got {_listing(arrays, _shape)}"
    if attrs:
        message += f" with {', '.join(f'{k}={v!r}' for k, v in attrs.items())}"
    if op.expects:
        return ShapeError(f"{message}; expected {op.expects}")
    if op.kind == "elementwise" and len(arrays) > 1:
        misfit = _misfit([np.shape(a) for a in arrays]) or str(error)
        kind = ShapeError if "broadcast" in misfit else DomainError
        return kind(f"{message}; {misfit}")
    return ShapeError(f"{message}; {error}")


def _listing(arrays: list[Any], form: Any) -> str:
    return " and ".join(form(a) for a in arrays)


def _shape(x: Any) -> str:
    return str(x.shape) if isinstance(x, (np.ndarray, np.generic)) else repr(x)


def _kind(x: Any) -> str:
    return f"{x.dtype}{list(x.shape)}" if isinstance(x, np.ndarray) else f"{type(x).__name__} {x!r}"


def _misfit(shapes: list[tuple[int, ...]]) -> str | None:
    """Name the axis on which shapes do not broadcast; None if they do."""
    for axis in range(-1, -max(map(len, shapes)) - 1, -1):
        sizes = [s[axis] for s in shapes if len(s) >= -axis]
        if len({n for n in sizes if n != 1}) > 1:
            return (
                f"they do not broadcast: axis {axis} is {' against '.join(map(str, sizes))} (sizes must be equal or 1)"
            )
    return None
