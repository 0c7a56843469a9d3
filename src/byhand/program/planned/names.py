"""The names by which a planned program's text refers to arrays, numbers and functions, and the lines that define them.

An array that never moves (a buffer, a state, a constant, and every view of them) is made once, when the program is
bound; views of arguments and of what is made anew in each run are lines of the step itself. Two values that lie at the
same place in the same layout are one array and have one name: what is computed in place looks like it.
"""

from __future__ import annotations

import builtins
import keyword
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from byhand.program.ir import ARGUMENT, NUMBER, Node, Program, Value, identifier, labels
from byhand.program.memory import ALIAS, ARENA, FRESH, Home, Plan
from byhand.program.primitives import BROADCAST, RESHAPE, TRANSPOSE, WINDOWS
from byhand.program.tiling import Part, Tile

WORDS = "np bind step memory states constants place blocks rows part"  # what every text names
RESERVED = {*keyword.kwlist, *dir(builtins), *WORDS.split()}

Key = tuple[Any, ...]


class Names:
    """The names of one program.

    prologue   lines that are run once, when the program is bound
    imported   NumPy's functions that the text names
    objects    what the text names and cannot spell: kernels, random streams, …
    pending    lines that the next line of the step needs before it
    assigned   for a number the lines that put it into arrays, where ufuncs take it in half the time
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.labels = plan, _labels(plan.program)
        self.producers = plan.program.producers()
        self.prologue: list[str] = []
        self.imported: dict[str, str] = {}
        self.objects: dict[str, Any] = {}
        self.pending: list[str] = []
        self.assigned: dict[Value, list[str]] = {}
        self._dynamic: dict[Value, list[str]] = {}
        self._known: dict[Key, str] = {}
        self._taken: set[str] = set(RESERVED)
        for value in plan.program.given:
            self._known[self.key(value)] = self.unique(self.labels[value])

    def unique(self, wish: str) -> str:
        """A name like `wish` that nothing has yet."""
        wish = identifier(wish) or "v"
        name, number = wish, 2
        while name in self._taken:
            name, number = f"{wish}_{number}", number + 1
        self._taken.add(name)
        return name

    # Arrays.

    def home(self, value: Value) -> Home:
        """The home of a value's memory."""
        home = self.plan.homes[value]
        return self.plan.homes[self.plan.layouts[value].root] if home.kind == ALIAS else home

    def is_static(self, value: Value) -> bool:
        """Whether the array is the same in every run."""
        return self.home(value).kind not in (ARGUMENT, FRESH, NUMBER)

    def key(self, value: Value) -> Key:
        """What two values have in common that are one array."""
        if value.dtype is None:
            return (value,)
        layout = self.plan.layouts.get(value)
        if layout is None:  # scratch
            return (value,)
        home = self.home(value)
        return home.of or layout.root, value.dtype, layout.place

    def of(self, value: Value) -> str:
        """The name of a value; lines that define it are written if it has none."""
        key = self.key(value)
        name = self._known.get(key)
        if name is not None:
            return name
        node = self.producers.get(value)
        home = self.plan.homes[value]
        if home.kind == ALIAS and node is not None:
            base = self.of(node.inputs[0])
            turned = base.removesuffix("_T") if base.endswith("_T") else f"{base}_T"
            wish = self.labels[value] if value.name else turned if node.op is TRANSPOSE else f"{base}_view"
            self._known[key] = name = self.unique(wish)
            self._define(name, self.view(base, node), value)
            return name
        self._known[key] = name = self.unique(self.label(value))
        if home.kind == ARENA:
            self.prologue.append(f"{name} = {self.placed(value, home.index, value.shape)}")
        return name

    def _define(self, name: str, text: str, value: Value) -> None:
        """Write the line that defines a view of a value, to the prologue or before the next line of the step."""
        if self.is_static(value):
            self.prologue.append(f"{name} = {text}")
            return
        self.pending.append(f"{name} = {text}")
        self._dynamic.setdefault(self.plan.layouts[value].root, []).append(name)

    def names_of(self, root: Value) -> list[str]:
        """All names of what is made in each run: itself and its views."""
        return [self.of(root), *self._dynamic.get(root, ())]

    def of_first(self, value: Value) -> str:
        """The name of the array of which a value is a part or a block."""
        return self.labels[self.home(value).of or self.plan.layouts[value].root]

    def label(self, value: Value) -> str:
        """What the array of a value should be called: the first value there gives the name."""
        first = self.home(value).of
        return self.labels.get(first if first is not None and self.key(first) == self.key(value) else value, "scratch")

    def placed(self, value: Value, offset: int, shape: tuple[int, ...]) -> str:
        """The text of a piece of the arena."""
        order = "" if value.order == tuple(range(len(shape))) else f", {value.order}"
        return f'place(memory, {offset}, {shape}, "{value.dtype}"{order})'

    def view(self, base: str, node: Node) -> str:
        """The text of a view."""
        op, attrs = node.op, node.attrs
        if op is TRANSPOSE:
            axes = tuple(attrs["axes"])
            return f"{base}.T" if axes == tuple(range(len(axes)))[::-1] else f"{base}.transpose({axes})"
        if op is RESHAPE:
            return f"{base}.reshape({attrs['shape']})"
        if op is BROADCAST:
            return f"{self.function(np.broadcast_to, 'broadcast_to')}({base}, {attrs['shape']})"
        if op is WINDOWS:
            windows = self.function(sliding_window_view, "lib.stride_tricks.sliding_window_view")
            return f"{windows}({base}, {attrs['sizes']}, {attrs['axes']})"
        index = attrs["index"] if Ellipsis in attrs["index"] else (*attrs["index"], Ellipsis)
        return f"{base}[{self.index(index)}]"

    def index(self, index: tuple[Any, ...], arrays: tuple[str, ...] = ()) -> str:
        """The text between the brackets; index arrays stand where the index has no part of its own."""
        rest = iter(arrays)
        return ", ".join(part if (part := _part(p)) is not None else next(rest) for p in index) or "()"

    def derived(self, value: Value, what: str, text: str) -> str:
        """The name of something that is made of an array: `text` with {} for its name."""
        key = (*self.key(value), text)
        if key not in self._known:
            base = self.of(value)
            self._known[key] = name = self.unique(f"{base}_{what}")
            self._define(name, text.format(base), value)
        return self._known[key]

    # Scalars, functions, objects.

    def operand(self, x: Any) -> str:
        """The text of what a node reads."""
        return self.of(x) if isinstance(x, Value) else "None" if x is None else self.plain(x)

    def scalar(self, x: Any, dtype: Any) -> str:
        """The name of an array () with a number in it: ufuncs take that in 0.33 µs, a Python number in 0.68."""
        key = ("scalar", x if isinstance(x, Value) else repr(x), dtype)
        if key not in self._known:
            if isinstance(x, Value):
                self._known[key] = name = self.unique(f"{self.of(x)}_array")
                self.prologue.append(f'{name} = np.empty((), "{dtype}")')
                self.assigned.setdefault(x, []).append(f"{name}[()] = {self.of(x)}")
            else:
                plain = x.item() if isinstance(x, np.generic) else x
                self._known[key] = name = self.unique("_" + repr(plain).replace("-", "minus_").replace("+", ""))
                self.prologue.append(f'{name} = np.array({self.plain(x)}, "{dtype}")')
        return self._known[key]

    def plain(self, x: Any) -> str:
        """A scalar as text."""
        plain = x.item() if isinstance(x, np.generic) else x
        if type(plain) not in (bool, int, float):
            return self.object(x, "scalar")
        if plain != plain or abs(plain) == float("inf"):
            return f"np.{x.dtype if isinstance(x, np.generic) else 'float64'}('{plain}')"
        if isinstance(x, np.generic):
            return f"np.{x.dtype}({plain!r})"
        return repr(x) if x >= 0 else f"({x!r})"

    def spelled(self, x: Any) -> str:
        """Any other argument as text."""
        parts = x if isinstance(x, tuple) else (x,)
        plain = all(type(part) in (int, str, bool, type(None)) for part in parts)
        return repr(x) if plain else self.plain(x) if type(x) is float else self.object(x, type(x).__name__.lower())

    def function(self, function: Any, text: str) -> str:
        """The name of one of NumPy's functions, `np.` + text where it is known by that."""
        found: Any = np
        for part in text.split("."):
            found = getattr(found, part, None)
        if found is not function and text.count(".") == 0:
            return self.object(function, text)
        if text not in self.imported:
            self.imported[text] = self.unique(text.replace(".", "_"))
        return self.imported[text]

    def object(self, x: Any, wish: str) -> str:
        """The name of an object that has no text."""
        key = ("object", id(x))
        if key not in self._known:
            self._known[key] = name = self.unique(wish)
            self.objects[name] = x
        return self._known[key]


