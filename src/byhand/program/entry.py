"""One program of a compiled function: how it is captured, what it is bound to, how it runs.

Called by `step.Compiled`. `capture` runs the function once, for real; `Entry.run` puts the program in its place.
"""

from __future__ import annotations

import gc
import inspect
import weakref
from typing import Any

import numpy as np

from byhand.core.capture import stands_in
from byhand.core.errors import CaptureError, UsageError
from byhand.core.mutation import stamps_of
from byhand.core.recorder import wrap
from byhand.core.tape import mode
from byhand.core.variable import Array, Variable
from byhand.program.call import MISS, written_out
from byhand.program.dialects import Executable, executable
from byhand.program.ir import ARGUMENT, Program, Value
from byhand.program.number import Number, current
from byhand.program.outside import overlapping
from byhand.program.passes import optimise
from byhand.program.streams import Streams
from byhand.program.surroundings import Surroundings
from byhand.program.traced_array import TracedArray, plain
from byhand.program.tracer import Tracer, capturing
from byhand.program.tree import flatten, unflatten

GIVEN = "given"


class Entry:
    """A program and what it is bound to.

    captured     every op of the first step
    program      the same cleaned up: what is read
    executable   the program in the dialect that runs
    call         runs it on flattened arguments, or returns MISS if it does not hold
    states       (tensor, the array it must look at)
    tensors      those whose asking for a gradient, or not, is part of the program, with what it is before the step
    provisional  whether it held for one step only, since an optimiser made its state in it
    """

    def __init__(self, tracer: Tracer, plan: Plan, compiled: Any, leaves: tuple[Any, ...]) -> None:
        self.plan, self.recording, self.provisional = plan, mode.recording, tracer.provisional
        self.dialect, self.without, self.captured = compiled.dialect, compiled.without, tracer.program
        self.program: Program = optimise(tracer.program, without=compiled.without)
        self.executable: Executable = executable(self.program, compiled.dialect, compiled.without)
        states = self.executable.program.states  # those that lowering left in use
        self.states = [(tracer.owners[v], v.data) for v in states if tracer.owners[v] is not None]
        met = tracer.outside
        self.tensors = [(x, met.tracked[key]) for key, x in met.tensors.items() if key >= 0]
        self.run_program = self.executable.bind([v.data for v in states])
        self.sources, self.guards = tracer.sources, tracer.guards
        self.optimizers = [(optimizer, optimizer.state) for optimizer in tracer.optimizers]
        written = {state for state, _ in self.program.writes}
        self.stamps = stamps_of([v.data for v in states if v in written])
        by_value = {source.number.value: source for source in tracer.sources}
        self.number_writes = [by_value[number] for number, _ in self.program.number_writes]
        self.call = written_out(self, leaves, compiled.surroundings)

    def is_obsolete(self) -> bool:
        """Whether it will never hold again, as far as one can see."""
        return self.provisional or any(owner.array is not array for owner, array in self.states)


class Plan:
    """Where arguments come from and where results go.

    A target is a tensor, or the index of an argument among the leaves of all arguments.

    places     for each argument of the program: (index of the leaf, None, …), or (−1, the target whose gradient it
               is, …)
    results    for each leaf of the result its kind and its position among the outputs; or `GIVEN` and the index of an
               argument; or None and a constant
    gradients  (target, the position of its new gradient, None for no gradient)
    empty      targets that must not have a gradient beforehand
    changed    (index of an argument that is written in place, position of its new value)
    tensors    for each leaf of the arguments whether it is a tensor
    switched   tensors that ask for a gradient from now on, or no longer; `modes`: modules that are training from now
               on, or no longer
    """

    def __init__(self) -> None:
        self.places: list[tuple[int, Any, Value]] = []
        self.structure: Any = None
        self.results: list[tuple[Any, Any]] = []
        self.gradients: list[tuple[Any, int | None]] = []
        self.empty: list[Any] = []
        self.changed: list[tuple[int, int]] = []
        self.tensors: list[bool] = []
        self.switched: list[tuple[Variable, bool]] = []
        self.modes: list[tuple[Any, bool]] = []


