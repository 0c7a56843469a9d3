"""The numbers of a captured step: which are read at each call, what is computed from them, what depends on them.

The lower half of `Tracer`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from byhand.core.errors import CaptureError
from byhand.core.op import OPS
from byhand.core.variable import Array, Variable
from byhand.program.ir import NUMBER, STATE, UPDATE, Node, Program, Value
from byhand.program.number import Number, Plain, current, expression

APPLY: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "true_divide": operator.truediv,
    "pow": operator.pow, "neg": operator.neg,
}  # fmt: skip
NAMES = {"step": "t", "betas": "beta"}


@dataclass
class Source:
    """Where a number is read at each call: `container[key]`, or `container[key][index]`; several that are equal.

    Without containers it is an argument of the step, and `key` its place among the leaves of the arguments.
    """

    containers: list[Any]
    key: Any
    index: int | None
    number: Number
    written: Number | None = field(default=None)


class Numbers:
    """What a tracer knows about Python's numbers."""

    program: Program
    section: str
    know: Callable[..., None]
    place: Callable[[], Any]
    refusal: Callable[..., Any]
    known: dict[int, tuple[str, str, Any, Array]]
    owners: dict[Value, Any]

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.guards: dict[str, bool] = {}
        self.provisional = False  # whether a second step will differ from this first one
        self.stepped: set[int] = set()
        self.optimizers: list[Any] = []
        self.counted: list[tuple[Any, str, Plain]] = []  # what step counts were
        self.had: dict[int, tuple[Any, dict[Any, set[str]]]] = {}  # the state that optimisers had before the step
        self._computed: dict[str, Number] = {}
        self._settings: dict[tuple[int, str], tuple[Any, str, Any, Any]] = {}  # of optimisers: what stands for them
        self._counts_of: dict[tuple[int, str], Source] = {}

    def number(self, value: Plain, name: str, containers: list[Any], key: Any, index: int | None = None) -> Number:
        """A number that is read at each call."""
        made = Value((), None, origin=NUMBER, name=name)
        number = Number(self, made, value, f"n{len(self.sources)}")  # type: ignore[arg-type]
        self.sources.append(Source(containers, key, index, number))
        self.program.numbers.append(made)
        return number

    def arithmetic(self, op: str, sign: str, a: Any, b: Any = None) -> Number:
        """A number computed from others; the same formula is computed once."""
        text = f"({expression(a)} {sign} {expression(b)})" if b is not None else f"({sign}{expression(a)})"
        found = self._computed.get(text)
        if found is None:
            terms = [a] if b is None else [a, b]
            value = APPLY[op](*[current(x) for x in terms])
            if isinstance(value, complex):
                raise self.refusal("a complex number", f"the number {text}")
            inputs = tuple(x.value if isinstance(x, Number) else x for x in terms)
            out = Value((), None)
            self.program.nodes.append(Node(OPS[op], inputs, {}, (out,), self.section, None, self.place()))
            found = self._computed[text] = Number(self, out, value, text)  # type: ignore[arg-type]
        return found

    def guard(self, text: str, outcome: bool) -> bool:
        """Python decides by a number: the program holds as long as it would decide the same."""
        return self.guards.setdefault(text, outcome)

    def fixed(self, x: Any) -> Any:
        """A number where the program needs a constant: it holds as long as that is what it is now."""
        if isinstance(x, Number):
            self.guard(f"{x.expression} == {x.current!r}", True)
            return x.current
        return tuple(map(self.fixed, x)) if type(x) is tuple and any(isinstance(v, Number) for v in x) else x

    @contextmanager
    def stepping(self, optimizer: Any) -> Iterator[None]:
        """While an optimiser takes its step: its numbers are those of the program."""
        section, self.section = self.section, UPDATE
        self.had.setdefault(id(optimizer), (optimizer, {p: set(state) for p, state in optimizer.state.items()}))
        optimizer.prepare()
        self.optimizers.append(optimizer)
        restore: list[tuple[Any, Any, Any]] = []
        keys = {id(p): set(optimizer.state.get(p, ())) for group in optimizer.param_groups for p in group["params"]}
        for group in optimizer.param_groups:
            restore += [(group, key, group[key]) for key in group if _numeric(group[key])]
            for p in group["params"]:
                self._know_state(optimizer.state.get(p), p)
        for container, key, value in restore:
            container[key] = self._standing_in(container, key, value)
        counts = self._counts(optimizer)
        try:
            yield
        except BaseException:
            for source, value in counts:
                for container in source.containers:
                    container[source.key] = value
            raise
        else:
            self._settle(optimizer, counts, keys)
        finally:
            for container, key, value in restore:
                container[key] = value
            self.section = section

    def _standing_in(self, container: Any, key: str, value: Any) -> Any:
        _, _, before, found = self._settings.get((id(container), key), (None, None, None, None))
        if found is None:
            stem = NAMES.get(key, key)
            if isinstance(value, tuple):
                found = tuple(self.number(v, f"{stem}{i + 1}", [container], key, i) for i, v in enumerate(value))
            else:
                found = self.number(value, stem, [container], key)
            self._settings[id(container), key] = container, key, value, found
        elif before != value:
            raise self.refusal("changed by the step, which a program only reads; change it between steps", key)
        return found

    def _know_state(self, state: Any, p: Any) -> None:
        name = self.known.get(id(p.array), (STATE, "", p, p.array))[1]
        for key, value in (state or {}).items():
            if isinstance(value, Variable):
                self.known[id(value.array)] = STATE, f"{name}.{key}" if name else key, value, value.array

    def _counts(self, optimizer: Any) -> list[tuple[Source, Plain]]:
        """Step counts and their like, one for all parameters where they are equal."""
        found: dict[tuple[Any, ...], list[Any]] = {}
        for group in optimizer.param_groups:
            for p in group["params"]:
                state = optimizer.state.get(p, {})
                for key, value in state.items():
                    if type(value) in (int, float):  # counted apart from those that a step before has changed
                        earlier = id(self._counts_of.get((id(state), key)))
                        found.setdefault((key, value, earlier, p.grad is None), []).append(state)
        counts = []
        for (key, value, *_), containers in found.items():
            self.counted += [(container, key, value) for container in containers]
            source = self._counts_of.get((id(containers[0]), key))
            if source is None:
                self.number(value, NAMES.get(key, key), containers, key)
                source = self.sources[-1]
            self.provisional |= len(source.containers) != len(containers)
            for container in containers:
                self._counts_of[id(container), key] = source
                container[key] = source.number if source.written is None else source.written
            counts.append((source, value))
        return counts

    def check_settings(self) -> None:
        """Raise CaptureError if the step itself changed a learning rate or the like."""
        for group, key, value, _ in self._settings.values():
            if group[key] != value:
                group[key] = value
                raise CaptureError(
                    f"the step changes {key}, which a program reads at each call and leaves as it is; change it "
                    "between steps"
                )

    def forget_states(self) -> None:
        """Take away the state that optimisers made in the step."""
        for optimizer, had in self.had.values():
            for p, state in list(optimizer.state.items()):
                for key in set(state) - had.get(p, set()):
                    del state[key]
                if p not in had:
                    del optimizer.state[p]

    def _settle(self, optimizer: Any, counts: list[tuple[Source, Plain]], keys: dict[int, set[str]]) -> None:
        """Put plain numbers back, and note what they have become."""
        for source, _ in counts:
            final = source.containers[0][source.key]
            if any(c[source.key] is not final for c in source.containers):
                self.provisional = True  # parameters that were alike are no longer
            if isinstance(final, Number) and final is not source.number:
                source.written = final
            for container in source.containers:
                container[source.key] = current(container[source.key])
        for group in optimizer.param_groups:
            for p in group["params"]:
                if set(optimizer.state.get(p, ())) != keys[id(p)]:
                    self.provisional = True
                if p.grad is not None:
                    self.stepped.add(id(p))


def _numeric(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(type(v) in (int, float) for v in value)
    return type(value) in (int, float)
