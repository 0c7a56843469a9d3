"""A nest as text whose names are settled last.

It is written with numbered marks, which become either the program's own names, for readers, or a, b, c in the order in
which they come, by which two nests that do the same are found to be the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from byhand.program.ir import Value

MARK = re.compile("\ue000(\\d+)\ue001")
COUNTERS = "ijklmopq"
"""The names of loop counters, by depth."""


@dataclass(frozen=True)
class Pointer:
    """A parameter: the memory of a root, so many numbers from its start; without a root, the size of a flat loop."""

    root: Value | None
    offset: int = 0


@dataclass(frozen=True)
class Bound:
    """A parameter: the first round that is to be done of the outer loop, or the one after the last."""

    name: str


FIRST, LAST = Bound("first"), Bound("last")

Parameter = Pointer | Value | Bound


@dataclass(frozen=True)
class Wish:
    """What a mark would like to be called: as a value, or so; and what is put behind."""

    name: Value | str
    suffix: str = ""


@dataclass(eq=False)
class Manuscript:
    """The lines of a function, and what its marks stand for.

    parameters  pointers, sizes and numbers of the program, in the order of the text, with their marks
    """

    lines: list[str] = field(default_factory=list)
    parameters: list[tuple[Parameter, str]] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    _marks: dict[Any, str] = field(default_factory=dict)

    def mark(self, key: Any, name: Value | str, suffix: str = "") -> str:
        """The mark of something, the same whenever it is asked for."""
        found = self._marks.get(key)
        if found is None:
            found = self._marks[key] = f"\ue000{len(self.wishes)}\ue001"
            self.wishes.append(Wish(name, suffix))
        return found

    def parameter(self, x: Parameter) -> str:
        """The mark of a parameter."""
        if x not in self._marks:
            name: Value | str = x if isinstance(x, Value) else x.name if isinstance(x, Bound) else x.root or "n"
            self.parameters.append((x, self.mark(x, name)))
        return self._marks[x]

    def counter(self, depth: int) -> str:
        """The mark of the counter of a loop, which depends on how deep it is."""
        return self.mark(("counter", depth), COUNTERS[depth])

    def settled(self, name: Callable[[int], str]) -> Iterator[str]:
        """The parameters, then the lines, with each mark replaced by the name of its number."""
        for text in (", ".join(mark for _, mark in self.parameters), *self.lines):
            yield MARK.sub(lambda match: name(int(match[1])), text)

    def canonical(self) -> str:
        """The text by which it is compared with others."""
        return "\n".join(self.settled(lambda number: f"a{number}"))

    def readable(self, names: dict[Value, str], reserved: set[str]) -> str:
        """The definition, but for the name of the function, in the program's own names."""
        chosen: dict[int, str] = {}
        taken = set(reserved)

        def name(number: int) -> str:
            if number not in chosen:
                wish = self.wishes[number]
                base = (names[wish.name] if isinstance(wish.name, Value) else wish.name) + wish.suffix
                text, k = base, 2
                while text in taken:
                    text, k = f"{base}_{k}", k + 1
                taken.add(text)
                chosen[number] = text
            return chosen[number]

        for number, wish in enumerate(self.wishes):
            if isinstance(wish.name, str):
                name(number)  # counters first: they are to have the names that everybody expects
        head, *lines = self.settled(name)
        return "\n".join([f"({head}):", *lines])
