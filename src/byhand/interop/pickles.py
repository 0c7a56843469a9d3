"""The part of reading a pickle that every restricted reader shares: no name of the file leads anywhere by itself.

A pickle is a program: Python's own reader imports and calls whatever it names. `Reader` looks names up in a table of
its subclass, and refuses the rest. Called by `interop.torch` and by the data sets that come as pickles.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar


class RefusedError(Exception):
    """The pickle asks for something that its reader does not give."""


class Name:
    """What a name in a pickle stands for: a function of ours, or only itself. Nothing can be set on it."""

    __slots__ = ("_make", "module", "name")

    def __init__(self, module: str, name: str, make: Any) -> None:
        self.module, self.name, self._make = module, name, make

    def __call__(self, *arguments: Any) -> Any:
        if self._make is None:
            raise RefusedError(f"it calls {self.module}.{self.name}")
        return self._make(*arguments)


class StandIn:
    """What stands for an object while a pickle is read, and takes its state: the only one that may."""

    def __setstate__(self, state: Any) -> None:
        raise NotImplementedError


class Reader(pickle._Unpickler):
    """Python's own reader in Python: the one in C reserves whatever memory a damaged memo index asks for."""

    names: ClassVar[Mapping[tuple[str, str], Any]] = {}
    """By module and name: a function to call in its place; None for what may stand there but not be called."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    read: Any
    append: Any
    stack: list[Any]

    def __init__(self, data: bytes, encoding: str) -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        self.append(bytearray(self.read(size)))  # the inherited one reserves the promised size before it reads

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def load_build(self) -> None:
        state = self.stack.pop()
        self.set_state(self.stack[-1], state)

    dispatch[pickle.BUILD[0]] = load_build

    def set_state(self, made: Any, state: Any) -> None:
        """Give an object of ours what the pickle says is its state; the inherited one would set any attribute."""
        if not isinstance(made, StandIn):
            raise RefusedError(f"it sets attributes of a {type(made).__name__}")
        made.__setstate__(state)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.names:
            raise RefusedError(f"it asks for {module}.{name}")
        return Name(module, name, self.names[module, name])

    def get_extension(self, code: int) -> Any:
        raise RefusedError(f"it asks for extension {code}")
