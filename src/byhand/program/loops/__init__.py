"""The dialect *loops*: what stands between matrix products becomes fused loop nests, compiled by LLVM.

In the order of the work: `convolutions` (products of windows, when a program is lowered), `rewriting` (small products
and picking by labels are loops, too), `recomputation` (what backward computes again), `sources` (views looked through),
`axes` (which axes are the same), `placement` (which nodes share an outer loop), `nesting` (the loops inside),
`settlement` (what needs memory, and how it lies), `sharing` (what threads do in parts), `nests` (the text of a nest),
`assembly` (the module), `driver` (what Python does in a run). The text is translated by `translation` and compiled by
`machine_code`, which keeps the result; the threads are those of `team`, who work as `teamwork` says.
"""

from __future__ import annotations

from byhand.program.loops.executable import Loops, kernels

__all__ = ["Loops", "kernels"]
