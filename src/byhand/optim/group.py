"""Turning what a person passes as `params` into a checked list of parameters.

Called by `Optimizer.__init__` and `Optimizer.add_param_group`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from byhand.core.errors import UsageError
from byhand.tensor import Tensor


def as_groups(owner: str, params: Any) -> list[dict[str, Any]]:
    """The `params` of a constructor as a list of group dictionaries, one for a plain iterable of parameters.

    Raises `UsageError` for a tensor, a module, a method, a set or a dictionary in place of the iterable, and for
    an iterable that yields nothing.
    """
    items = as_list(owner, params)
    if not items:
        raise UsageError(f"{owner}: params is empty, there is nothing to optimise{_exhausted(params)}")
    if not any(isinstance(item, dict) for item in items):
        return [{"params": items}]
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise UsageError(
                f"{owner}: params mixes dictionaries and parameters (params[{i}] is a {type(item).__name__}); "
                'put each parameter into a group: {"params": [p], "lr": 0.1}'
            )
    return items


def as_list(owner: str, params: Any) -> list[Any]:
    """`params` as a list; raises `UsageError` that says what to type instead when it cannot be one."""
    hint = ""
    if isinstance(params, Tensor):
        hint = "write [tensor]"
    elif isinstance(params, dict):
        hint = "write [group]" if "params" in params else "write model.parameters(), or list(parameters.values())"
    elif isinstance(params, (set, frozenset)):
        hint = "a set has no fixed order from run to run; write a list"
    elif hasattr(params, "parameters"):
        hint = "write model.parameters()"
    elif callable(params):
        hint = "call it: model.parameters()"
    elif isinstance(params, (str, bytes)) or not isinstance(params, Iterable):
        hint = "write model.parameters()"
    if hint:
        raise UsageError(
            f"{owner}: params must be an iterable of tensors, of (name, tensor) pairs or of group dictionaries; "
            f"got a {type(params).__name__}: {hint}"
        )
    return list(params)


def split_names(owner: str, items: list[Any]) -> tuple[list[Any], list[str]]:
    """The tensors and, when `items` are (name, tensor) pairs as from `named_parameters()`, their names."""
    named = [isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in items]
    if not any(named):
        return items, []
    if not all(named):
        raise UsageError(
            f"{owner}: params[{named.index(False)}] has no name while others have one; "
            "pass model.parameters() or model.named_parameters(), not a mixture"
        )
    return [item[1] for item in items], [item[0] for item in items]


def check_parameters(owner: str, params: list[Any], names: list[str], taken: Iterable[Tensor]) -> None:
    """Raise `UsageError` unless all of `params` are distinct leaf tensors that no group has `taken` before."""
    elsewhere = {id(p) for p in taken}
    seen: dict[int, str] = {}
    for i, p in enumerate(params):
        label = f"params[{i}]" + (f" ({names[i]!r})" if names else "")
        if not isinstance(p, Tensor):
            raise UsageError(f"{owner}: {label} must be a Tensor; got {p!r} of type {type(p).__name__}")
        if not p.is_leaf:
            raise UsageError(
                f"{owner}: {label} of shape {tuple(p.shape)} is not a leaf, it was computed by {p.grad_fn}; "
                "optimise the tensor it was computed from, or x.detach().requires_grad_()"
            )
        if not p.requires_grad and type(p) is Tensor:  # a frozen Parameter was frozen on purpose
            raise UsageError(
                f"{owner}: {label} of shape {tuple(p.shape)} does not require a gradient, it would never change; "
                "create it with requires_grad=True or call .requires_grad_()"
            )
        if id(p) in seen:
            raise UsageError(f"{owner}: {label} is the same tensor as {seen[id(p)]}; list each parameter once")
        if id(p) in elsewhere:
            raise UsageError(f"{owner}: {label} is already in another parameter group; list each parameter once")
        seen[id(p)] = label


def check_not_exhausted(owner: str, params: Any, items: list[Any]) -> None:
    """Raise `UsageError` when a generator gave nothing: it was read before."""
    if not items and isinstance(params, Iterator):
        raise UsageError(f"{owner}: the params of this group are empty{_exhausted(params)}")


def _exhausted(params: Any) -> str:
    if not isinstance(params, Iterator):
        return ""
    return "; a generator can be read only once: call model.parameters() again, or keep list(model.parameters())"
