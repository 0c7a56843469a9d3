"""What a step can reach: modules, optimisers, tensors and arrays of its closure and globals, with the user's names.

The names are those that programs print; modules are also asked for their `training` flags. Nothing here knows a class
of the floors above: a module is what has `named_parameters`, an optimiser what has `param_groups`.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from byhand.core.errors import CaptureError
from byhand.core.variable import Variable

DEPTH = 4  # of containers and objects in each other


class Surroundings:
    """What was found.

    tensors     name and tensor of every parameter, buffer and loose tensor, each once
    arrays      name and NumPy array
    modules     all modules, the inner ones too
    optimizers  all optimisers
    modes       (module, whether it is training)
    numbers     (namespace, name, value) of plain numbers that functions name and modules hold: they are part of the
                signature
    bindings    (namespace, name, object) of what else functions name: a program is bound to these very objects
    held        the same for what lists and dictionaries hold
    generators  NumPy's generators
    """

    def __init__(self, target: Any, arguments: tuple[Any, ...] = ()) -> None:
        self.tensors: dict[int, tuple[str, Variable]] = {}
        self.arrays: list[tuple[str, Any]] = []
        self.modules: list[Any] = []
        self.optimizers: list[Any] = []
        self.numbers: list[tuple[Any, str, Any]] = []
        self.bindings: list[tuple[Any, str, Any]] = []
        self.generators: list[Any] = []
        self._roots: list[tuple[str, Any]] = []
        self.held: list[tuple[Any, Any, Any]] = []
        self._objects: list[Any] = []
        self._containers: list[Any] = []
        self._words: set[str] = set()
        self._seen: set[int] = set()
        self._visit("", target, DEPTH)
        for argument in arguments:  # models and optimisers that are handed in; tensors are inputs
            if not isinstance(argument, Variable | np.ndarray):
                self._visit("", argument, DEPTH)
        self._methods()
        self._name_modules()
        self.modes = [(module, bool(module.training)) for module in self.modules]
        self._built = self._structure()
        self._containers += [vars(found) for found in (*self._objects, *self.modules)]
        self._contents = [found.copy() for found in self._containers]

    def _visit(self, name: str, found: Any, depth: int) -> None:
        if found is None or depth < 0 or isinstance(found, str | int | float | ModuleType | type):
            return
        if id(found) in self._seen:
            return
        self._seen.add(id(found))
        if isinstance(found, Variable):
            self.tensors.setdefault(id(found), (name, found))
        elif isinstance(found, np.ndarray):
            self.arrays.append((name, found))
        elif "__wrapped__" in getattr(found, "__dict__", {}) and not isinstance(found, FunctionType):
            self._visit(name, vars(found)["__wrapped__"], depth)  # another compiled function
        elif hasattr(found, "named_parameters"):
            self._roots.append((name, found))
        elif hasattr(found, "param_groups") and hasattr(found, "state"):
            self.optimizers.append(found)
            self._attributes(found, "_stepped")
        elif hasattr(found, "bit_generator"):
            self.generators.append(found)
        elif isinstance(found, functools.partial):
            for part in (found.func, *found.args, *found.keywords.values()):
                self._visit(name, part, depth)
        elif isinstance(found, MethodType):
            self._visit("", found.__self__, depth)
            self._visit("", found.__func__, depth)
        elif isinstance(found, FunctionType):
            self._function(found, depth)
        elif isinstance(found, dict):
            self._containers.append(found)
            for key, value in list(found.items())[:1000]:
                self.held.append((found, key, value))
                self._visit(str(key), value, depth - 1)
        elif isinstance(found, list | tuple | set | frozenset):
            if isinstance(found, list):
                self._containers.append(found)
                self.held += [(found, i, value) for i, value in enumerate(found[:1000])]
            for i, value in enumerate(list(found)[:1000]):
                self._visit(f"{name}{i + 1}", value, depth - 1)
        elif hasattr(found, "__dict__") and not _of_libraries(type(found)):
            self._objects.append(found)
            for key, value in list(vars(found).items()):
                self._visit(key, value, depth - 1)

    def _function(self, function: FunctionType, depth: int) -> None:
        if _of_libraries(function):
            return
        for wrapped in (getattr(function, "__wrapped__", None), *(function.__defaults__ or ())):
            self._visit("", wrapped, depth - 1)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self._bind(cell, "cell_contents", name, value, depth)
        words = set(_names(function.__code__))
        self._words |= words
        for name in set(_globals(function.__code__)) & function.__globals__.keys():
            value = function.__globals__[name]
            self._bind(function.__globals__, name, name, value, depth)
            if isinstance(value, ModuleType) and not _of_libraries(value):
                for inner in words & vars(value).keys():
                    self._bind(vars(value), inner, inner, vars(value)[inner], depth)

    def _bind(self, where: Any, key: str, name: str, value: Any, depth: int = DEPTH) -> None:
        """What a name stands for in a namespace."""
        if _plain_number(value):
            self.numbers.append((where, key, value))
        elif hasattr(type(value), "__next__"):
            raise CaptureError(
                f"the step reads from {name}, an iterator, which a program would do never again; hand in what it gives"
            )
        elif _is_own(value):
            self.bindings.append((where, key, value))
        self._visit(name, value, depth - 1)

    def _methods(self) -> None:
        """The methods and attributes of the objects that were found, as far as the functions seen so far name them."""
        modules = [module for _, root in self._roots for module in root.modules()]
        for module in modules:
            for key, value in vars(module).items():
                if isinstance(value, list | dict | tuple):
                    self._visit(key, value, DEPTH - 1)
        words: set[str] = set()
        self._words |= {"forward", "__call__"}
        while words != self._words:  # a method may name others
            words = set(self._words)
            for kind in {type(found) for found in (*self._objects, *modules)}:
                for parent in kind.__mro__:
                    if not _of_libraries(parent):
                        for name in words & vars(parent).keys():
                            self._visit("", _function_of(vars(parent)[name]), DEPTH)
        for found in self._objects:
            for key in words & vars(found).keys():
                self._bind(vars(found), key, key, vars(found)[key])

    def meet_modules(self, called: list[tuple[Any, bool]]) -> None:
        """Modules that were called, if they were not found before: their modes count too."""
        known = {id(module) for module, _ in self.modes}
        for module, training in called:
            if id(module) not in known:
                known.add(id(module))
                self.modes.append((module, training))

    def _structure(self) -> list[Any]:
        """Which parts the modules have, which groups the optimisers, and which hooks are on them."""
        found: list[Any] = []
        for _, root in self._roots:
            found += [(id(module), *_hooks(getattr(module, "_hooks", None))) for module in root.modules()]
            found += [id(x) for x in (*root.parameters(), *root.buffers())]
        found += [key for _, x in self.tensors.values() for key in _hooks(getattr(x.node, "hooks", None))]
        for optimizer in self.optimizers:
            found += [id(p) for group in optimizer.param_groups for p in group["params"]]
            found += [*getattr(optimizer, "_before_step", ()), *getattr(optimizer, "_after_step", ())]
        return found

    def is_rebuilt(self) -> bool:
        """Whether modules have other parts by now, or there are other hooks."""
        return self._built != self._structure()

    def _name_modules(self) -> None:
        """Parameters by their paths, below the name of their model if there are several."""
        roots = [(name, root) for name, root in self._roots if not self._below_another(root)]
        several = sum(any(True for _ in root.named_parameters()) for _, root in roots) > 1  # a loss is a module too
        for name, root in roots:
            prefix = f"{name}." if several and name else ""
            for module in root.modules():
                self.modules.append(module)
                self._attributes(module, "training")  # which is asked for apart
            for path, tensor in (*root.named_parameters(), *root.named_buffers()):
                self.tensors[id(tensor)] = f"{prefix}{path}", tensor
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for i, p in enumerate(group["params"]):
                    self.tensors.setdefault(id(p), (f"p{i + 1}", p))

    def _attributes(self, owner: Any, but: str) -> None:
        """The plain numbers that a module or optimiser holds; what the library's own hold as ints does not change."""
        kinds = (float, bool) if _of_libraries(type(owner)) else (int, float, bool, str)
        names = vars(owner)
        self.numbers += [(names, key, x) for key, x in names.items() if type(x) in kinds and key != but]
        self.generators += [x for x in names.values() if hasattr(x, "bit_generator")]

    def check_unchanged(self) -> None:
        """Raise CaptureError if the step changed one of the numbers."""
        for where, key, value in self.numbers:
            if _now(where, key) != value:
                name = "a number that it shares with the outside" if key == "cell_contents" else key
                raise CaptureError(
                    f"the step changes {name}, a plain Python number, which a program would do never again; keep it in "
                    "a tensor (register_buffer), or change it outside of the step"
                )

    def put_back(self) -> None:
        """Give numbers and modes the values that they had, and lists, dictionaries and objects what was in them."""
        for found, before in zip(self._containers, self._contents, strict=True):
            if isinstance(found, list):
                found[:] = before
            elif found.keys() != before.keys() or any(found[key] is not value for key, value in before.items()):
                found.clear()
                found.update(before)
        for module, training in self.modes:
            module.training = training
        for where, key, value in self.numbers:
            if isinstance(where, dict):
                where[key] = value
            else:
                where.cell_contents = value

    def _below_another(self, module: Any) -> bool:
        return any(
            other is not module and any(inner is module for inner in other.modules()) for _, other in self._roots
        )


