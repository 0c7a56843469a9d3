"""Restarts at fractions of an epoch and exactly at the end of a period."""

from __future__ import annotations

import math

import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.optim import SGD
from byhand.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts


def optimizer_of(lr=1.0):
    return SGD([byhand.ones(2, requires_grad=True)], lr=lr)


def test_halfway_is_half():
    optimizer = optimizer_of()
    scheduler = CosineAnnealingLR(optimizer, T_max=4)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.5])


@pytest.mark.parametrize("T_mult", [1, 2, 3, 10])
def test_the_top_is_reached_at_every_restart(T_mult):
    optimizer = optimizer_of()
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=3, T_mult=T_mult)
    restart, length = 0, 3
    for _ in range(6):
        scheduler.step(restart)
        assert scheduler.get_last_lr() == [1.0]
        assert scheduler.T_i == length
        restart += length
        length *= T_mult


def test_steps_and_given_epochs_agree():
    stepped, jumped = optimizer_of(), optimizer_of()
    one, other = (CosineAnnealingWarmRestarts(o, T_0=2, T_mult=3, eta_min=0.1) for o in (stepped, jumped))
    for epoch in range(1, 60):
        one.step()
        other.step(epoch)
        assert one.get_last_lr() == pytest.approx(other.get_last_lr(), rel=1e-12)


def test_a_fraction_of_an_epoch():
    optimizer = optimizer_of()
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=4)
    scheduler.step(4.5)
    assert scheduler.last_epoch == 4
    assert scheduler.get_last_lr() == pytest.approx([(1 + math.cos(math.pi / 8)) / 2])


@pytest.mark.parametrize("epoch", [-1, math.nan])
def test_no_negative_epoch(epoch):
    with pytest.raises(UsageError, match="epoch must be a number >= 0"):
        CosineAnnealingWarmRestarts(optimizer_of(), T_0=4).step(epoch)
