"""What the tests of capture share: an executable that runs ops one by one, and the comparison of eager and compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import byhand
from byhand.core.generator import default_generator
from byhand.program import ir
from byhand.program.interpreter import run
from byhand.program.tree import flatten


class Interpreted:
    """An executable that evaluates the nodes of a program in order, in arrays of their own."""

    def __init__(self, program: ir.Program) -> None:
        self.program, self.source = ir.verify(program), str(program)

    def bind(self, states: Sequence[Any]) -> Callable[..., tuple[Any, ...]]:
        count = len(self.program.arguments)

        def call(*given: Any) -> tuple[Any, ...]:
            for value, array in zip(self.program.arguments, given[:count], strict=True):
                assert (array.shape, array.dtype) == (value.shape, value.dtype)
            outputs, numbers = run(self.program, given[:count], given[count:], states)
            return (*(x if isinstance(x, int | float) else np.asarray(x) for x in outputs), *numbers)

        return call


def contents(thing: Any) -> list[Any]:
    """Every array and number in tensors, modules, optimisers and nested results, gradients too."""
    if thing is None or isinstance(thing, int | float | str | np.generic):
        return [thing]
    if isinstance(thing, np.ndarray):
        return [thing.copy()]
    if isinstance(thing, byhand.Tensor):
        return [thing.array.copy(), *contents(thing.grad)]
    if isinstance(thing, byhand.nn.Module):
        return contents([*thing.parameters(), *thing.buffers()])
    if isinstance(thing, byhand.optim.Optimizer):
        return contents(thing.state_dict())
    return [part for leaf in flatten(thing)[0] for part in contents(leaf)]


def same(a: Any, b: Any) -> None:
    """Both hold the same bits."""
    first, second = contents(a), contents(b)
    assert len(first) == len(second)
    for x, y in zip(first, second, strict=True):
        if isinstance(x, np.ndarray):
            assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


Made = tuple[Callable[..., Any], Any]


def count_captures(compiled: Any) -> list[Any]:
    """A list that grows by one for each call that is captured."""
    captures, first = [], compiled._captured

    def counted(*args: Any) -> Any:
        captures.append(args)
        return first(*args)

    compiled._captured = counted
    return captures


def agree(
    make: Callable[[], Made],
    arguments: Callable[[int], tuple[Any, ...]] = lambda i: (),
    times: int = 4,
    captures: int = 1,
    **options: Any,
) -> Any:
    """The step that `make` makes gives the same bits eagerly and compiled, and leaves the same behind.

    make        returns a step and what it changes; called once for each way, after the same seed
    arguments   of call i
    captures    in how many of the calls the compiled step is captured
    options     of `byhand.compile`; unless they say otherwise gradients are kept, as in an eager step
    """
    found = []
    compiled, counted = None, []
    for way in ("eager", "compiled"):
        byhand.manual_seed(3)
        step, things = make()
        if way == "compiled":
            step = compiled = byhand.compile(step, **{"keep_grads": True, **options})
            counted = count_captures(compiled)
        byhand.manual_seed(4)
        given = [arguments(i) for i in range(times)]
        byhand.manual_seed(5)
        results = [contents(step(*args)) for args in given]
        found.append((results, contents(things), contents(list(given)), str(default_generator.get_state())))
    for eager, written in zip(*found, strict=True):
        same(eager, written)
    assert len(counted) == captures
    return compiled
