"""Trees of numbers, strings and arrays as JSON plus tensors, and back, exactly. Called by `checkpoint`."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.errors import CheckpointError
from byhand.core.variable import Array, Variable
from byhand.tensor import Tensor


def encode(tree: Any, tensors: dict[str, Array], path: str = "") -> Any:
    """A tree of dicts, lists, tuples, numbers, strings and arrays as JSON; the arrays go to `tensors` by their path.

    Exact: floats survive by their shortest representation, tuples and non-string keys are marked.
    Raises CheckpointError for anything else, with its path.
    """
    match tree:
        case None | bool() | int() | str():
            return tree
        case float():
            return float(tree)
        case Variable():
            tensors[path] = tree.array
            return {"$tensor": path}
        case np.ndarray():
            tensors[path] = tree
            return {"$array": path}
        case np.dtype():
            return {"$dtype": tree.str}
        case np.bool_() | np.integer():
            return tree.item()
        case np.generic():
            return {"$scalar": [tree.dtype.str, float(tree)]}
        case dict() if all(isinstance(key, str) and not key.startswith("$") for key in tree):
            return {key: encode(value, tensors, f"{path}/{key}" if path else key) for key, value in tree.items()}
        case dict():
            pairs = [[encode(key, tensors), encode(value, tensors, f"{path}/{key}")] for key, value in tree.items()]
            return {"$dict": pairs}
        case tuple() | list() | set():
            items = [encode(value, tensors, f"{path}/{i}") for i, value in enumerate(tree)]
            return items if isinstance(tree, list) else {"$tuple" if isinstance(tree, tuple) else "$set": items}
    raise CheckpointError(
        f"{path}: a {type(tree).__name__} cannot be saved in a checkpoint; "
        "`state_dict` should give numbers, strings, tensors and lists or dicts of them"
    )


def decode(tree: Any, tensors: dict[str, Array]) -> Any:
    """The reverse of `encode`."""
    if isinstance(tree, list):
        return [decode(value, tensors) for value in tree]
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"$tensor": str(path)}:
            return Tensor(tensors[path])
        case {"$array": str(path)}:
            return tensors[path]
        case {"$dtype": str(name)}:
            return np.dtype(name)
        case {"$scalar": [str(name), value]}:
            return np.dtype(name).type(value)
        case {"$dict": list(pairs)}:
            return {decode(key, tensors): decode(value, tensors) for key, value in pairs}
        case {"$tuple": list(items)}:
            return tuple(decode(value, tensors) for value in items)
        case {"$set": list(items)}:
            return {decode(value, tensors) for value in items}
    return {key: decode(value, tensors) for key, value in tree.items()}
