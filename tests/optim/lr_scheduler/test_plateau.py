"""Plateaus of tensors, groups that are added later."""

from __future__ import annotations

import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.optim import SGD
from byhand.optim.lr_scheduler import ReduceLROnPlateau


def optimizer_of(lr=1.0):
    return SGD([byhand.ones(2, requires_grad=True)], lr=lr)


def test_a_tensor_as_measure():
    scheduler = ReduceLROnPlateau(optimizer_of(), factor=0.5, patience=1)
    for loss in (1.0, 1.0, 1.0):
        scheduler.step(byhand.tensor(loss))
    assert scheduler.get_last_lr() == [0.5]
    assert scheduler.best == 1.0


def test_an_untouched_plateau_has_no_infinity_to_save():
    scheduler = ReduceLROnPlateau(optimizer_of(), mode="max")
    saved = scheduler.state_dict()
    assert saved["best"] is None
    scheduler.load_state_dict(saved)
    scheduler.step(-5.0)
    assert scheduler.best == -5.0


def test_a_group_added_later():
    optimizer = optimizer_of()
    one = ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=0.75)
    several = ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=[0.5])
    optimizer.add_param_group({"params": [byhand.ones(2, requires_grad=True)], "lr": 2.0})
    for _ in range(2):
        one.step(1.0)
    assert one.get_last_lr() == [0.75, 1.0]
    several.step(1.0)
    with pytest.raises(UsageError, match="min_lr was given for 1 parameter groups, the optimizer now has 2"):
        several.step(1.0)
