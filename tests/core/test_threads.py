from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from byhand.core import threads
from byhand.core.errors import UsageError

SCRIPT = """
import os, sys
import numpy as np
from byhand.core.threads import limit_blas_threads
limit_blas_threads(int(sys.argv[1]))
a = np.ones((900, 900))
for _ in range(4):
    a @ a
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task") or (os.cpu_count() or 1) < 2, reason="counts Linux's threads")
def test_one_thread_and_two() -> None:
    if "openblas" not in str(np.show_config(mode="dicts")).lower():
        pytest.skip("this NumPy has another BLAS")
    counts = []
    for wanted in ("1", "2"):
        environment = {k: v for k, v in os.environ.items() if "NUM_THREADS" not in k} | {"OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-c", SCRIPT, wanted]
        out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        counts.append(int(out))
    assert counts == [1, 2]


def test_another_blas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_libraries", lambda: iter(()))
    threads._function.cache_clear()
    try:
        assert threads.limit_blas_threads(1) is False and threads.get_num_threads() == 1
    finally:
        threads._function.cache_clear()


def test_pytorchs_names() -> None:
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(1)
        assert threads.get_num_threads() == 1
        with pytest.raises(UsageError, match=r"at least 1"):
            threads.set_num_threads(0)
    finally:
        threads.set_num_threads(before)
