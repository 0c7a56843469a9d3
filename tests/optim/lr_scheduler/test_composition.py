"""Schedules inside of schedules, and parts that do not belong together."""

from __future__ import annotations

import json

import pytest

import byhand
from byhand.core.errors import CheckpointError, UsageError
from byhand.optim import SGD
from byhand.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def optimizer_of(lr=1.0):
    return SGD([byhand.ones(2, requires_grad=True)], lr=lr)


def path(scheduler, steps):
    rates = list(scheduler.get_last_lr())
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        rates += scheduler.get_last_lr()
    return rates


def chain(optimizer):
    return ChainedScheduler([ConstantLR(optimizer, 0.5, 2), ExponentialLR(optimizer, 0.5)])


CHAIN = [0.5, 0.25, 0.25, 0.125]


def test_chained_factors_multiply():
    assert path(chain(optimizer_of()), 3) == CHAIN


def test_a_chain_in_the_first_and_in_a_later_place():
    optimizer = optimizer_of()
    parts = [ConstantLR(optimizer, 1.0), chain(optimizer)]
    assert path(SequentialLR(optimizer, parts, [2]), 5) == [1.0, 1.0, *CHAIN]
    optimizer = optimizer_of()
    parts = [chain(optimizer), ConstantLR(optimizer, 1.0)]
    assert path(SequentialLR(optimizer, parts, [4]), 5) == [*CHAIN, 1.0, 1.0]


def test_a_sequence_inside_of_a_sequence():
    optimizer = optimizer_of()
    inner = SequentialLR(optimizer, [ConstantLR(optimizer, 0.5, 9), StepLR(optimizer, 1, 0.5)], [2])
    outer = SequentialLR(optimizer, [LinearLR(optimizer, 0.5, 1.0, 2), inner], [2])
    expected = [0.5, 0.75, 0.5, 0.5, 1.0, 0.5, 0.25]
    assert path(outer, 6) == expected
    optimizer = optimizer_of()
    inner = SequentialLR(optimizer, [ConstantLR(optimizer, 0.5, 9), chain(optimizer)], [2])
    outer = SequentialLR(optimizer, [inner, ExponentialLR(optimizer, 0.5)], [6])
    assert path(outer, 7) == [0.5, 0.5, *CHAIN, 1.0, 0.5]


def test_a_first_part_of_no_length():
    optimizer = optimizer_of()
    scheduler = SequentialLR(optimizer, [ConstantLR(optimizer, 0.1), ExponentialLR(optimizer, 0.5)], [0])
    assert path(scheduler, 2) == [1.0, 0.5, 0.25]


def test_nested_schedules_continue_from_their_state():
    def build(optimizer):
        parts = [ConstantLR(optimizer, 0.5, 9), ChainedScheduler([MultiplicativeLR(optimizer, lambda e: 0.5)])]
        return SequentialLR(optimizer, [LinearLR(optimizer), SequentialLR(optimizer, parts, [3])], [5])

    for middle in (2, 5, 6, 8, 10):
        first, second = optimizer_of(), optimizer_of()
        scheduler, other = build(first), build(second)
        path(scheduler, middle)
        other.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
        second.load_state_dict(first.state_dict())
        assert path(other, 9) == path(scheduler, 9)


def test_parts_that_do_not_belong_together():
    optimizer, other = optimizer_of(), optimizer_of()
    part = ConstantLR(optimizer)
    cases = [
        (lambda: ChainedScheduler([]), "must be a list of at least one scheduler"),
        (lambda: ChainedScheduler([part, 3]), r"schedulers\[1\] must be a scheduler; got a int"),
        (lambda: ChainedScheduler([part, ReduceLROnPlateau(optimizer)]), "is a ReduceLROnPlateau, whose step needs"),
        (lambda: ChainedScheduler([part, ConstantLR(other)]), r"schedulers\[1\], a ConstantLR, belongs to another"),
        (lambda: ChainedScheduler([part], other), r"schedulers\[0\], a ConstantLR, belongs to another"),
        (lambda: SequentialLR(other, [part], []), "belongs to another optimizer"),
        (lambda: SequentialLR(optimizer, [part, part], []), r"2 schedulers need 1 milestones in rising order"),
        (lambda: SequentialLR(optimizer, [part] * 3, [5, 2]), r"rising order, .* got \[5, 2\]"),
    ]
    for make, message in cases:
        with pytest.raises(UsageError, match=message):
            make()


def test_a_state_of_other_parts_changes_nothing():
    optimizer = optimizer_of()
    scheduler = ChainedScheduler([ConstantLR(optimizer), ExponentialLR(optimizer, 0.5)])
    before = scheduler.state_dict()
    with pytest.raises(CheckpointError, match="is of 1 schedulers, this one has 2"):
        scheduler.load_state_dict(ChainedScheduler([ConstantLR(optimizer)]).state_dict())
    saved = ChainedScheduler([ConstantLR(optimizer), StepLR(optimizer, 2)]).state_dict()
    saved["_schedulers"][0]["factor"] = 0.75
    with pytest.raises(CheckpointError, match="ExponentialLR: the state_dict has"):
        scheduler.load_state_dict(saved)
    assert scheduler.state_dict() == before


def test_all_are_schedulers():
    assert isinstance(chain(optimizer_of()), LRScheduler)
