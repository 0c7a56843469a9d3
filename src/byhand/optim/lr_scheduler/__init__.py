"""Learning-rate schedules, with PyTorch's names, arguments and values.

A training loop calls `optimizer.step()` and then `scheduler.step()`: once an epoch, or once a batch for `CyclicLR` and
`OneCycleLR`.
"""

from __future__ import annotations

from byhand.optim.lr_scheduler.composition import ChainedScheduler, SequentialLR
from byhand.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from byhand.optim.lr_scheduler.cycle import CyclicLR, OneCycleLR
from byhand.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from byhand.optim.lr_scheduler.plateau import ReduceLROnPlateau
from byhand.optim.lr_scheduler.scheduler import LRScheduler

_LRScheduler = LRScheduler  # the name that older scripts derive their schedules from

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
