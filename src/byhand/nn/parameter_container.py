"""Modules that hold parameters: `ParameterList` and `ParameterDict`, as PyTorch's. Called by users."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Any, Self, SupportsIndex, overload

from byhand.core.errors import DomainError, UsageError
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.nn.tree import did_you_mean
from byhand.tensor import Tensor


def position(index: SupportsIndex, length: int, kind: str) -> int:
    """A place from 0, for one that may count from the end."""
    place = operator.index(index)
    if not -length <= place < length:
        raise DomainError(f"index {place} is out of range: this {kind} holds {length}")
    return place % length


def _as_parameter(value: Any) -> Any:
    """Tensors become parameters; other things stay what they are."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _content(value: Any) -> str:
    """One entry in the printed form of ParameterList and ParameterDict."""
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{kind} containing: [byhand.{value.dtype} of size {'x'.join(map(str, value.shape))}]"


class ParameterList(Module):
    """A list whose tensors are parameters of the module it belongs to; a plain tensor becomes one.

    >>> import byhand
    >>> from byhand.nn.container import ParameterList
    >>> ParameterList([byhand.zeros(2, 3)])
    ParameterList(
        (0): Parameter containing: [byhand.float32 of size 2x3]
    )
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self.__dict__[str(i)] for i in range(self._size))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return list(self)[position(index, self._size, "ParameterList")]

    def __setitem__(self, index: SupportsIndex, value: Any) -> None:
        setattr(self, str(position(index, self._size, "ParameterList")), _as_parameter(value))

    def append(self, value: Any) -> Self:
        """Add a value behind the others."""
        setattr(self, str(self._size), _as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several values behind the others."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise TypeError(f"ParameterList takes several values, got one {type(values).__name__}: put it in a list")
        for value in list(values):
            self.append(value)
        return self

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Take a value out and return it."""
        values = list(self)
        value = values.pop(position(index, self._size, "ParameterList"))
        for number in range(self._size):
            delattr(self, str(number))
        self._size = 0
        self.extend(values)
        return value

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def __repr__(self) -> str:
        return _listing("ParameterList", enumerate(self))


class ParameterDict(Module):
    """A dictionary whose tensors are parameters of the module it belongs to; a plain tensor becomes one.

    >>> import byhand
    >>> from byhand.nn.container import ParameterDict
    >>> ParameterDict({"scale": byhand.ones(3)})["scale"].requires_grad
    True
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(f"no parameter {key!r} here{did_you_mean(key, self._keys)}")
        return self.__dict__[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"a key of ParameterDict is a string, got {key!r}")
        if key not in self._keys and hasattr(self, key):
            raise UsageError(f"ParameterDict has an attribute {key!r} of its own; choose another key")
        setattr(self, key, _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        self[key]
        delattr(self, key)
        del self._keys[key]

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """The parameters."""
        return [self[key] for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and parameters."""
        return [(key, self[key]) for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of that name, else `default`."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter of that name, which is `default` from now on if there was none."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def update(self, parameters: Any) -> None:
        """Add or replace several parameters, from a mapping or from pairs."""
        for key, value in dict(parameters).items():
            self[key] = value

    def pop(self, key: str) -> Any:
        """Take a parameter out and return it."""
        value = self[key]
        del self[key]
        return value

    def copy(self) -> ParameterDict:
        """Another ParameterDict of the same parameters."""
        return ParameterDict(dict(self.items()))

    def clear(self) -> None:
        """Take all parameters out."""
        for key in list(self._keys):
            del self[key]

    def __repr__(self) -> str:
        return _listing("ParameterDict", self.items())


def _listing(kind: str, items: Iterable[tuple[Any, Any]]) -> str:
    lines = [f"    ({key}): {_content(value)}" for key, value in items]
    return "\n".join([f"{kind}(", *lines, ")"]) if lines else f"{kind}()"
