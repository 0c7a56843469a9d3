"""The base of the schedules: continuing, saving, warnings, bad arguments."""

from __future__ import annotations

import math
import warnings

import pytest

import byhand
from byhand.core.errors import CheckpointError, UsageError
from byhand.optim import SGD
from byhand.optim import lr_scheduler as schedules


def optimizer_of(*rates):
    return SGD([{"params": [byhand.ones(2, requires_grad=True)], "lr": lr} for lr in rates or (0.1,)], lr=1.0)


def test_step_before_the_optimizers_warns_once():
    optimizer = optimizer_of()
    scheduler = schedules.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"lr_scheduler.step\(\) was called before optimizer.step\(\)"):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()
        optimizer.step()
        schedules.StepLR(optimizer, 1).step()


def test_the_warning_knows_optimizers_that_override_step():
    class Still(byhand.optim.Optimizer):
        def step(self, closure=None):
            return None

    optimizer = Still([byhand.ones(2, requires_grad=True)], {"lr": 0.1})
    scheduler = schedules.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.05]


def test_initial_rates_are_remembered_in_the_groups():
    optimizer = optimizer_of(0.1, 0.2)
    scheduler = schedules.LinearLR(optimizer, start_factor=0.5)
    assert [g["initial_lr"] for g in optimizer.param_groups] == scheduler.base_lrs == [0.1, 0.2]
    assert [g["lr"] for g in optimizer.param_groups] == scheduler.get_last_lr() == [0.05, 0.1]


def test_to_continue_needs_the_initial_rate():
    with pytest.raises(UsageError, match=r"last_epoch=3 continues a schedule, but param_groups\[0\] has no"):
        schedules.StepLR(optimizer_of(), 1, last_epoch=3)


@pytest.mark.parametrize("name", sorted(set(schedules.__all__) - {"LRScheduler", "ChainedScheduler"}))
def test_what_is_not_an_optimizer(name):
    arguments = {
        "LambdaLR": (abs,),
        "MultiplicativeLR": (abs,),
        "StepLR": (1,),
        "MultiStepLR": ([1],),
        "ExponentialLR": (0.5,),
        "CosineAnnealingLR": (5,),
        "CosineAnnealingWarmRestarts": (5,),
        "CyclicLR": (0.1, 0.2),
        "OneCycleLR": (0.1, 10),
        "SequentialLR": ([schedules.ConstantLR(optimizer_of())], []),
    }.get(name, ())
    with pytest.raises(UsageError, match=rf"{name}: .*optimizer"):
        getattr(schedules, name)("adam", *arguments)


def test_a_schedule_of_ones_own():
    class Inverse(schedules.LRScheduler):
        def get_lr(self):
            return [lr / (1 + self.last_epoch) for lr in self.base_lrs]

    optimizer = optimizer_of(1.0)
    scheduler = Inverse(optimizer)
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.5]
    scheduler.step(3)
    assert scheduler.get_last_lr() == [0.25]
    with pytest.raises(NotImplementedError, match=r"LRScheduler must implement get_lr\(\)"):
        schedules.LRScheduler(optimizer)


def test_a_rate_that_is_no_number():
    scheduler = schedules.LambdaLR(optimizer_of(), lambda epoch: math.nan if epoch else 1.0)
    scheduler.optimizer.step()
    with pytest.raises(UsageError, match="LambdaLR: the learning rate of epoch 1 is nan"):
        scheduler.step()


def test_saving_shares_nothing():
    scheduler = schedules.MultiStepLR(optimizer_of(), [3, 5])
    saved = scheduler.state_dict()
    saved["milestones"].append(7)
    saved["base_lrs"][0] = 9.0
    assert scheduler.state_dict()["milestones"] == [3, 5]
    assert scheduler.base_lrs == [0.1]


@pytest.mark.parametrize(
    "other",
    [
        lambda: schedules.ExponentialLR(optimizer_of(), 0.5),
        lambda: schedules.LinearLR(optimizer_of()),
        lambda: schedules.ChainedScheduler([schedules.ExponentialLR(optimizer_of(), 0.5)]),
    ],
)
def test_the_state_of_another_schedule_changes_nothing(other):
    scheduler = schedules.StepLR(optimizer_of(), 3)
    before = scheduler.state_dict()
    with pytest.raises(CheckpointError, match=r"StepLR: the state_dict has .*, expected .*step_size"):
        scheduler.load_state_dict(other().state_dict())
    with pytest.raises(CheckpointError, match="the state_dict has NoneType"):
        scheduler.load_state_dict(None)
    assert scheduler.state_dict() == before


