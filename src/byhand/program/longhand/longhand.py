"""The dialect for reading: a program as the NumPy code that one would write by hand, and which runs.

`Longhand` is what the dialect `longhand` of `byhand.compile` runs; its text is `step.source`, and `script` makes a
whole file of it.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from byhand.core.generator import default_generator, numpy_generator
from byhand.core.variable import Array
from byhand.program import interpreter
from byhand.program.ir import CHECK, DRAW, Node, Program, Value, identifier
from byhand.program.longhand.arrangement import counted_anew, short_enough
from byhand.program.longhand.effects import counted, with_writes
from byhand.program.longhand.expression import name, names_in, substituted, text
from byhand.program.longhand.function import module
from byhand.program.longhand.line import Argument, Listing
from byhand.program.longhand.listing import Builder
from byhand.program.longhand.naming import Names
from byhand.program.longhand.repeats import in_loops, numbers_once
from byhand.program.longhand.textbook import as_in_books


def listed(program: Program, titles: Mapping[str, str] | None = None) -> Listing:
    """The lines of a program, and what stands around them. `titles` are names for states, by their paths."""
    builder = Builder(program, titles or {})
    lines = builder.build()
    names, known, listing = builder.names, builder.program, builder.listing
    lines = as_in_books(lines, {names[new] for _, new in known.writes if new in names}, names)
    lines, saved, merged = with_writes(known, lines, names, builder.trees)
    lines = numbers_once(known, lines, names)
    counted(lines)
    returned = [x for x in (*known.outputs, *[new for _, new in known.number_writes]) if isinstance(x, Value)]
    results = [name(saved[x]) if x in saved else substituted(builder.trees[x], {}, merged) for x in returned]
    listing.returns = [text(tree) for tree in results]
    read = {title for tree in results for title in names_in(tree)}
    listing.lines = short_enough(in_loops(known, lines, names, read), names)
    counted_anew(listing, names)
    listing.arguments = _arguments(known, listing, names)
    listing.changed = {names[state] for state, _ in known.writes}
    return listing


def _arguments(program: Program, listing: Listing, names: Names) -> list[Argument]:
    """All arguments of the step, and of the rest what its lines read."""
    read = {name for part in listing.lines for name in part.reads}
    read.update(*[names_in(ast.parse(formula)) for formula in listing.returns])
    own = {name for part in listing.lines for name in getattr(part, "writes", ())}
    trained = {out.gradient_of for node in program.nodes for out in node.outputs}
    found = [Argument(names[v], v, "arguments") for v in program.arguments]
    states = [v for v in program.states if names[v] in read]
    owners = {v.name: names[v] for v in program.states}
    trains = not trained.isdisjoint(states)
    found += [Argument(names[v], v, _group(v, owners, v in trained or not trains)) for v in states]
    found += [Argument(names[v], v, "constants") for v in program.constants if names[v] in read - own]
    found += [Argument(names[v], v, "numbers") for v in program.numbers if names[v] in read]
    order = list(dict.fromkeys(["arguments", "parameters", "buffers", *[a.group for a in found]]))
    rest = [group for group in order if group not in ("constants", "numbers")]
    return sorted(found, key=lambda a: [*rest, "constants", "numbers"].index(a.group))


def _group(state: Value, owners: Mapping[str, str], trained: bool) -> str:
    """`parameters`, `buffers`, or for what belongs to a parameter its letter: the m of m_fc1_weight."""
    owner = owners.get(state.name.rpartition(".")[0])
    if owner is not None:
        return owners[state.name].removesuffix(f"_{owner}")
    return "parameters" if trained else "buffers"


class Longhand:
    """A program as text that runs.

    source   a module: functions for the kernels that are more than a formula, and the step
    listing  its lines
    title    the name of the step's function
    """

    def __init__(self, program: Program) -> None:
        self.program, self.listing = program, listed(program)
        self.title = identifier(program.name) or "step"
        self.source = module(self.listing, self.title)

    def bind(self, states: Sequence[Array]) -> Callable[..., tuple[Any, ...]]:
        """The function of arguments and numbers that writes these states."""
        step, program = self._function(), self.program
        fixed = {**dict(zip(program.states, states, strict=True)), **{v: v.data for v in program.constants}}
        called = [*program.arguments, *program.numbers]
        count = len([x for x in program.outputs if isinstance(x, Value)]) + len(program.number_writes)
        complain = _checks(program)
        # gradients that are inf, or whose squares are, are clipped without a word, which no kernel tells
        ignored: Any = dict.fromkeys({*self.listing.ignored, "over", "invalid"}, "ignore")

        def run(*given: Any) -> tuple[Any, ...]:
            known = {**fixed, **dict(zip(called, given, strict=True))}
            if complain is not None:
                complain(known)
            with np.errstate(**ignored):
                found = step(*[known[argument.value] for argument in self.listing.arguments])
            found = iter((found,) if count == 1 else found or ())
            outputs = [_fresh(next(found), x) if isinstance(x, Value) else x for x in program.outputs]
            return (*outputs, *found)

        return run

    def _function(self) -> Callable[..., Any]:
        """The step, made from its text; a traceback shows its lines."""
        file = f"<longhand {self.title} {id(self):x}>"
        linecache.cache[file] = len(self.source), None, self.source.splitlines(keepends=True), file
        names: dict[str, Any] = {}
        exec(compile(self.source, file, "exec"), names)  # the text is our own
        names |= {title: _Stream(generator) for title, generator in self.listing.streams.items()}
        function: Callable[..., Any] = names[self.title]
        return function


class _Stream:
    """The NumPy generator beneath one of byhand's, asked for anew at each draw: seeding replaces it."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __getattr__(self, method: str) -> Any:
        return getattr(numpy_generator(self._generator), method)


def _fresh(x: Any, value: Value) -> Any:
    """An array of its own; a Python number as it is."""
    return x if value.dtype is None else np.array(x, value.dtype)


def _checks(program: Program) -> Callable[[dict[Value, Any]], None] | None:
    """What raises the exceptions of the program's checks, before the text is run: the text has no room for them."""
    needed: set[Value] = set()
    kept: list[Node] = []
    streams: set[Any] = set()  # those that a check depends on: what is drawn from them before counts too
    for node in reversed(program.nodes):
        stream = node.attrs["generator"] or default_generator if node.op is DRAW else None
        if node.op is CHECK or stream in streams or needed.intersection(node.outputs):
            if stream is not None:
                streams.add(stream)
            kept.append(node)
            needed.update(node.values)
    if not kept:
        return None
    generators = [node.attrs["generator"] or default_generator for node in kept if node.op is DRAW]

    def complain(known: dict[Value, Any]) -> None:
        before = [generator.get_state() for generator in generators]
        known = dict(known)
        for node in reversed(kept):
            inputs = [known[x] if isinstance(x, Value) else x for x in node.inputs]
            with np.errstate(all="ignore"):  # what is computed here is computed again, and warned of then
                results = interpreter.evaluate(node, inputs)
            known.update(zip(node.outputs, results, strict=True))
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)

    return complain
