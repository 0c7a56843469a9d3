"""A module's tree: the parameters, buffers and children it owns, by name and all the way down.

The lowest part of `Module`. What a module owns stands in its `__dict__` under its own name, like any attribute: there
are no shadow dictionaries to keep in step, reading `self.weight` costs what Python's attributes cost, and pickle,
deepcopy and Python's own "Did you mean" work by themselves. A parameter is known by its class, a child too; of buffers
the names are kept, since a buffer is a plain tensor. Nothing needs `Module.__init__` to have run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from byhand.core.capture import structure
from byhand.core.errors import UsageError
from byhand.nn.parameter import Buffer, Parameter
from byhand.tensor import Tensor

if TYPE_CHECKING:
    from byhand.nn.module import Module

NOTHING: Mapping[str, Any] = MappingProxyType({})
PARAMETER, MODULE = "parameter", "child module"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`": did you mean 'fc1.weight'?"` where a near name is known, else nothing."""
    import difflib  # 0.6 ms that those pay who mistype a name

    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f": did you mean {near[0]!r}?" if near else ""


def kind_of(value: object) -> str:
    """The name of a value's class, with the shape if it has one."""
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{type(value).__name__} of shape {tuple(shape)}"


class ModuleTree:
    """What a module owns, and walks over it. The names, orders and defaults are those of PyTorch's `Module`."""

    training: bool = True
    _buffer_names: Mapping[str, bool] = NOTHING  # name: is it persistent
    _empty: Mapping[str, str] = NOTHING  # names registered with None: what may come there

    # Assigning and registering.

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get(name)
        if isinstance(value, Parameter):
            self._place(name, value)
        elif isinstance(held, Parameter) or self._empty.get(name) == PARAMETER:
            self._keep_kind(name, value, PARAMETER)
        elif isinstance(value, ModuleTree):
            self._place(name, value)
        elif isinstance(held, ModuleTree) or name in self._empty:
            self._keep_kind(name, value, MODULE)
        elif name in self._buffer_names:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign {kind_of(value)} as buffer {name!r} of {type(self).__name__}: expected a Tensor or "
                    f"None; write self.{name} = byhand.as_tensor(...)"
                )
            self.__dict__[name] = value
            structure.version += 1
        elif isinstance(value, Buffer):
            self._refuse_method(name)
            self.__dict__.pop(name, None)
            self.register_buffer(name, value, value.persistent)
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        structure.version += 1
        self._forget(name)

    def _place(self, name: str, value: Parameter | ModuleTree) -> None:
        """Put a parameter or child under its name; in the order of PyTorch, where a plain attribute stood, last."""
        owner = getattr(type(self), name, None)
        if isinstance(owner, property) and owner.fset is not None:
            object.__setattr__(self, name, value)
            return
        self._refuse_method(name)
        self._check_name(name, "parameter" if isinstance(value, Parameter) else "module")
        here = self.__dict__
        family = Parameter if isinstance(value, Parameter) else ModuleTree
        if name not in self._empty and not isinstance(here.get(name), family):
            here.pop(name, None)
        self._forget(name)
        here[name] = value
        structure.version += 1

    def _keep_kind(self, name: str, value: Any, kind: str) -> None:
        """Refuse to hide a parameter or child behind something else; None empties its place."""
        if value is not None:
            wrong = f"cannot assign {kind_of(value)} as {kind} {name!r} of {type(self).__name__}"
            if kind == MODULE:
                raise TypeError(f"{wrong}: expected a Module or None; del self.{name} first to use the name otherwise")
            hint = f"self.{name} = nn.Parameter(...) to replace it, or self.{name}.copy_(...) under no_grad to fill it"
            raise TypeError(f"{wrong}: expected a Parameter or None; write {hint}")
        self.__dict__[name] = None
        structure.version += 1
        self._empty = {**self._empty, name: kind}

    def _forget(self, name: str) -> None:
        """The name is no longer a buffer's, nor an empty place."""
        if name in self._buffer_names:
            self._buffer_names = {n: kept for n, kept in self._buffer_names.items() if n != name}
        if name in self._empty:
            self._empty = {n: kind for n, kind in self._empty.items() if n != name}

    def _refuse_method(self, name: str) -> None:
        if getattr(type(self), name, None) is not None:
            raise UsageError(
                f"{name!r} is already an attribute of the class {type(self).__name__}; choose another name"
            )

    def _check_name(self, name: str, kind: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a {kind} is a string, got {kind_of(name)}")
        if name == "" or "." in name:
            raise UsageError(f"{name!r} cannot name a {kind}: dots separate the names of a path, and none is empty")

    def _check_free(self, name: str, kind: str, taken: bool) -> None:
        self._check_name(name, kind)
        if not taken and hasattr(self, name):
            raise UsageError(f"{type(self).__name__} has an attribute {name!r} already; choose another name")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or with None the place for one that `state_dict` leaves out.

        Raises `UsageError` for a name that is taken or holds a dot, TypeError for anything but a Parameter.
        """
        empty = self._empty.get(name) == PARAMETER
        self._check_free(name, "parameter", empty or isinstance(self.__dict__.get(name), Parameter))
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"cannot register {kind_of(param)} as parameter {name!r}: write nn.Parameter(...)")
        self.__dict__[name] = param
        structure.version += 1
        self._forget(name)
        if param is None:
            self._empty = {**self._empty, name: PARAMETER}

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not learned; what is not `persistent` is left out of `state_dict`.

        Raises `UsageError` for a name that is taken or holds a dot, TypeError for anything but a Tensor or None.
        """
        self._check_free(name, "buffer", name in self._buffer_names)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot register {kind_of(tensor)} as buffer {name!r}: write byhand.as_tensor(...)")
        self.__dict__[name] = tensor
        structure.version += 1
        self._buffer_names = {**self._buffer_names, name: persistent}

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under a name that may be computed; otherwise `self.name = module` says the same.

        Raises `UsageError` for a name that is taken or holds a dot, TypeError for anything but a Module or None.
        """
        empty = self._empty.get(name) == MODULE
        self._check_free(name, "module", empty or isinstance(self.__dict__.get(name), ModuleTree))
        if module is not None and not isinstance(module, ModuleTree):
            raise TypeError(f"cannot add {name!r}: {not_a_module(module)}")
        self.__dict__[name] = module
        structure.version += 1
        self._forget(name)
        if module is None:
            self._empty = {**self._empty, name: MODULE}

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    # What this module owns itself.

    @property
    def _parameters(self) -> dict[str, Parameter | None]:
        return self._owned(Parameter, PARAMETER)

    @property
    def _modules(self) -> dict[str, Module | None]:
        return self._owned(ModuleTree, MODULE)

    @property
    def _buffers(self) -> dict[str, Tensor | None]:
        return {name: self.__dict__[name] for name in self._buffer_names}

    def _owned(self, cls: type, kind: str) -> dict[str, Any]:
        empty, buffers = self._empty, self._buffer_names
        return {
            name: value
            for name, value in self.__dict__.items()
            if (isinstance(value, cls) and name not in buffers) or empty.get(name) == kind
        }

    # Walks.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Name and module of each direct child, one that has two names once."""
        seen: set[int] = set()
        for name, child in self.__dict__.items():
            if isinstance(child, ModuleTree) and id(child) not in seen:
                seen.add(id(child))
                yield name, cast("Module", child)

    def children(self) -> Iterator[Module]:
        """Each direct child."""
        for _, child in self.named_children():
            yield child

    def named_modules(
        self, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Dotted path and module: this one (its path is `prefix`), then all below, parents first."""
        memo = set() if memo is None else memo
        if remove_duplicate and id(self) in memo:
            return
        memo.add(id(self))
        yield prefix, cast("Module", self)
        for name, child in list(self.__dict__.items()):
            if isinstance(child, ModuleTree):
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Dotted path and parameter of each parameter; a shared one comes once unless `remove_duplicate` is False."""
        return self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Each parameter; what an optimiser takes."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Dotted path and tensor of each buffer."""
        return self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Each buffer."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(
        self, members: Callable[[Module], Iterable[tuple[str, Any]]], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules: Iterable[tuple[str, Any]] = [(prefix, self)]
        if recurse:
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            for name, value in members(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    # Looking up by path.

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; "" is this one. Raises AttributeError, with a near name, if there is none."""
        module: ModuleTree = self
        for name in target.split(".") if target else []:
            child = module.__dict__.get(name)
            if not isinstance(child, ModuleTree):
                near = did_you_mean(target, [path for path, _ in self.named_modules()])
                raise AttributeError(f"{type(self).__name__} has no module {target!r}{near}")
            module = child
        return cast("Module", module)

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put another module at a dotted path; with `strict`, only where one is already."""
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict:
            self.get_submodule(target)
        if not name:
            raise UsageError("set_submodule takes the path of a child; '' is the module itself")
        parent.__setattr__(name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path. Raises AttributeError, with a near name, if there is none."""
        found = self._member(target, lambda module: module._parameters)
        if not isinstance(found, Parameter):
            near = did_you_mean(target, [name for name, _ in self.named_parameters(remove_duplicate=False)])
            raise AttributeError(f"{type(self).__name__} has no parameter {target!r}{near}")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path. Raises AttributeError, with a near name, if there is none."""
        found = self._member(target, lambda module: module._buffers)
        if not isinstance(found, Tensor):
            near = did_you_mean(target, [name for name, _ in self.named_buffers(remove_duplicate=False)])
            raise AttributeError(f"{type(self).__name__} has no buffer {target!r}{near}")
        return found

    def _member(self, target: str, members: Callable[[Any], dict[str, Any]]) -> Any:
        module: Any = self
        *path, name = target.split(".")
        for step in path:
            module = module.__dict__.get(step)
            if not isinstance(module, ModuleTree):
                return None
        return members(module).get(name)


def not_a_module(value: object) -> str:
    """What is wrong with `value` in the place of a module, and what to write instead."""
    if isinstance(value, type) and issubclass(value, ModuleTree):
        return f"{value.__name__} is a class: write {value.__name__}(...)"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} is not a Module: unpack it with *, or make it an nn.ModuleList"
    if callable(value):
        return f"the function {getattr(value, '__name__', value)!r} is not a Module: call it in forward"
    return f"{kind_of(value)} is not a Module"
