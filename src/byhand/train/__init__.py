"""Training: `fit`, callbacks, metrics, the history, checkpoints and run folders. Called by users and by `byhand.cli`.

>>> import byhand
>>> from byhand import nn
>>> from byhand.train import fit
>>> _ = byhand.manual_seed(0)
>>> history = fit(nn.Linear(2, 2), (byhand.randn(9, 2), byhand.zeros(9).long()), epochs=3, progress=False)
>>> history.keys
['epoch', 'loss', 'accuracy', 'lr', 'seconds']
"""

from __future__ import annotations

from byhand.train.callbacks import (
    BestWeights,
    Callback,
    Checkpointing,
    DivergenceError,
    EarlyStopping,
    GradientClipping,
    Scheduling,
    TerminateOnNaN,
)
from byhand.train.fit import fit
from byhand.train.history import History
from byhand.train.metrics import (
    R2,
    Accuracy,
    ConfusionMatrix,
    MacroF1,
    Mean,
    Metric,
    TopK,
    accuracy,
    confusion_matrix,
    macro_f1,
    r2_score,
    top_k_accuracy,
)
from byhand.train.progress import Progress
from byhand.train.run import Run, predict
from byhand.train.training import Training, evaluate

__all__ = [
    "fit",
    "evaluate",
    "predict",
    "Run",
    "History",
    "Training",
    "Callback",
    "BestWeights",
    "Checkpointing",
    "EarlyStopping",
    "GradientClipping",
    "Progress",
    "Scheduling",
    "TerminateOnNaN",
    "DivergenceError",
    "Metric",
    "Accuracy",
    "ConfusionMatrix",
    "MacroF1",
    "Mean",
    "R2",
    "TopK",
    "accuracy",
    "confusion_matrix",
    "macro_f1",
    "r2_score",
    "top_k_accuracy",
]
