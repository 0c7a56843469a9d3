"""The dialect *loops*: what stands between matrix products becomes fused loop nests, compiled by Numba."""

from __future__ import annotations

from byhand.program.loops.executable import Loops

__all__ = ["Loops"]
