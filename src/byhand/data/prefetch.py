"""Background reading: threads that work ahead of the training loop. Called by `DataLoader` for `num_workers > 0`.

Threads, not processes: slow datasets wait for a disk, a network or a decoder, and those let go of Python's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any, TypeVar

from byhand.core.errors import DataError

Task = TypeVar("Task")

END = object()  # what a task returns when there is nothing more to read


def prefetched(
    work: Callable[[Task], Any],
    tasks: Iterator[Task],
    *,
    workers: int,
    ahead: int,
    timeout: float = 0,
    initialize: Callable[[int], None] | None = None,
) -> Iterator[Any]:
    """`work(task)` for each task, in order, computed by `workers` threads at most `ahead` results early.

    An exception in a thread is raised here, at its place in the order. Stopping early (`break`) cancels what has
    not begun and waits for nothing. Raises DataError if a result takes longer than `timeout` seconds (0: no limit).
    """
    from concurrent.futures import Future, ThreadPoolExecutor  # here: 5 ms that `import byhand` need not pay

    numbers = count()
    pool = ThreadPoolExecutor(workers, "byhand-loader", lambda: initialize and initialize(next(numbers)))
    waiting: deque[Future[Any]] = deque()
    try:
        waiting.extend(pool.submit(work, task) for task in islice(tasks, ahead))
        while waiting:
            result = _result(waiting.popleft(), timeout)
            if result is END:
                return
            waiting.extend(pool.submit(work, task) for task in islice(tasks, 1))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Any, timeout: float) -> Any:
    try:
        return future.result(timeout or None)
    except TimeoutError as error:
        if future.done():  # the dataset's own TimeoutError
            raise
        raise DataError(
            f"no batch came within timeout={timeout} seconds; the dataset is slower than that or stuck"
        ) from error
