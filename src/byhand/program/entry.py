"""One program of a compiled function: how it is captured, what it is bound to, how it runs.

Called by `step.Compiled`. `capture` runs the function once, for real; `Entry.run` puts the program in its place.
"""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from byhand.core.errors import CaptureError
from byhand.core.mutation import stamps_of, touch_all
from byhand.core.recorder import wrap
from byhand.core.tape import mode
from byhand.core.variable import Array, Variable
from byhand.program.dialects import Executable, executable
from byhand.program.ir import ARGUMENT, Program, Value
from byhand.program.number import Number, current
from byhand.program.numbers import MISSING, Source
from byhand.program.passes import optimise
from byhand.program.surroundings import Surroundings
from byhand.program.traced_array import TracedArray, plain
from byhand.program.tracer import Tracer, capturing
from byhand.program.tree import flatten, unflatten

KEEP, CLEAR, SET = "keep", "clear", "set"


class Entry:
    """A program and what it is bound to.

    program     at the level of ops, cleaned up: what is read
    executable  the program in the dialect that runs
    """

    def __init__(self, tracer: Tracer, dialect: str, without: tuple[str, ...]) -> None:
        self.tracer_program = tracer.program
        self.program: Program = optimise(tracer.program, without=without)
        self.executable: Executable = executable(self.program, dialect, without)
        self.dialect = dialect
        self.states = [(tracer.owners[v], v.data) for v in self.program.states if tracer.owners[v] is not None]
        self.run_program = self.executable.bind([v.data for v in self.program.states])
        used = {v: i for i, v in enumerate(self.program.numbers)}
        self.sources = [s for s in tracer.sources if s.number.value in used]
        self.all_sources = tracer.sources
        self.guard = _guard(tracer)
        self.optimizers = [(o, o.state) for o in tracer.optimizers]
        written = {state for state, _ in self.program.writes}
        self.stamps = stamps_of([v.data for v in self.program.states if v in written])
        self.number_writes = [s for s in tracer.sources if s.written is not None]
        self.provisional = tracer.provisional
        self.plan: _Plan

    def holds(self, leaves: tuple[Any, ...]) -> bool:
        """Whether all that the program is bound to is still what it was; reads the numbers on the way."""
        for owner, array in self.states:
            if owner.array is not array:
                return False
        for optimizer, state in self.optimizers:
            if optimizer.state is not state:
                return False
        if self.provisional or not self.plan.gradients_hold():
            return False
        if not self.all_sources:
            return True
        values = [s.read() if s.containers else leaves[s.key] for s in self.all_sources]
        return MISSING not in values and (self.guard is None or self.guard(*values))

    def replaces(self, other: Entry) -> bool:
        """Whether the other is of no use any more: it never held again, or is bound to what has been replaced."""
        return other.provisional or any(owner.array is not array for owner, array in other.states)

    def run(self, leaves: tuple[Any, ...]) -> Any:
        """Run the program on these arguments; returns what the function returns."""
        plan = self.plan
        given = [_dense(array) for array in plan.arguments(leaves)]
        given += [s.read() if s.containers else leaves[s.key] for s in self.sources]
        out = self.run_program(*given)
        touch_all(self.stamps)
        count = len(out) - len(self.number_writes)
        for source, value in zip(self.number_writes, out[count:], strict=True):
            for container in source.containers:
                container[source.key] = value
        return plan.finish(out, leaves)


class _Plan:
    """Where arguments come from and where results go."""

    def __init__(self, tracer: Tracer, variables: dict[int, Variable]) -> None:
        self.places: list[tuple[int, Any]] = []  # (index of the leaf, −1), or (−1, the tensor whose gradient it is)
        self.structure: Any = None
        self.results: list[Any] = []  # position among the outputs, or a constant, for each leaf of the result
        self.gradients: list[tuple[Any, str, int]] = []  # (tensor or index of the leaf, what to do, position)
        self.given_gradients = [o for v, o in tracer.owners.items() if v.origin == ARGUMENT and not isinstance(o, int)]
        self.empty = [x for x in variables.values() if x.node in tracer.found_empty]
        self.changed: list[tuple[int, int]] = []  # (index of the leaf, position): arguments written in place

    def gradients_hold(self) -> bool:
        """Whether gradients are there, or not, as they were when the program was captured."""
        return all(x.grad is None for x in self.empty) and all(x.grad is not None for x in self.given_gradients)

    def arguments(self, leaves: tuple[Any, ...]) -> Iterator[Array]:
        """The arrays to run on."""
        for index, owner in self.places:
            x = leaves[index] if owner is None else owner.grad
            yield x.array if isinstance(x, Variable) else x

    def finish(self, out: tuple[Any, ...], leaves: tuple[Any, ...]) -> Any:
        """Hand out gradients and make the result."""
        for target, what, position in self.gradients:
            x = leaves[target] if isinstance(target, int) else target
            x.grad = None if what == CLEAR else wrap(out[position])
        for index, position in self.changed:
            np.copyto(plain(getattr(leaves[index], "array", leaves[index])), out[position])
        if self.structure is None and len(self.results) == 1:
            return self._result(self.results[0], out)
        return unflatten(self.structure, iter([self._result(r, out) for r in self.results]))

    @staticmethod
    def _result(result: Any, out: tuple[Any, ...]) -> Any:
        kind, what = result
        if kind is None:
            return what
        return wrap(out[what]) if kind is Variable else out[what]