def _is_own(value: Any) -> bool:
    """Whether a thing that a step names is the user's: data, models, objects and functions, but none of a library."""
    if isinstance(value, FunctionType):
        return not _of_libraries(value)
    known = isinstance(value, Variable | np.ndarray | list | tuple | dict) or hasattr(value, "param_groups")
    return known or hasattr(value, "named_parameters") or not (isinstance(value, type) or _of_libraries(type(value)))


def _function_of(method: Any) -> Any:
    """The function in a property, a static or class method, or a compiled one."""
    method = getattr(method, "__wrapped__", getattr(method, "fget", method))
    return getattr(method, "__func__", method)


def _hooks(found: Any) -> list[int]:
    """The keys of all hooks in a dictionary of them, or in an object of several."""
    if found is None or isinstance(found, dict):
        return list(found or ())
    return [key for name in type(found).__slots__ for key in getattr(found, name)]


def _now(where: Any, key: str) -> Any:
    """A number's present value."""
    return where.get(key) if isinstance(where, dict) else where.cell_contents


def _plain_number(value: Any) -> bool:
    return type(value) in (int, float, bool, str)


def _names(code: Any) -> Iterator[str]:
    """The names of globals and attributes in a function, those of functions defined inside of it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _names(constant)


def _globals(code: Any) -> Iterator[str]:
    """Those that are read as globals; the others are attributes."""
    yield from (line.argval for line in dis.get_instructions(code) if line.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _globals(constant)


def _of_libraries(found: Any) -> bool:
    """Whether a function or class belongs to this library or to an installed one: they hide no models."""
    top = (getattr(found, "__module__", None) or "").split(".")[0]
    if top == "__main__":  # which may have been started by an installed program, as a notebook is
        return False
    if top in {"byhand", "numpy", "builtins"} or top in sys.stdlib_module_names:
        return True
    return "site-packages" in (getattr(sys.modules.get(top), "__file__", None) or "")
