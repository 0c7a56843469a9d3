"""Modules as functions of their parameters: `functional_call`, and the parameters of several models stacked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from byhand.core.errors import UsageError
from byhand.ops.shape import stack
from byhand.tensor import Tensor


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with these tensors in the place of its parameters and buffers, by their dotted names.

    Those that are not named stay as they are (with `strict` that is an error); what is written to a buffer meanwhile is
    written to the given one. A parameter that stands at two places is replaced at both if `tie_weights`.

    >>> import byhand
    >>> double = byhand.nn.Linear(1, 1, bias=False)
    >>> byhand.func.functional_call(double, {"weight": byhand.tensor([[2.0]])}, byhand.ones(1))
    tensor([2.])
    """
    dicts = parameter_and_buffer_dicts
    given: dict[str, Any] = {}
    for part in [dicts] if isinstance(dicts, Mapping) else dicts:
        twice = given.keys() & part.keys()
        if twice:
            raise UsageError(f"functional_call: {sorted(twice)} are given more than once")
        given.update(part)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*positional, **(kwargs or {}))


@contextmanager
def _replaced(module: Any, given: Mapping[str, Any], tie: bool, strict: bool) -> Iterator[None]:
    present = {
        **dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers(remove_duplicate=False)),
    }  # fmt: skip
    unknown = sorted(given.keys() - present.keys())
    if unknown:
        raise UsageError(f"functional_call: the module has no {unknown}; it has {sorted(present)}")
    wanted = dict(given)
    if tie:
        by_tensor = {id(present[name]): value for name, value in given.items()}
        for name, tensor in present.items():
            if id(tensor) in by_tensor:
                wanted.setdefault(name, by_tensor[id(tensor)])
    if strict and present.keys() - wanted.keys():
        raise UsageError(f"functional_call: {sorted(present.keys() - wanted.keys())} are not given, and strict is")
    places = []
    for name in wanted:
        path, _, last = name.rpartition(".")
        places.append((module.get_submodule(path).__dict__, last, name))
    before = [here[last] for here, last, _ in places]
    try:
        for here, last, name in places:  # not by setattr, which would make it a parameter, and programs invalid
            here[last] = wanted[name]
        yield
    finally:
        for (here, last, _), tensor in zip(places, before, strict=True):
            here[last] = tensor


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of models of one architecture, by name, each stacked along a new axis 0.

    For an ensemble: vmap of `functional_call` over both dicts. Parameters are leaves that ask for gradients.
    """
    if not models:
        raise UsageError("stack_module_state: there is no model in the list")
    if len({type(model) for model in models}) > 1:
        raise UsageError("stack_module_state: the models must be of one class")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]

    def stacked(tables: list[dict[str, Tensor]]) -> dict[str, Any]:
        made = {}
        for name, first in tables[0].items():
            whole = stack([table[name].detach() for table in tables])
            made[name] = whole.requires_grad_() if first.requires_grad else whole
        return made

    return stacked(parameters), stacked(buffers)