def capture(compiled: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Entry, Any]:
    """Run the function once, write it down, and make an entry of that; what it did is undone if that is impossible."""
    surroundings: Surroundings = compiled.surroundings
    tracer = Tracer(getattr(compiled.function, "__name__", "step"))
    variables = _known(tracer, surroundings)
    leaves, structure = flatten((args, kwargs))
    proxies = _proxies(tracer, compiled.function, args, kwargs, leaves)
    entry_grads = {key: x.grad for key, x in variables.items()}
    variables |= {-1 - i: p for i, p in enumerate(proxies) if isinstance(p, Variable)}
    new_args, new_kwargs = unflatten(structure, iter(proxies))
    try:
        with capturing(tracer):
            result = compiled.function(*new_args, **new_kwargs)
            plan = _plan(tracer, variables, entry_grads, result, compiled.keep_grads)
        result = _returned(result, proxies, leaves)
        _clean(plan, variables, leaves)
        for proxy in proxies:
            if isinstance(proxy, Variable):
                proxy.array = plain(proxy.array)
        del proxies, new_args, new_kwargs
        _release(tracer)
        entry = Entry(tracer, compiled.dialect, compiled.without)
        entry.plan = plan
        return entry, result
    except BaseException:
        tracer.roll_back()
        for key, grad in entry_grads.items():
            variables[key].grad = grad
        raise


def _known(tracer: Tracer, surroundings: Surroundings) -> dict[int, Variable]:
    """Tell the tracer what lives outside."""
    variables: dict[int, Variable] = {}
    for name, x in surroundings.tensors.values():
        tracer.know(x.array, name, x)
        variables[id(x)] = x
        if x.grad is not None:
            tracer.know(x.grad.array, f"{name}.grad", x, ARGUMENT)
    for name, array in surroundings.arrays:
        tracer.know(array, name)
    return variables


def _proxies(
    tracer: Tracer, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: tuple[Any, ...]
) -> list[Any]:
    """What the function is run on: tensors of traced arrays in the place of tensors, numbers in that of floats."""
    names = _argument_names(function, args, kwargs)
    made: list[Any] = []
    for i, (name, leaf) in enumerate(zip(names, leaves, strict=True)):
        if isinstance(leaf, Variable):
            if leaf.node is not None and leaf.node.op is not None and mode.recording:
                raise CaptureError(
                    f"the argument {name} was computed by recorded operations, and gradients cannot leave a compiled "
                    "function through its arguments; pass a detach()ed tensor"
                )
            proxy = wrap(tracer.give(_dense(leaf.array), name, i))
            made.append(proxy.requires_grad_() if leaf.node is not None else proxy)
        elif isinstance(leaf, np.ndarray):
            made.append(tracer.give(_dense(leaf), name, i))
        else:
            made.append(tracer.number(leaf, name, [], i) if type(leaf) is float else leaf)
    return made


