"""The names of `byhand` itself."""

from __future__ import annotations

from types import ModuleType

import byhand


def test_what_is_public_is_listed() -> None:
    """A name missing from `__all__` is unknown to a user's type checker."""
    named = {n for n, value in vars(byhand).items() if not n.startswith("_") and not isinstance(value, ModuleType)}
    listed = {n for n in byhand.__all__ if n in vars(byhand) and not isinstance(getattr(byhand, n), ModuleType)}
    assert named - {"annotations", "TYPE_CHECKING", "Any"} == listed


def test_what_is_listed_is_there() -> None:
    for name in byhand.__all__:
        assert getattr(byhand, name) is not None or name == "newaxis"
