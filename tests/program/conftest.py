"""Capture tested by itself: programs run node by node with plain NumPy, as they were captured."""

from __future__ import annotations

import pytest

from byhand.program import entry
from program.captured import Interpreted


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled functions run as captured, without passes, op by op: bit for bit what the eager step computes."""
    monkeypatch.setattr(entry, "executable", lambda program, dialect, without=(): Interpreted(program))
    monkeypatch.setattr(entry, "optimise", lambda program, without=(): program)