def capture(compiled: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Entry, Any]:
    """Run the function once, write it down, and make an entry of that; what it did is undone if that is impossible."""
    surroundings: Surroundings = compiled.surroundings
    tracer = Tracer(getattr(compiled.function, "__name__", "step"))
    streams = Streams(surroundings.generators)
    leaves, structure = flatten((args, kwargs))
    grads = [(x, x.grad) for x in leaves if isinstance(x, Variable) and x.is_leaf]  # type: ignore[attr-defined]
    proxies = _proxies(tracer, compiled.function, args, kwargs, leaves)
    new_args, new_kwargs = unflatten(structure, iter(proxies))
    try:
        for name, x in surroundings.tensors.values():
            tracer.meet(x, name)
        for name, array in surroundings.arrays:
            tracer.know(array, name)
        with capturing(tracer):
            result = compiled.function(*new_args, **new_kwargs)
            surroundings.check_unchanged()
            streams.check()
            surroundings.meet_modules(tracer.called)
            tracer.check_settings()
            plan = _plan(tracer, result, proxies, compiled.keep_grads)
        tracer.outside.give_back()
        plan.tensors = [isinstance(leaf, Variable) for leaf in leaves]
        plan.modes = [(m, m.training) for m, training in surroundings.modes if m.training is not training]
        result = _returned(result, proxies, leaves)
        _clean(plan, tracer.outside.tensors, leaves)
        del proxies, new_args, new_kwargs
        _release(tracer)
        entry = _made(tracer, plan, compiled, leaves)
        if compiled.replay and not entry.provisional:
            _undo(tracer, surroundings, grads)
            result = entry.call(leaves)
            if result is MISS:
                raise CaptureError("the step looks at something outside of it that it changes itself")
        tracer.before.clear()  # copies for `_undo`: an entry's numbers keep the tracer, and should not keep those
        return entry, result
    except BaseException:
        _undo(tracer, surroundings, grads)
        tracer.forget_states()
        streams.put_back()
        raise


def _made(tracer: Tracer, plan: Plan, compiled: Any, leaves: tuple[Any, ...]) -> Entry:
    """The entry; a defect of the compiler is no more to a step with a fallback than one that cannot be captured."""
    try:
        return Entry(tracer, plan, compiled, leaves)
    except (CaptureError, UsageError):
        raise
    except Exception as error:
        raise CaptureError(
            f"the step was captured, but no {compiled.dialect} program could be made of it, which is a defect of "
            f"byhand ({type(error).__name__}: {error}); until it is mended, run the step eagerly"
        ) from error


def _undo(tracer: Tracer, surroundings: Surroundings, grads: list[tuple[Any, Any]]) -> None:
    """As if the step had not run."""
    tracer.roll_back()
    tracer.outside.undo()
    surroundings.put_back()
    for x, grad in grads:
        x.grad = grad


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
            made.append(_proxy(tracer, leaf, name, i))
        elif isinstance(leaf, np.ndarray):
            made.append(tracer.give(_dense(leaf), name, i))
        elif isinstance(leaf, np.floating):  # which is no Python number in NumPy's arithmetic
            made.append(tracer.give(np.asarray(leaf), name, i))
        else:
            made.append(tracer.number(leaf, name, [], i) if type(leaf) is float else leaf)
    return made


def _proxy(tracer: Tracer, leaf: Any, name: str, i: int) -> Variable:
    """The tensor that stands in for argument i."""
    made = wrap(tracer.give(_dense(leaf.array), name, i))
    if leaf.node is not None:
        made.requires_grad_()
        if leaf.grad is not None:
            made.grad = wrap(leaf.grad.array)
            tracer.know(leaf.grad.array, f"{name}.grad", (i,), ARGUMENT)
    tracer.outside.take(made, -1 - i)
    tracer.became_leaf(made)
    return made


