"""The dialect for reading: a program as the NumPy code that one would write by hand, and which runs.

`Longhand` is what the dialect `longhand` of `byhand.compile` runs; its text is `step.source`, and `script` makes a
whole file of it.
"""

from __future__ import annotations

import ast
import itertools
import linecache
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.core.generator import default_generator, numpy_generator
from byhand.core.variable import Array
from byhand.program import interpreter
from byhand.program.ir import (
    ARGUMENT,
    CHECK,
    CONSTANT,
    DRAW,
    NUMBER,
    STATE,
    UPDATE,
    Node,
    Program,
    Value,
    identifier,
)
from byhand.program.longhand import page
from byhand.program.longhand.effects import counted, with_writes
from byhand.program.longhand.expression import names_in, substituted, text
from byhand.program.longhand.layers import MOMENTS
from byhand.program.longhand.line import Listing
from byhand.program.longhand.listing import Builder
from byhand.program.longhand.repeats import counted_anew, in_loops, numbers_once, reordered, short_enough
from byhand.program.longhand.textbook import as_in_books


ORIGINS = (ARGUMENT, STATE, CONSTANT, NUMBER)  # in the order in which a function takes them


def listed(program: Program) -> Listing:
    """The lines of a program, and what stands around them."""
    builder = Builder(program)
    lines = builder.build()
    names, known, listing = builder.names, builder.program, builder.listing
    lines = reordered(lines, known)
    lines = as_in_books(lines, {names[new] for _, new in known.writes if new in names}, names)
    lines, saved, merged = with_writes(known, lines, names, builder.trees)
    lines = numbers_once(known, lines, names)
    counted(lines)
    listing.lines = short_enough(in_loops(known, lines, names), names)
    returned = [x for x in (*known.outputs, *[new for _, new in known.number_writes]) if isinstance(x, Value)]
    listing.returns = [saved.get(x) or text(substituted(builder.trees[x], {}, merged)) for x in returned]
    counted_anew(listing, names)
    read = {name for part in listing.lines for name in part.reads}
    read.update(*[names_in(ast.parse(formula)) for formula in listing.returns])
    given = [*known.arguments, *known.states, *known.constants, *known.numbers]
    own = {name for part in listing.lines for name in getattr(part, "writes", ())}
    used = [v for v in given if v in known.arguments or names[v] in read and not (v in known.constants and names[v] in own)]
    listing.arguments = [(names[v], v) for v in sorted(used, key=lambda v: _rank(v, names[v], known))]
    listing.streams = {builder.stream(n): n.attrs["generator"] for n in builder.nodes if n.op is DRAW}
    return listing


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
        returned = [x for x in program.outputs if isinstance(x, Value)]
        complain = _checks(program)

        def run(*given: Any) -> tuple[Any, ...]:
            known = {**fixed, **dict(zip(called, given, strict=True))}
            if complain is not None:
                complain(known)
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                found = step(*[known[value] for _, value in self.listing.arguments])
            found = iter(found if len(returned) + len(program.number_writes) != 1 else (found,))
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
    for node in reversed(program.nodes):
        if node.op is CHECK or needed.intersection(node.outputs):
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
            known.update(zip(node.outputs, interpreter.evaluate(node, inputs), strict=True))
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)

    return complain


# the text


def module(listing: Listing, title: str, explain: page.Explain | None = None) -> str:
    """A module: imports, functions, the step."""
    parts = ["\n".join([*[f"import {m}" for m in sorted(listing.modules)], "import numpy as np"])]
    parts += [page.narrowed("\n".join(listing.constants.values()))] if listing.constants else []
    parts += ["\n".join(f"{stream} = np.random.default_rng()" for stream in listing.streams)] if listing.streams else []
    functions = [*map(page.narrowed, listing.functions.values()), function(listing, title, explain)]
    return "\n\n\n".join(["\n\n".join(parts), *functions]) + "\n"


def function(listing: Listing, title: str, explain: page.Explain | None = None) -> str:
    """The step as a function."""
    doc = described(listing)
    lines = [f'"""{doc[0]}', *doc[1:], '"""'] if len(doc) > 1 else [f'"""{doc[0]}"""']
    lines += page.body(listing, explain)
    if listing.returns:
        lines += ["", *page.wrapped(f"return {', '.join(listing.returns)}")]
    groups = [[name for name, _ in group] for _, group in itertools.groupby(listing.arguments, _group)]
    return "\n".join([*page.signature(title, groups), *[f"    {line}".rstrip() for line in lines]])


def _rank(value: Value, name: str, program: Program) -> tuple[int, str]:
    """Arguments, parameters, what belongs to parameters by its letter, constants, numbers."""
    return ORIGINS.index(value.origin), _letter(value, name)


def _letter(value: Value, name: str) -> str:
    """The letter in front of a name that is made of a parameter's: the m of m_fc1_weight."""
    key = value.name.rpartition(".")[2]
    return name.partition("_")[0] if value.origin == STATE and MOMENTS.get(key, key) != key else ""


def _group(argument: tuple[str, Value]) -> tuple[str, str]:
    name, value = argument
    return value.origin, _letter(value, name)


def described(listing: Listing) -> list[str]:
    """The docstring: what goes in, with shapes; what comes out; what is changed."""
    given = [f"{name} {value.shape} {value.dtype}" for name, value in listing.arguments if value.origin == ARGUMENT]
    results = page.enumerated(["the loss" if x == "loss" else x for x in listing.returns])
    states = [(name, value) for name, value in listing.arguments if value.origin == STATE]
    trains = any(part.section == UPDATE for part in listing.lines)
    first = "One training step" if trains else "One step"
    first += f" on {page.enumerated(given)}" if given else ""
    doc = page.prose(f"{first}: returns {results}." if results else f"{first}.")
    own = [f"{name} {value.shape}" for name, value in states if not _letter(value, name)]
    letters = list(dict.fromkeys(f"{_letter(value, name)}_…" for name, value in states if _letter(value, name)))
    if own:
        more = f", and their {page.enumerated(letters)}" if letters else ""
        changes = "Changes in place" if trains else "Reads"
        doc += ["", *page.prose(f"{changes} {page.enumerated(own)}{more}.")]
    return doc
