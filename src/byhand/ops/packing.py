"""Several arrays as one: an op has one result, so the parts of a decomposition lie side by side along its last axis.

Called by the ops of `decomposition`, their rules, and the public functions that hand the parts out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from byhand.core.variable import Array
from byhand.ops.views import narrowed, reshaped


def pack(*arrays: Array, batch: tuple[int, ...]) -> Array:
    """The arrays (*batch, …), each flattened but for the batch, one after another."""
    return np.concatenate([x.reshape(*batch, math.prod(x.shape[len(batch) :])) for x in arrays], -1)


def unpack(x: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """The parts of what `pack` made, whose shapes behind the batch are these; views."""
    batch, axis, start = x.shape[:-1], len(x.shape) - 1, 0
    made = []
    for shape in shapes:
        size = math.prod(shape)
        made.append(reshaped(narrowed(x, axis=axis, start=start, stop=start + size), shape=(*batch, *shape)))
        start += size
    return made
