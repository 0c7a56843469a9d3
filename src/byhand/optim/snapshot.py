"""Saving and restoring an optimiser: `Optimizer.state_dict` and `Optimizer.load_state_dict`, checked before use.

`load` builds everything new and touches nothing, so that a checkpoint that does not fit leaves the optimiser as it was.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from byhand.core.errors import CheckpointError, UsageError
from byhand.tensor import Tensor

if TYPE_CHECKING:
    from byhand.optim.optimizer import Group, Optimizer, State


def save(state: dict[Any, State], groups: list[Group]) -> dict[str, Any]:
    """The state with parameters replaced by their index over all groups; see `Optimizer.state_dict`."""
    index: dict[int, int] = {}
    packed = []
    for group in groups:
        for p in group["params"]:
            index[id(p)] = len(index)
        options = {key: value for key, value in group.items() if key != "params"}
        packed.append({**options, "params": [index[id(p)] for p in group["params"]]})
    entries = {index[id(key)] if isinstance(key, Tensor) else key: _copied(value) for key, value in state.items()}
    return {"state": entries, "param_groups": packed}


def _copied(entries: State) -> State:
    return {key: list(value) if isinstance(value, list) else value for key, value in entries.items()}


def load(optimizer: Optimizer, saved: Any) -> tuple[defaultdict[Any, State], list[Group]]:
    """New state and groups for `optimizer`; raises `CheckpointError` when `saved` does not belong to it."""
    owner = type(optimizer).__name__
    if not isinstance(saved, dict) or not {"state", "param_groups"} <= saved.keys():
        raise CheckpointError(f'{owner}: expected a state_dict with "state" and "param_groups"; got {_kind(saved)}')
    _check_counts(owner, optimizer.param_groups, saved["param_groups"])
    groups = [
        _restore_group(optimizer, i, group, saved_group)
        for i, (group, saved_group) in enumerate(zip(optimizer.param_groups, saved["param_groups"], strict=True))
    ]
    owners: dict[Any, tuple[Tensor, str]] = {}
    for group, saved_group in zip(groups, saved["param_groups"], strict=True):
        names = group.get("param_names") or [""] * len(group["params"])
        for p, name, key in zip(group["params"], names, saved_group["params"], strict=True):
            owners[key] = p, f"parameter {key}" + (f" ({name!r})" if name else "")
    state: defaultdict[Any, State] = defaultdict(dict)
    for key, entries in saved["state"].items():
        number = int(key) if isinstance(key, str) and key.isdigit() else key  # JSON has no integer keys
        if number in owners:
            p, label = owners[number]
            state[p] = _restore_entries(optimizer, p, label, entries)
        elif isinstance(number, int):
            raise CheckpointError(f"{owner}: the state_dict has state for parameter {number}, which is in no group")
        else:
            state[key] = entries
    return state, groups


def _check_counts(owner: str, groups: list[Group], saved: list[Any]) -> None:
    if len(groups) != len(saved):
        raise CheckpointError(
            f"{owner}: the state_dict has {len(saved)} parameter groups, this optimizer has {len(groups)}; "
            "build it with the same groups before loading"
        )
    for i, (group, saved_group) in enumerate(zip(groups, saved, strict=True)):
        if not isinstance(saved_group, dict) or "params" not in saved_group:
            raise CheckpointError(f'{owner}: param_groups[{i}] of the state_dict has no "params"')
        if len(group["params"]) != len(saved_group["params"]):
            raise CheckpointError(
                f"{owner}: param_groups[{i}] of the state_dict has {len(saved_group['params'])} parameters, "
                f"this optimizer's has {len(group['params'])}; it belongs to another model"
            )


def _restore_group(optimizer: Optimizer, i: int, group: Group, saved: Group) -> Group:
    owner = type(optimizer).__name__
    missing = sorted(optimizer.intervals.keys() - saved.keys())
    if missing:
        options = ", ".join(sorted(saved.keys() - {"params", "param_names"}))
        raise CheckpointError(
            f"{owner}: param_groups[{i}] of the state_dict lacks {', '.join(missing)} (it has {options}); "
            "it was saved by another kind of optimizer"
        )
    restored = {**optimizer.defaults, **saved, "params": group["params"]}
    if "param_names" in group:
        restored.setdefault("param_names", group["param_names"])
    try:
        return optimizer._checked(restored)
    except UsageError as error:
        raise CheckpointError(f"param_groups[{i}] of the state_dict: {error}") from error


def _restore_entries(optimizer: Optimizer, p: Tensor, label: str, entries: State) -> State:
    owner = type(optimizer).__name__
    known = {*optimizer.tensors, *optimizer.numbers}
    lacks = optimizer.required - entries.keys()
    foreign = entries.keys() - known if optimizer.tensors else set()
    if entries and (lacks or foreign):
        raise CheckpointError(
            f"{owner}: the state of {label} has {', '.join(sorted(entries))}, expected {', '.join(sorted(known))}; "
            "it was saved by another kind of optimizer"
        )
    restored: State = {}
    for key, value in entries.items():
        if isinstance(value, list):  # the history of LBFGS
            restored[key] = [_restored(optimizer, p, label, key, part) for part in value]
        elif key in optimizer.numbers or isinstance(value, (Tensor, np.ndarray)):
            restored[key] = _restored(optimizer, p, label, key, value)
        elif key not in optimizer.tensors:
            restored[key] = value
        elif value is not None:  # PyTorch saves None for a buffer that is not there yet
            raise CheckpointError(f"{owner}: {key} of {label} must be a Tensor; got {_kind(value)}")
    return restored


def _restored(optimizer: Optimizer, p: Tensor, label: str, key: str, value: Any) -> Any:
    """One number or tensor; anything else, such as a place still empty, as it is."""
    owner = type(optimizer).__name__
    if key in optimizer.numbers and value is not None:
        return _number(owner, label, key, value, optimizer.numbers[key])
    if isinstance(value, (Tensor, np.ndarray)):
        shape = optimizer.state_shape(p, key) if key in optimizer.tensors else None
        return _tensor(owner, p, label, key, value, shape)
    return value


def _number(owner: str, label: str, key: str, value: Any, kind: type) -> Any:
    try:
        return kind(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{owner}: {key} of {label} must be a number; got {_kind(value)}") from error


def _tensor(owner: str, p: Tensor, label: str, key: str, value: Any, shape: tuple[int, ...] | None) -> Tensor:
    array = value.array if isinstance(value, Tensor) else value
    if shape is not None and array.shape != shape:
        wanted = "" if shape == p.shape else f", so {key} should have {shape}"
        raise CheckpointError(
            f"{owner}: {key} of {label} has shape {array.shape}, the parameter has {tuple(p.shape)}{wanted}; "
            "it belongs to another model"
        )
    dtype = p.dtype if array.dtype.kind == "f" else array.dtype
    if array.shape != p.shape:
        return Tensor(np.array(array, dtype=dtype, order="K"))
    made = np.empty_like(p.array, dtype)  # in memory like the parameter, as it was before it was saved
    np.copyto(made, array, casting="unsafe")
    return Tensor(made)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dictionary with {', '.join(map(repr, value)) or 'no keys'}"
    return f"{value!r} of type {type(value).__name__}"
