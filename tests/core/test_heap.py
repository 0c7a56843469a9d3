"""Freed memory stays with the process unless the user has told malloc otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
import byhand.core

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():
    return [np.ones(1 << 19, np.float32) for _ in range(8)]

work()
before = faults()
for _ in range(10):
    work()
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what other systems do is theirs")
def test_memory_is_used_again() -> None:
    from byhand.core.heap import keep_freed_memory

    quiet = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    if not keep_freed_memory():
        pytest.skip("no glibc")

    def faults(**more: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=quiet | more, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults() < 1000  # of 40 960 pages
    assert faults(MALLOC_MMAP_THRESHOLD_="131072") > 30000
