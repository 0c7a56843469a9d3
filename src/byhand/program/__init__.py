"""The compiler: a training step captured as a straight-line program, which can be read and is the fast way to run it.

Top to bottom: `step` (`compile`, the signature of a call), `entry` (one program and what it is bound to), `tracer`
(capture) with `surroundings`, `number`, `traced_array`; `ir` (the program) and `passes`; `longhand` (NumPy for people);
`lowering` to `primitives`, then `planned` (NumPy with planned memory) and `loops` (compiled loops).
"""

from __future__ import annotations

from byhand.program.step import Compiled, compile

__all__ = ["Compiled", "compile"]