def _argument_names(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """A name for each leaf of the arguments: the parameter's, numbered if it holds several."""
    call = function.forward if hasattr(function, "named_parameters") else function
    try:
        bound = inspect.signature(call).bind(*args, **kwargs)
        names = [name for name in bound.arguments]
        kinds = [bound.signature.parameters[name].kind for name in names]
        top = [n for n, k in zip(names, kinds, strict=True) if k not in (k.VAR_POSITIONAL, k.VAR_KEYWORD)][: len(args)]
    except (TypeError, ValueError):
        top = []
    top += [f"arg{i + 1}" for i in range(len(top), len(args))]
    found: list[str] = []
    for name, value in (*zip(top, args, strict=False), *kwargs.items()):
        count = len(flatten(value)[0])
        found += [name] if count == 1 else [f"{name}{i + 1}" for i in range(count)]
    return found


def _plan(
    tracer: Tracer, variables: dict[int, Variable], entry_grads: dict[int, Any], result: Any, keep_grads: bool
) -> _Plan:
    """Write effects and results into the program."""
    program = tracer.program
    cells = list(tracer.cells.values())
    for cell in cells:
        given = program.states if cell.parent is None else ()
        if cell.value not in given and any(cell.array is v.data for v in given):
            state = next(v for v in given if v.data is cell.array)
            program.writes.append((state, cell.value))
    plan = _Plan(tracer, variables)
    leaves, plan.structure = flatten(result)
    for leaf in leaves:
        plan.results.append(_result_of(tracer, leaf))
    for key, x in variables.items():
        _gradient(tracer, plan, key, x, entry_grads.get(key), keep_grads)
    initial = {v: tracer.owners[v] for v in program.arguments}
    plan.places = [(o, None) if isinstance(o, int) else (-1, o) for o in initial.values()]
    return plan


def _result_of(tracer: Tracer, leaf: Any) -> tuple[Any, Any]:
    array = leaf.array if isinstance(leaf, Variable) else leaf
    if isinstance(array, np.ndarray | Number):
        tracer.program.outputs.append(tracer.operand(array))
        return Variable if isinstance(leaf, Variable) else np.ndarray, len(tracer.program.outputs) - 1
    return None, leaf


def _gradient(tracer: Tracer, plan: _Plan, key: int, x: Variable, before: Any, keep_grads: bool) -> None:
    """What becomes of the gradient of a leaf."""
    if x.node is None or x.node.op is not None:
        return
    target = -1 - key if key < 0 else x
    after = x.grad
    if after is None:
        if x.node in tracer.cleared:
            plan.gradients.append((target, CLEAR, -1))
        return
    value = tracer.operand(after.array)
    if value.origin == ARGUMENT:
        return  # as it was
    used = id(x) in tracer.stepped and x.node in tracer.cleared
    if used and not keep_grads and not any(o is x for o in plan.given_gradients):
        plan.gradients.append((target, CLEAR, -1))
        return
    tracer.program.outputs.append(value)
    plan.gradients.append((target, SET, len(tracer.program.outputs) - 1))


def _returned(result: Any, proxies: list[Any], leaves: tuple[Any, ...]) -> Any:
    """The result of the captured call itself, as later ones will look."""
    found, structure = flatten(result)
    own = {id(p): leaf for p, leaf in zip(proxies, leaves, strict=True)}
    made: list[Any] = []
    for leaf in found:
        if id(leaf) in own:
            made.append(own[id(leaf)])
        elif isinstance(leaf, Variable):
            made.append(wrap(np.array(plain(leaf.array), order="K")))
        else:
            made.append(current(plain(leaf)))
    return unflatten(structure, iter(made))


def _clean(plan: _Plan, variables: dict[int, Variable], leaves: tuple[Any, ...]) -> None:
    """Gradients after the captured call, as after later ones."""
    for key, x in variables.items():
        if x.grad is not None:
            x.grad.array = plain(x.grad.array)
            if key < 0 and isinstance(leaves[-1 - key], Variable):
                leaves[-1 - key].grad = x.grad
    for target, what, _ in plan.gradients:
        if what == CLEAR:
            (leaves[target] if isinstance(target, int) else target).grad = None


def _release(tracer: Tracer) -> None:
    """Let go of what was traced; raise if somebody else still holds a value of the step."""
    watched = [weakref.ref(c.array) for c in tracer.cells.values() if type(c.array) is TracedArray]
    tracer.cells.clear()
    tracer.fresh.clear()
    for optimizer in tracer.optimizers:  # state that was made in the step
        for state in optimizer.state.values():
            for x in state.values():
                if isinstance(x, Variable):
                    x.array = plain(x.array)
    survivors = [array for ref in watched if (array := ref()) is not None]
    if not survivors:
        return
    gc.collect()
    del survivors
    survivors = [array for ref in watched if (array := ref()) is not None]
    for array in survivors:
        for owner in gc.get_referrers(array):
            if isinstance(owner, Variable):
                owner.array = plain(array)
    if survivors:
        raise CaptureError(
            f"a value of the step, of shape {survivors[0].shape}, is kept outside of it (in a list, an attribute or a "
            "global): a compiled step would keep it once and never again; return it from the step"
        )


def _guard(tracer: Tracer) -> Callable[..., bool] | None:
    """A function of all numbers: whether Python would decide as it did."""
    if not tracer.guards:
        return None
    names = ", ".join(s.number.expression for s in tracer.sources)
    test = " and ".join(f"({text}) is {outcome}" for text, outcome in tracer.guards.items())
    return eval(f"lambda {names}: {test}", {})  # type: ignore[no-any-return]  # the text is our own


def _dense(array: Array) -> Array:
    """The array, or a copy of it that lies in C order."""
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
