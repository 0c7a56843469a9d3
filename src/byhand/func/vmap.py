"""`vmap`: a function of one example, made a function of a batch of them.

The design. Under `vmap` the function is called once, with tensors that have the shape of one example and hold the
whole batch (`lanes`). An op that is called on such a tensor finds no array in it, its kernel refuses, and the recorder
hands the call over; `rules` then computes the op for the batch at once: elementwise ops by aligning axes, reductions
and views by moving their axes up by one, products by their own broadcasting, everything else by a loop over the
examples and a stack, which is always right. What is recorded are calls of ordinary ops on ordinary tensors, so
`backward`, `grad` and `compile` need not know of `vmap`. The gradients of examples are apart because the examples are:
the gradient of the sum of all results by a batch is the batch of the gradients. So `func.grad` under `vmap` expands
what it differentiates by to the batch, and one backward pass gives the gradient of every example. Nested calls are
numbered: the innermost one resolves first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from byhand.core.errors import ShapeError, UsageError
from byhand.core.lanes import running
from byhand.func.lanes import Vmap, batched, is_batched
from byhand.ops.shape import cat, movedim
from byhand.ops.views import expanded, narrowed
from byhand.program.tree import flatten, unflatten
from byhand.tensor import Tensor


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that calls `func`, made for one example, for all examples of a batch at once.

    in_dims     the axis of the batch in the arguments: one number for all, or nested as they are; None for what is the
                same for all examples, as all keyword arguments are
    out_dims    where the axis of the batch goes in the results, likewise; None for what is the same for all examples
    randomness  what random draws in `func` do: "error", "different" for each example, or the "same"
    chunk_size  at most so many examples at a time

    Arguments and results may be nested in tuples, lists and dicts. Raises UsageError where sizes or nesting disagree.

    >>> import byhand
    >>> byhand.vmap(byhand.dot)(byhand.ones(2, 3), byhand.ones(2, 3))
    tensor([3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise UsageError(f"vmap: randomness is 'error', 'different' or 'same', not {randomness!r}")

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        dims = in_dims if isinstance(in_dims, int) or in_dims is None else tuple(in_dims)
        if isinstance(dims, tuple) and len(dims) != len(args):
            raise UsageError(f"vmap: in_dims={in_dims} names {len(dims)} arguments, {len(args)} are given")
        leaves, structure = flatten((args, kwargs))
        places = [*_matched(dims, args, "in_dims"), *[None] * len(flatten(kwargs)[0])]
        values = [_front(x, d) for x, d in zip(leaves, places, strict=True)]
        count = _count(values, leaves, places)
        step = count if chunk_size is None else max(chunk_size, 1)
        parts = []
        for start in range(0, max(count, 1), max(step, 1)):
            stop = min(start + step, count)
            chunk = [
                x if d is None or (start, stop) == (0, count) else narrowed(x, axis=0, start=start, stop=stop)
                for x, d in zip(values, places, strict=True)
            ]
            parts.append(
                _called(func, chunk, places, structure, Vmap(len(running.levels) + 1, stop - start, randomness))
            )
        return _joined(parts, out_dims)

    return call


def _matched(dims: Any, tree: Any, name: str) -> list[Any]:
    """The dim of each leaf of a tree: `dims` is one for all below, or nested as the tree is."""
    leaves, _ = flatten(tree)
    if dims is None or isinstance(dims, int):
        return [dims] * len(leaves)
    if isinstance(tree, dict) and isinstance(dims, dict) and dims.keys() == tree.keys():
        return [d for key in tree for d in _matched(dims[key], tree[key], name)]
    if isinstance(tree, (tuple, list)) and isinstance(dims, (tuple, list)) and len(dims) == len(tree):
        return [d for part, under in zip(dims, tree, strict=True) for d in _matched(part, under, name)]
    raise UsageError(f"vmap: {name}={dims!r} is not nested as the values it is for, {type(tree).__name__} {tree!r:.60}")


def _front(x: Any, dim: int | None) -> Any:
    """The value with its batch as axis 0."""
    if dim is None:
        return x
    if not isinstance(x, Tensor):
        raise UsageError(f"vmap: in_dims={dim} for {x!r:.60}, which is no tensor; give it None")
    if not -x.ndim <= dim < x.ndim:
        raise UsageError(f"vmap: in_dims={dim} for a tensor of shape {x.shape}")
    return x if dim == 0 else movedim(x, dim, 0)


def _count(values: list[Any], leaves: tuple[Any, ...], places: list[Any]) -> int:
    sizes = [x.shape[0] for x, d in zip(values, places, strict=True) if d is not None]
    if not sizes:
        raise UsageError("vmap: no argument has a batch; in_dims must name an axis of at least one tensor")
    if len(set(sizes)) > 1:
        shapes = [tuple(x.shape) for x, d in zip(leaves, places, strict=True) if d is not None]
        raise ShapeError(f"vmap: the arguments hold batches of {sizes} examples; their shapes are {shapes}")
    return int(sizes[0])


def _called(func: Any, values: list[Any], places: list[Any], structure: Any, level: Vmap) -> tuple[list[Any], Any]:
    """The results with the batch as axis 0 (a pair: whether they have one), and their structure."""
    made = [x if d is None else batched(x, level.number) for x, d in zip(values, places, strict=True)]
    args, kwargs = unflatten(structure, iter(made))
    running.levels.append(level)
    try:
        results = func(*args, **kwargs)
    finally:
        running.levels.pop()
    leaves, out_structure = flatten(results)
    for y in leaves:
        if not isinstance(y, Tensor):
            raise UsageError(f"vmap: the function must return tensors, it returned {type(y).__name__} {y!r:.60}")
    found = [(y.array.value, True) if is_batched(y, level.number) else (y, level.size) for y in leaves]
    return found, out_structure


def _joined(parts: list[tuple[list[Any], Any]], out_dims: Any) -> Any:
    """The results of all chunks, with the batch where it is to be."""
    first, structure = parts[0]
    dims = _matched(out_dims, unflatten(structure, iter(range(len(first)))), "out_dims")
    results = []
    for k, dim in enumerate(dims):
        columns = [found[k] for found, _ in parts]
        if dim is None:
            if columns[0][1] is True:
                raise UsageError("vmap: out_dims=None for a result that is different for each example")
            results.append(columns[0][0])
            continue
        full = [y if own is True else expanded(y, shape=(own, *y.shape)) for y, own in columns]
        whole = full[0] if len(full) == 1 else cat(full, 0)
        results.append(whole if dim == 0 else movedim(whole, 0, dim))
    return unflatten(structure, iter(results))
