"""Nested tuples, lists and dicts taken apart into leaves and put together again: arguments and results of a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def flatten(tree: Any) -> tuple[tuple[Any, ...], Any]:
    """The leaves in order, and the structure without them (hashable)."""
    leaves: list[Any] = []
    structure = _taken(tree, leaves)
    return tuple(leaves), structure


def _taken(tree: Any, leaves: list[Any]) -> Any:
    if isinstance(tree, tuple | list):
        return type(tree), tuple(_taken(part, leaves) for part in tree)
    if isinstance(tree, dict):
        return type(tree), tuple(tree), tuple(_taken(part, leaves) for part in tree.values())
    leaves.append(tree)
    return None


def unflatten(structure: Any, leaves: Iterator[Any]) -> Any:
    """The tree of this structure with these leaves."""
    if structure is None:
        return next(leaves)
    kind, *rest = structure
    if len(rest) == 2:
        keys, parts = rest
        return kind(zip(keys, [unflatten(part, leaves) for part in parts], strict=True))
    parts = [unflatten(part, leaves) for part in rest[0]]
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
