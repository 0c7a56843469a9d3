"""PyTorch's `detect_anomaly`: the operation that makes a NaN out of numbers raises. Called by users."""

from __future__ import annotations

from contextlib import ContextDecorator

import numpy as np


class detect_anomaly(ContextDecorator):
    """In a `with` block or a decorated function NumPy's FloatingPointError where an operation has no result, as 0 / 0.

    PyTorch looks for NaN in the backward pass alone; this sees the forward pass too.

    >>> import byhand
    >>> with byhand.autograd.detect_anomaly():
    ...     byhand.zeros(1) / byhand.zeros(1)
    Traceback (most recent call last):
        ...
    FloatingPointError: invalid value encountered in divide
    in true_divide of (1,) and (1,)
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self.before = np.seterr(invalid="raise" if self.check_nan else "warn")

    def __exit__(self, *error: object) -> None:
        np.seterr(**self.before)


class set_detect_anomaly(detect_anomaly):
    """The same from here on, or until the end of a `with` block; `mode=False` turns it off."""

    def __init__(self, mode: bool = True, check_nan: bool = True) -> None:
        super().__init__(mode and check_nan)
        super().__enter__()

    def __enter__(self) -> None:
        return None
