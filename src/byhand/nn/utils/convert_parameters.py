"""All parameters as one vector, and back. Called by second-order methods and by whoever studies the loss surface."""

from __future__ import annotations

from collections.abc import Iterable

from byhand.core.errors import ShapeError, UsageError
from byhand.ops.shape import cat
from byhand.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All values of some parameters end to end, in their order: shape (number of values,). Gradients flow through.

    >>> import byhand
    >>> from byhand.nn.utils import parameters_to_vector
    >>> parameters_to_vector([byhand.zeros(2, 3), byhand.ones(4)]).shape
    (10,)
    """
    pieces = [parameter.reshape(-1) for parameter in parameters]
    if not pieces:
        raise UsageError("parameters_to_vector got no parameters")
    vector: Tensor = cat(pieces)
    return vector


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Cut a vector into the values of some parameters, in their order; they share its memory afterwards.

    Raises `ShapeError`, and changes nothing, unless the vector has just as many values as the parameters.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters takes a Tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    count = sum(p.array.size for p in parameters)
    if vec.shape != (count,):
        raise ShapeError(f"the parameters hold {count} values; expected a vector of shape ({count},), got {vec.shape}")
    start = 0
    for parameter in parameters:
        stop = start + parameter.array.size
        parameter.data = vec.detach()[start:stop].reshape(parameter.shape)
        start = stop
