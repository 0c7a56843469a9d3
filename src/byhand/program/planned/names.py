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

from byhand.program.ir import ARGUMENT, NUMBER, Node, Value, identifier, labels
from byhand.program.memory import ALIAS, ARENA, FRESH, Home, Plan
from byhand.program.primitives import BROADCAST, RESHAPE, TRANSPOSE
from byhand.program.tiling import Tile

RESERVED = {*keyword.kwlist, *dir(builtins), "np", "bind", "step", "memory", "states", "constants", "rows"}

Key = tuple[Any, ...]


class Names:
    """The names of one program.

    prologue   lines that are run once, when the program is bound
    imported   NumPy's functions that the text names
    objects    what the text names and cannot spell: kernels, random streams, …
    pending    lines that the next line of the step needs before it
    assigned   lines that put Python numbers into arrays, where ufuncs take them in half the time
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.labels = plan, labels(plan.program)
        self.producers = plan.program.producers()
        self.prologue: list[str] = []
        self.imported: dict[str, str] = {}
        self.objects: dict[str, Any] = {}
        self.pending: list[str] = []
        self.assigned: list[str] = []
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
        return home.of or layout.root, value.dtype, layout.offset, layout.shape, layout.strides

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
            wish = self.labels[value] if value.name else f"{base}_T" if node.op is TRANSPOSE else f"{base}_view"
            self._known[key] = name = self.unique(wish)
            self.define(f"{name} = {self.view(base, node)}", self.is_static(value))
            return name
        first = home.of or value
        self._known[key] = name = self.unique(self.labels.get(first if self.key(first) == key else value, "scratch"))
        if home.kind == ARENA:
            self.prologue.append(f"{name} = {self.placed(value, home.index, value.shape)}")
        return name

    def define(self, line: str, static: bool) -> None:
        """Write a line that defines something, to the prologue or before the next line of the step."""
        (self.prologue if static else self.pending).append(line)

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
            self.define(f"{name} = {text.format(base)}", self.is_static(value))
        return self._known[key]

    # Scalars, functions, objects.

    def scalar(self, x: Any, dtype: Any) -> str:
        """The name of an array () with a number in it: ufuncs take that in 0.33 µs, a Python number in 0.68."""
        key = ("scalar", x if isinstance(x, Value) else repr(x), dtype)
        if key not in self._known:
            if isinstance(x, Value):
                self._known[key] = name = self.unique(f"{self.of(x)}_array")
                self.prologue.append(f'{name} = np.empty((), "{dtype}")')
                self.assigned.append(f"{name}[()] = {self.of(x)}")
            else:
                self._known[key] = name = self.unique("_" + repr(x).replace("-", "minus_").replace("+", ""))
                self.prologue.append(f'{name} = np.array({self.plain(x)}, "{dtype}")')
        return self._known[key]

    def plain(self, x: Any) -> str:
        """A scalar as text."""
        if type(x) in (bool, int, float) and x == x and abs(x) != float("inf"):
            return repr(x) if x >= 0 else f"({x!r})"
        return self.object(x, "scalar") if not isinstance(x, np.generic) else self.object(x, f"{x.dtype}")

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


class TileNames:
    """The names within the loop over a tile's blocks: what is split goes by the name of its rows.

    elements   (name, text) of what the loop runs over, beside the rows
    sliced     lines that take rows of what is there only in this run
    """

    def __init__(self, names: Names, tile: Tile) -> None:
        self.names, self.tile = names, tile
        self.elements: list[tuple[str, str]] = []
        self.sliced: list[str] = []
        self._known: dict[Key, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.names, name)

    def of(self, value: Value) -> str:
        """The name of a value, or of its rows."""
        axis = self.tile.axes.get(value)
        if value.dtype is None or axis is None:
            return self.names.of(value)
        names, key = self.names, self.names.key(value)
        if key not in self._known:
            if names.home(value).block:
                base, text = self._block(value, axis)
            else:
                base = names.of(value)
                text = f"{base}[{':, ' * axis}rows]"
            self._known[key] = name = names.unique(f"{base}_rows")
            if names.is_static(value):
                self.elements.append((name, text))
            else:
                self.sliced.append(f"{name} = {text}")
        return self._known[key]

    def derived(self, value: Value, what: str, text: str) -> str:
        """The name of something that is made of the rows."""
        if self.tile.axes.get(value) is None:
            return self.names.derived(value, what, text)
        base, key = self.of(value), (*self.names.key(value), text)
        if key not in self._known:
            self._known[key] = name = self.names.unique(f"{base}_{what}")
            if self.names.is_static(value):
                self.elements.append((name, text.format(dict(self.elements)[base])))
            else:
                self.sliced.append(f"{name} = {text.format(base)}")
        return self._known[key]

    def _block(self, value: Value, axis: int) -> tuple[str, str]:
        """The buffer of one block, and the text of as much of it as a block has rows."""
        names, tile = self.names, self.tile
        home = names.home(value)
        first = home.of or value
        name = names.unique(names.labels.get(first, "scratch"))
        shape = tuple(tile.step if i == axis else n for i, n in enumerate(value.shape))
        names.prologue.append(f"{name} = {names.placed(value, home.index, shape)}")
        return name, name if tile.rows % tile.step == 0 else f"{name}[{':, ' * axis}: rows.stop - rows.start]"


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
