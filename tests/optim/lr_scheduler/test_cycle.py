"""The ends of the cycles, and what PyTorch trips over."""

from __future__ import annotations

import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.optim import SGD, Adam
from byhand.optim.lr_scheduler import CyclicLR, OneCycleLR


def optimizer_of(cls=SGD, **options):
    return cls([byhand.ones(2, requires_grad=True)], lr=0.1, **options)


def advance(scheduler, steps):
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()


def test_one_cycle_ends_where_it_should():
    optimizer = optimizer_of(Adam)
    scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10, pct_start=0.3)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["betas"]) == (pytest.approx(0.04), (0.95, 0.999))
    advance(scheduler, 2)
    assert (group["lr"], group["betas"]) == (1.0, (0.85, 0.999))
    advance(scheduler, 7)
    assert group["lr"] == pytest.approx(4e-6)
    assert group["betas"][0] == pytest.approx(0.95)


def test_one_cycle_is_over_after_its_steps():
    scheduler = OneCycleLR(optimizer_of(momentum=0.9), max_lr=1.0, epochs=2, steps_per_epoch=3)
    advance(scheduler, 6)
    with pytest.raises(UsageError, match=r"step 7 of a schedule of total_steps=6; give it the number of all"):
        advance(scheduler, 1)


def test_one_cycle_with_a_first_phase_of_no_length():
    scheduler = OneCycleLR(optimizer_of(momentum=0.9), max_lr=1.0, total_steps=10, pct_start=0.1)
    assert scheduler.get_last_lr() == [1.0]


def test_cyclic_turns_at_its_ends():
    scheduler = CyclicLR(optimizer_of(momentum=0.5), base_lr=0.25, max_lr=0.75, step_size_up=2, step_size_down=4)
    group = scheduler.optimizer.param_groups[0]
    seen = []
    for _ in range(7):
        seen.append((round(group["lr"], 12), round(group["momentum"], 12)))
        advance(scheduler, 1)
    rates = [0.25, 0.5, 0.75, 0.625, 0.5, 0.375, 0.25]
    assert seen == [(lr, pytest.approx(0.9 - 0.1 * (lr - 0.25) / 0.5)) for lr in rates]


class Halving:
    base = 2.0

    def __call__(self, cycle):
        return 1 / self.base ** (cycle - 1)


def test_the_attributes_of_a_callable_scale_are_saved():
    scale = Halving()
    scale.base = 4.0
    scheduler = CyclicLR(optimizer_of(momentum=0.9), 0.1, 1.0, step_size_up=2, scale_fn=scale)
    other = CyclicLR(optimizer_of(momentum=0.9), 0.1, 1.0, step_size_up=2, scale_fn=Halving())
    other.load_state_dict(scheduler.state_dict())
    advance(scheduler, 6)
    advance(other, 6)
    assert other.get_last_lr() == scheduler.get_last_lr() == pytest.approx([0.1 + 0.9 / 4])
