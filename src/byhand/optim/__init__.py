"""Optimisers and learning-rate schedules, with PyTorch's names, argument orders, defaults and trajectories.

Training loops and `byhand.train` call `optimizer.step()` and `scheduler.step()`; the update rules are one file each.
"""

from __future__ import annotations

from byhand.optim import lr_scheduler, swa_utils
from byhand.optim.adadelta import Adadelta
from byhand.optim.adafactor import Adafactor
from byhand.optim.adagrad import Adagrad
from byhand.optim.adam import Adam, AdamW
from byhand.optim.adamax import Adamax
from byhand.optim.asgd import ASGD
from byhand.optim.lbfgs import LBFGS
from byhand.optim.muon import Muon
from byhand.optim.nadam import NAdam
from byhand.optim.optimizer import Optimizer
from byhand.optim.radam import RAdam
from byhand.optim.rmsprop import RMSprop
from byhand.optim.rprop import Rprop
from byhand.optim.sgd import SGD
from byhand.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]
