"""Gradients that add up, are clipped, differentiated again, or flow through two networks: eager = compiled."""

from __future__ import annotations

from typing import Any

import pytest

import byhand
from byhand import nn, optim
from byhand.nn import functional as F
from program.captured import agree

pytestmark = pytest.mark.usefixtures("interpreted")


def batch(i: int, n: int = 5) -> tuple[Any, ...]:
    return byhand.randn(n, 4), byhand.randint(0, 3, (n,))


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def test_gradients_zeroed_in_place() -> None:
    def make() -> Any:
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad(set_to_none=False)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, (model, optimizer)

    agree(make, batch, captures=2)  # the first step finds no gradients to add to


def test_gradients_add_up_over_micro_steps() -> None:
    def make() -> Any:
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def micro(x: Any, y: Any, first: bool, last: bool) -> Any:
            if first:
                optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y) / 3
            loss.backward()
            if last:
                optimizer.step()
            return loss

        return micro, (model, optimizer)

    agree(make, lambda i: (*batch(i), i % 3 == 0, i % 3 == 2), times=9, captures=3)
    agree(make, lambda i: (*batch(i), False, False), times=4, captures=2)  # without gradients, and with them


def test_gradients_add_up_within_one_step() -> None:
    def make() -> Any:
        model = network()
        optimizer = optim.Adam(model.parameters())

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            total = 0.0
            for part, labels in zip(x.split(2), y.split(2), strict=True):
                loss = F.cross_entropy(model(part), labels)
                loss.backward()
                total = total + loss.detach()
            optimizer.step()
            return total

        return step, (model, optimizer)

    agree(make, lambda i: batch(i, 6))


def test_two_networks_and_two_optimisers() -> None:
    def make() -> Any:
        maker = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4))
        judge = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        first, second = optim.Adam(maker.parameters(), lr=1e-2), optim.Adam(judge.parameters(), lr=1e-2)

        def step(real: Any) -> Any:
            noise = byhand.randn(real.shape[0], 3)
            fake = maker(noise)
            second.zero_grad()
            right, wrong = judge(real), judge(fake.detach())
            one, zero = byhand.ones_like(right), byhand.zeros_like(wrong)
            judged = F.binary_cross_entropy_with_logits(right, one)
            judged = judged + F.binary_cross_entropy_with_logits(wrong, zero)
            judged.backward()
            second.step()
            first.zero_grad()
            made = F.binary_cross_entropy_with_logits(judge(fake), one)
            made.backward()
            first.step()
            return {"judge": judged, "maker": made}

        return step, (maker, judge, first, second)

    agree(make, lambda i: (byhand.randn(5, 4),))


def test_a_judge_that_is_frozen_meanwhile() -> None:
    def make() -> Any:
        maker, judge = nn.Linear(3, 4), nn.Linear(4, 1)
        first, second = optim.Adam(maker.parameters()), optim.Adam(judge.parameters())

        def step(real: Any) -> Any:
            for p in judge.parameters():
                p.requires_grad_(True)
            second.zero_grad()
            judged = judge(maker(byhand.randn(5, 3)).detach()).mean() - judge(real).mean()
            judged.backward()
            second.step()
            for p in judge.parameters():
                p.requires_grad_(False)
            first.zero_grad()
            made = -judge(maker(byhand.randn(5, 3))).mean()
            made.backward()
            first.step()
            return judged, made

        return step, (maker, judge, first, second)

    agree(make, lambda i: (byhand.randn(5, 4),), captures=2)  # the first call finds the judge not yet frozen


def test_gradient_penalty() -> None:
    def make() -> Any:
        judge = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
        optimizer = optim.Adam(judge.parameters())

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            between = x.detach().requires_grad_()
            (slope,) = byhand.autograd.grad(judge(between).sum(), between, create_graph=True)
            loss = judge(x).mean() + 10 * ((slope.norm(dim=1) - 1) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        return step, (judge, optimizer)

    agree(make, lambda i: (byhand.randn(5, 4),))


def test_gradients_with_a_graph_of_their_own() -> None:
    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)

        def step(x: Any) -> Any:
            w.grad = None
            ((w * x) ** 3).sum().backward(create_graph=True)
            first = w.grad
            w.grad = None
            (first * first).sum().backward()
            return first.detach()

        return step, w

    agree(make, lambda i: (byhand.randn(3),))


def test_clipping() -> None:
    def make() -> Any:
        model = network()
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            nn.utils.clip_grad_value_(model.parameters(), 0.05)
            optimizer.step()
            return loss, norm

        return step, (model, optimizer)

    agree(make, batch)