def test_the_state_of_other_groups():
    scheduler = schedules.StepLR(optimizer_of(), 3)
    saved = schedules.StepLR(optimizer_of(0.1, 0.2), 3).state_dict()
    with pytest.raises(CheckpointError, match="the state_dict is of 2 parameter groups"):
        scheduler.load_state_dict(saved)


BAD = [
    ("LambdaLR", {"lr_lambda": 3}, "lr_lambda must be a function"),
    ("LambdaLR", {"lr_lambda": [abs, abs]}, "lr_lambda has 2 values, the optimizer has 1 parameter groups"),
    ("StepLR", {"step_size": 0}, "step_size must be a whole number >= 1; got 0"),
    ("StepLR", {"step_size": 2.5}, "step_size must be a whole number >= 1; got 2.5"),
    ("StepLR", {"step_size": 2, "gamma": -1}, "gamma must be a finite number with 0 <= gamma"),
    ("MultiStepLR", {"milestones": [2], "gamma": math.nan}, "gamma must be a finite number"),
    ("ConstantLR", {"factor": 1.5}, "factor must be a finite number with 0 <= factor <= 1"),
    ("LinearLR", {"start_factor": 0}, "0 < start_factor <= 1; got start_factor=0"),
    ("LinearLR", {"end_factor": -0.1}, "0 <= end_factor <= 1"),
    ("LinearLR", {"total_iters": 0}, "0 < total_iters"),
    ("ExponentialLR", {"gamma": "x"}, "gamma must be a finite number"),
    ("PolynomialLR", {"total_iters": -1}, "0 < total_iters"),
    ("CosineAnnealingLR", {"T_max": 0}, "0 < T_max"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0 must be a whole number >= 1"),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 1.5}, "T_mult must be a whole number >= 1"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "mode": "square", "cycle_momentum": False}, "mode must be"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "scale_mode": "x", "cycle_momentum": False}, "scale_mode must be"),
    ("CyclicLR", {"base_lr": -0.1, "max_lr": 1}, "0 <= base_lr"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "base_momentum": 1.5}, "0 <= base_momentum < 1"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "step_size_up": 0}, "0 < step_size_up"),
    ("OneCycleLR", {"max_lr": 0.1}, "give total_steps, or both epochs and steps_per_epoch"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 0}, "total_steps must be a whole number >= 1"),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 0, "steps_per_epoch": 2}, "epochs must be a whole number >= 1"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9, "pct_start": 2}, "0 <= pct_start <= 1"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9, "anneal_strategy": "x"}, "must be 'cos' or 'linear'"),
    ("OneCycleLR", {"max_lr": [0.1, 0.2], "total_steps": 9}, "max_lr has 2 values"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9, "div_factor": 0}, "0 < div_factor"),
    ("ReduceLROnPlateau", {"mode": "best"}, "mode must be 'min' or 'max'"),
    ("ReduceLROnPlateau", {"threshold_mode": "x"}, "threshold_mode must be 'rel' or 'abs'"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "0 <= factor < 1"),
    ("ReduceLROnPlateau", {"min_lr": [0, 0]}, "min_lr has 2 values"),
]


@pytest.mark.parametrize("name, options, message", BAD)
def test_arguments_out_of_range(name, options, message):
    with pytest.raises(UsageError) as raised:
        getattr(schedules, name)(optimizer_of(), **options)
    assert str(raised.value).startswith(f"{name}: ")
    assert message in str(raised.value)


def test_momentum_cannot_be_cycled_without_one():
    optimizer = byhand.optim.Adagrad([byhand.ones(2, requires_grad=True)])
    for name, options in (("CyclicLR", {"base_lr": 0.1, "max_lr": 1}), ("OneCycleLR", {"max_lr": 1, "total_steps": 5})):
        with pytest.raises(UsageError, match="Adagrad has neither momentum nor betas; pass cycle_momentum=False"):
            getattr(schedules, name)(optimizer, **options)