def _argument_names(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """A name for each leaf of the arguments: the parameter's, numbered if it holds several."""
    call = function.forward if hasattr(function, "named_parameters") else function
    try:
        bound = inspect.signature(call).bind(*args, **kwargs)
        names = list(bound.arguments)
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


def _plan(tracer: Tracer, result: Any, proxies: list[Any], keep_grads: bool) -> Plan:
    """Write effects and results into the program."""
    program, plan, tensors = tracer.program, Plan(), tracer.outside.tensors
    for state in program.states:
        cell = tracer.cells[id(state.data)]
        if cell.value is not state:
            program.writes.append((state, cell.value))
    _refuse_overlaps(program)
    program.number_writes = [(s.number.value, s.written.value) for s in tracer.sources if s.written is not None]
    leaves, plan.structure = flatten(result)
    plan.results = [_result_of(tracer, leaf, proxies) for leaf in leaves]
    plan.empty = [_target(key, x) for key, x in tensors.items() if id(x) in tracer.found_empty]
    plan.switched = tracer.outside.switched()
    for key, x in tensors.items():
        _gradient(tracer, plan, key, x, keep_grads)
    for value in program.arguments:
        owner = tracer.owners[value]
        if isinstance(owner, int):
            plan.places.append((owner, None, value))
        else:
            plan.places.append((-1, owner[0] if isinstance(owner, tuple) else owner, value))
        given = tracer.argument_cells.get(value)
        if given is not None and given.value is not value:
            program.outputs.append(tracer.read(given))
            plan.changed.append((owner, len(program.outputs) - 1))
    return plan


def _target(key: int, x: Variable) -> Any:
    return -1 - key if key < 0 else x


def _refuse_overlaps(program: Program) -> None:
    written = {id(state.data) for state, _ in program.writes}
    found = overlapping([state.data for state in program.states], lambda array: id(array) in written)
    if found is not None:
        raise CaptureError(
            f"the step changes a tensor of shape {found.shape} that shares memory with another tensor from outside; "
            "make the view inside of the step, or use a clone()"
        )


def _result_of(tracer: Tracer, leaf: Any, proxies: list[Any]) -> tuple[Any, Any]:
    for i, proxy in enumerate(proxies):
        if leaf is proxy and isinstance(leaf, Variable | np.ndarray):
            return GIVEN, i
    array = leaf.array if isinstance(leaf, Variable) else leaf
    if isinstance(array, np.ndarray | Number) and not (isinstance(leaf, Variable) and leaf in tracer.outside):
        tracer.program.outputs.append(tracer.operand(array))
        return Variable if isinstance(leaf, Variable) else np.ndarray, len(tracer.program.outputs) - 1
    if hasattr(type(leaf), "__next__"):
        raise CaptureError("the step returns an iterator, which a program could not go on with; return a list")
    if any(stands_in(part) for part in getattr(leaf, "__dict__", {}).values()):
        raise CaptureError(
            f"the step returns an {type(leaf).__name__}, which holds values of the step; return tensors, or tuples, "
            "lists and dictionaries of them"
        )
    return None, leaf


def _gradient(tracer: Tracer, plan: Plan, key: int, x: Any, keep_grads: bool) -> None:
    """What becomes of the gradient of a leaf."""
    if x.node is not None and x.node.op is not None:
        return
    target, after = _target(key, x), x.grad
    if after is None:
        if id(x) in tracer.cleared:
            plan.gradients.append((target, None))
        return
    value = tracer.operand(after.array)
    if value.origin == ARGUMENT:  # as it was
        return
    added_to = any(owner is x and given.origin == ARGUMENT for given, owner in tracer.owners.items())
    used = id(x) in tracer.stepped and id(x) in tracer.cleared and not added_to
    if used and not keep_grads:
        plan.gradients.append((target, None))
        return
    tracer.program.outputs.append(value)
    plan.gradients.append((target, len(tracer.program.outputs) - 1))


def _returned(result: Any, proxies: list[Any], leaves: tuple[Any, ...]) -> Any:
    """The result of the captured call itself, as later ones will look."""
    found, structure = flatten(result)
    own = {id(p): leaf for p, leaf in zip(proxies, leaves, strict=True)}
    made: list[Any] = []
    for leaf in found:
        if id(leaf) in own:
            made.append(own[id(leaf)])
        elif isinstance(leaf, Variable) and type(leaf.array) is TracedArray:
            made.append(wrap(np.array(plain(leaf.array), order="K")))
        else:
            made.append(current(plain(leaf)))
    return unflatten(structure, iter(made))


def _clean(plan: Plan, tensors: dict[int, Any], leaves: tuple[Any, ...]) -> None:
    """Gradients after the captured call, as after later ones."""
    for key, x in tensors.items():
        x.array = plain(x.array)
        if x.grad is not None:
            if x.grad.node is None:
                x.grad.array = plain(x.grad.array)
            else:  # of backward(create_graph=True)
                x.grad = wrap(plain(x.grad.array))
            if key < 0 and isinstance(leaves[-1 - key], Variable):
                leaves[-1 - key].grad = x.grad
    for target, position in plan.gradients:
        if position is None:
            (leaves[target] if isinstance(target, int) else target).grad = None


def _release(tracer: Tracer) -> None:
    """Let go of what was traced; raise if somebody else still holds a value of the step."""
    watched = [weakref.ref(c.array) for c in tracer.cells.values() if type(c.array) is TracedArray]
    tracer.cells.clear()
    tracer.argument_cells.clear()
    tracer.known.clear()
    tracer.fresh.clear()
    tracer.alive.clear()
    for optimizer in tracer.optimizers:  # state that was made in the step
        for state in optimizer.state.values():
            for x in state.values():
                if isinstance(x, Variable):
                    x.array = plain(x.array)
    tracer.outside.find_aliases()
    if all(reference() is None for reference in watched):
        return
    gc.collect()
    survivors = [array for reference in watched if (array := reference()) is not None]
    for array in survivors:
        for owner in gc.get_referrers(array):
            if isinstance(owner, Variable):
                owner.array = plain(array)
    if survivors:
        raise CaptureError(
            f"a value of the step, of shape {survivors[0].shape}, is kept outside of it (in a list, an attribute or a "
            "global): a compiled step would keep it once and never again; return it from the step"
        )


def _dense(array: Array) -> Array:
    """The array, or a copy of it that lies in C order."""
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
