"""Ctrl-C at a moment of our choosing: between two batches, where every weight is either before or after its step.

Used by `fit` while it can save. A second Ctrl-C interrupts at once, as ever.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """A context manager that notes SIGINT in `requested` instead of raising; in other threads it does nothing."""

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None
        self._active = False

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
            self._active = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._before)
            self._active = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            signal.signal(signal.SIGINT, self._before)
            self._active = False
            raise KeyboardInterrupt
        self.requested = True
