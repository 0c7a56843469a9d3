"""Modules that hold others: `Sequential`, `ModuleList`, `ModuleDict`.

Called by users, and by `byhand.cli` to build the networks of its `--model` option. As PyTorch's classes of these names.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, SupportsIndex, cast, overload

from byhand.nn.module import Module
from byhand.nn.parameter_container import ParameterDict, ParameterList, position
from byhand.nn.tree import did_you_mean, not_a_module

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class _Row(Module):
    """Children in an order, numbered from "0": what Sequential and ModuleList share."""

    def _all(self) -> list[Module]:
        return [child for child in self.__dict__.values() if isinstance(child, Module)]

    def _renew(self, children: Iterable[Module]) -> None:
        """Let these be the children, numbered anew."""
        for name in self._modules:
            delattr(self, name)
        for number, child in enumerate(children):
            self.add_module(str(number), child)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: SupportsIndex) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Module | Self:
        children = self._all()
        if isinstance(index, slice):
            return self._slice(index)
        return children[position(index, len(children), type(self).__name__)]

    def _slice(self, index: slice) -> Self:
        """A new container of this class, for some of the children."""
        new = type(self)()
        new._renew(self._all()[index])
        return new

    def __setitem__(self, index: SupportsIndex, module: Module) -> None:
        names = list(self._modules)
        _checked(module, type(self).__name__)
        setattr(self, names[position(index, len(names), type(self).__name__)], module)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        children = self._all()
        if isinstance(index, slice):
            del children[index]
        else:
            del children[position(index, len(children), type(self).__name__)]
        self._renew(children)

    def append(self, module: Module) -> Self:
        """Add a module behind the others."""
        self.add_module(str(len(self)), _checked(module, type(self).__name__))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules behind the others."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}.extend takes several modules, got {type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at `index`."""
        children = self._all()
        children.insert(index, _checked(module, type(self).__name__))
        self._renew(children)
        return self

    def pop(self, index: SupportsIndex = -1) -> Module:
        """Take a module out and return it."""
        module = self[index]
        del self[index]
        return module

    def __add__(self, other: Iterable[Module]) -> Self:
        if not isinstance(other, Iterable):
            return NotImplemented
        new = type(self)()
        new._renew([*self, *other])
        return new

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)


def _checked(module: Any, where: str) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"{where} holds modules: {not_a_module(module)}")
    return module


class Sequential(_Row):
    """Modules one after the other: each gets what the one before returned.

    `Sequential(a, b, c)(x)` is c(b(a(x))). With a dictionary the modules have names instead of numbers:
    `Sequential({"hidden": a, "output": b})`.

    >>> from byhand.nn.container import Sequential
    >>> Sequential(Sequential(), Sequential())
    Sequential(
      (0): Sequential()
      (1): Sequential()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = isinstance(args[0], Mapping) if len(args) == 1 else False
        for name, module in args[0].items() if named else enumerate(args):
            self.add_module(str(name), _checked(module, "Sequential"))

    def _slice(self, index: slice) -> Self:
        return type(self)(dict(list(self._modules.items())[index]))  # their names stay

    def forward(self, input: Any) -> Any:
        for module in list(self.__dict__.values()):
            if isinstance(module, Module):
                input = module(input)
        return input


class ModuleList(_Row):
    """A list whose modules belong to the tree, unlike those of a plain list. It has no forward of its own.

    >>> from byhand.nn.container import ModuleList, Sequential
    >>> len(ModuleList([Sequential() for _ in range(3)]))
    3
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _child_reprs(self) -> Iterator[tuple[str, str]]:
        """Equal neighbours are printed once, as `(0-2): 3 x Linear(…)`."""
        texts = [repr(child) for child in self]
        start = 0
        for text, group in itertools.groupby(texts):
            count = len(list(group))
            last = start + count - 1
            yield (f"{start}-{last}", f"{count} x {text}") if count > 1 else (str(start), text)
            start += count


class ModuleDict(Module):
    """A dictionary whose modules belong to the tree, unlike those of a plain dict. It has no forward of its own.

    >>> from byhand.nn.container import ModuleDict, Sequential
    >>> list(ModuleDict({"left": Sequential(), "right": Sequential()}))
    ['left', 'right']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        try:
            found = self._modules[key]
        except KeyError:
            raise KeyError(f"no module {key!r} here{did_you_mean(key, self._modules)}") from None
        return cast("Module", found)

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, _checked(module, "ModuleDict"))

    def __delitem__(self, key: str) -> None:
        self[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return cast("dict[str, Module]", self._modules).values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return cast("dict[str, Module]", self._modules).items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace several modules."""
        for key, module in dict(modules).items():
            self[key] = module

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        for key in self._modules:
            delattr(self, key)
