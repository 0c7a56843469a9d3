"""What the comparison with PyTorch does not cover: its failures, and callables with state."""

from __future__ import annotations

import json

import pytest

import byhand
from byhand.optim import SGD
from byhand.optim import lr_scheduler as schedules


def optimizer_of(lr=0.1):
    return SGD([byhand.ones(2, requires_grad=True)], lr=lr)


def path(scheduler, steps):
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        rates += scheduler.get_last_lr()
    return rates


def test_the_courses_decay_per_epoch():
    assert path(schedules.ExponentialLR(optimizer_of(1.0), 0.5), 3) == [1.0, 0.5, 0.25, 0.125]


def test_a_constant_factor_of_zero_comes_back():
    assert path(schedules.ConstantLR(optimizer_of(), factor=0, total_iters=2), 3) == [0.0, 0.0, 0.1, 0.1]


class Warm:
    def __init__(self, length):
        self.length = length

    def __call__(self, epoch):
        return min(1.0, (1 + epoch) / self.length)


@pytest.mark.parametrize("cls", [schedules.LambdaLR, schedules.MultiplicativeLR])
def test_the_attributes_of_callable_objects_are_saved(cls):
    scheduler = cls(optimizer_of(), Warm(4))
    saved = json.loads(json.dumps(scheduler.state_dict()))
    assert saved["lr_lambdas"] == [{"length": 4}]
    other = cls(optimizer_of(), Warm(9))
    other.load_state_dict(saved)
    assert other.lr_lambdas[0].length == 4
    assert path(other, 3) == path(scheduler, 3)


def test_functions_are_not_saved():
    assert schedules.LambdaLR(optimizer_of(), lambda epoch: 1.0).state_dict()["lr_lambdas"] == [None]
    assert schedules.LambdaLR(optimizer_of(), abs).state_dict()["lr_lambdas"] == [None]


def test_milestones_may_come_from_a_generator():
    scheduler = schedules.MultiStepLR(optimizer_of(1.0), (2 * i for i in (1, 2)), gamma=0.5)
    assert path(scheduler, 5) == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
