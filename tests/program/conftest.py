"""Capture tested by itself: programs run node by node with plain NumPy, as they were captured."""

from __future__ import annotations

import pytest

from byhand.program import entry
from byhand.program.loops import executable
from program.captured import Interpreted


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops written for one thread, whatever the machine has: `test_loops_sharing` has more."""
    monkeypatch.setattr(executable, "lanes", lambda: 1)


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled functions run as captured, without passes, op by op: bit for bit what the eager step computes."""
    monkeypatch.setattr(entry, "executable", lambda program, dialect, without=(): Interpreted(program))
    monkeypatch.setattr(entry, "optimise", lambda program, without=(): program)