class LoopNames(Names):
    """The names within the loop over the blocks of a tile, or of a part of one: what is split is called as the block.

    elements   (name, text) of what the loop runs over
    sliced     lines that take a block of what is there only in this run
    """

    def __init__(self, outer: Names, tile: Tile, part: Part | None = None) -> None:
        vars(self).update(vars(outer))  # both write the same text
        self.outer, self.tile = outer, tile
        self.variable, self.step = ("rows", tile.step) if part is None else ("part", part.step)
        self.elements: list[tuple[str, str]] = []
        self.sliced: list[str] = []
        self._blocks: dict[Key, str] = {}

    def of(self, value: Value) -> str:
        """The name of a value, or of its block."""
        axis = self.tile.axes.get(value)
        if value.dtype is None or axis is None:
            return self.outer.of(value)
        key = self.key(value)
        if key not in self._blocks:
            before, index = ":, " * axis, self.variable
            if self.home(value).rows == self.step:
                base = text = self._buffer(value, axis)
                index = f": {self.variable}.stop - {self.variable}.start"
            else:
                base = self.outer.of(value)
                text = dict(self.outer.elements).get(base, base) if isinstance(self.outer, LoopNames) else base
            self._blocks[key] = name = self.unique(f"{base}_{self.variable}")
            if self.is_static(value):
                self.elements.append((name, f"{text}[{before}{index}]"))
            else:
                self.sliced.append(f"{name} = {base}[{before}{index}]")
        return self._blocks[key]

    def derived(self, value: Value, what: str, text: str) -> str:
        """The name of something that is made of the block."""
        if self.tile.axes.get(value) is None:
            return self.outer.derived(value, what, text)
        base, key = self.of(value), (*self.key(value), text)
        if key not in self._blocks:
            self._blocks[key] = name = self.unique(f"{base}_{what}")
            if self.is_static(value):
                self.elements.append((name, text.format(dict(self.elements)[base])))
            else:
                self.sliced.append(f"{name} = {text.format(base)}")
        return self._blocks[key]

    def loop(self, title: str) -> tuple[str, str]:
        """The head of the loop, and the text of the list that it runs over under this title."""
        elements = [*([(self.variable, self.variable)] if self.sliced else []), *self.elements]
        variables, texts = (", ".join(part) for part in zip(*elements, strict=True))
        return f"for {variables} in {title}:", texts if len(elements) == 1 else f"({texts})"

    def _buffer(self, value: Value, axis: int) -> str:
        """The memory of one block."""
        name = self.unique(self.label(value))
        shape = tuple(self.step if i == axis else n for i, n in enumerate(value.shape))
        self.prologue.append(f"{name} = {self.placed(value, self.home(value).index, shape)}")
        return name


def _labels(program: Program) -> dict[Value, str]:
    """The names the program has for its values; of a gradient `d_` and the name of what it is the gradient of."""
    found = labels(program)
    for node in reversed(program.nodes):
        for out in node.outputs:
            if not out.name and out.gradient_of in found:
                found[out] = f"d_{found[out.gradient_of]}"
        if node.op is TRANSPOSE and not node.inputs[0].name and found[node.out].startswith("d_"):
            found[node.inputs[0]] = f"{found[node.out]}_T"
    return found


def _part(part: Any) -> str | None:
    """One part of an index as text; None for an array's place."""
    if part is None:
        return "None"
    if part is Ellipsis:
        return "..."
    if isinstance(part, slice):
        ends = ["" if end is None else repr(int(end)) for end in (part.start, part.stop, part.step)]
        return ":".join(ends if part.step is not None else ends[:2])
    return repr(int(part)) if isinstance(part, (int, np.integer)) else None
