"""Training as these tests run it: planned where they do not ask for more, since Numba would compile for each test."""

from __future__ import annotations

import pytest

from byhand.train import step


@pytest.fixture(autouse=True)
def planned_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "default_dialect", lambda: "planned")
