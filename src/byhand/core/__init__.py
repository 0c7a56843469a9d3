"""What an op is, how one is recorded on the tape, and how the tape is walked back.

Nothing here knows a single op by name: the table of ops is one floor up, in `byhand.ops`.
"""

from __future__ import annotations

from byhand.core.heap import keep_freed_memory

keep_freed_memory()
