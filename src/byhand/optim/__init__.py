"""Optimisers and learning-rate schedules, with PyTorch's names, argument orders, defaults and trajectories.

Training loops and `byhand.train` call `optimizer.step()` and `scheduler.step()`; the update rules are one file each.
"""

from __future__ import annotations

from byhand.optim import lr_scheduler
from byhand.optim.adadelta import Adadelta
from byhand.optim.adagrad import Adagrad
from byhand.optim.adam import Adam, AdamW
from byhand.optim.nadam import NAdam
from byhand.optim.optimizer import Optimizer
from byhand.optim.rmsprop import RMSprop
from byhand.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "lr_scheduler",
]
