"""Every schedule against PyTorch's, step by step."""

from __future__ import annotations

import json
import math
import warnings

import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402

STEPS = 200
RATES = (0.1, 0.7)

CASES = [
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 1 / (1 + epoch), lambda epoch: 1.0]}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.9 if epoch % 3 else 1.01}),
    ("StepLR", {"step_size": 30}),
    ("StepLR", {"step_size": 1, "gamma": 0.97}),
    ("StepLR", {"step_size": 7, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [30, 80]}),
    ("MultiStepLR", {"milestones": [80, 5, 80, 1], "gamma": 0.5}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 60}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.01, "end_factor": 0.5, "total_iters": 120}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 50}),
    ("ExponentialLR", {"gamma": 0.95}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 150, "power": 2.0}),
    ("PolynomialLR", {"total_iters": 220, "power": 0.5}),
    ("CosineAnnealingLR", {"T_max": 200}),
    ("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 1}),
    ("CosineAnnealingWarmRestarts", {"T_0": 10}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.001}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 20}),
    ("CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": [0.2, 0.4], "step_size_up": 9, "step_size_down": 4}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 15, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 15, "mode": "exp_range", "gamma": 0.99}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 15, "scale_fn": lambda c: 1 / c}),
    (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 8, "scale_fn": lambda i: 0.99**i, "scale_mode": "iterations"},
    ),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 20, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 201}),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 10, "steps_per_epoch": 30, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 210, "three_phase": True, "pct_start": 0.25}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 250, "div_factor": 10.0, "final_div_factor": 50.0}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 230, "base_momentum": 0.7, "max_momentum": [0.8, 0.9]}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 230, "cycle_momentum": False}),
]
IDS = [f"{i}-{name}" for i, (name, _) in enumerate(CASES)]


def optimizer_of(library, kind="SGD"):
    groups = [{"params": [library.ones(2, requires_grad=True)], "lr": lr} for lr in RATES]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(library.optim, kind)(groups, lr=1.0, **options)


def settings(optimizer):
    return [[g["lr"], g.get("momentum", 0), *g.get("betas", ())] for g in optimizer.param_groups]


def build(library, optimizer, name, options):
    return getattr(library.optim.lr_scheduler, name)(optimizer, **options)


def compare(ours, theirs, our_optimizer, their_optimizer, steps=STEPS):
    for epoch in range(steps):
        for mine, reference in zip(settings(our_optimizer), settings(their_optimizer), strict=True):
            assert mine == pytest.approx(reference, rel=1e-12, abs=1e-15), epoch
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12, abs=1e-15), epoch
        for optimizer, scheduler in ((our_optimizer, ours), (their_optimizer, theirs)):
            optimizer.step()
            scheduler.step()


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_schedule_equals_pytorch(name, options, kind):
    ours, theirs = optimizer_of(byhand, kind), optimizer_of(torch, kind)
    compare(build(byhand, ours, name, options), build(torch, theirs, name, options), ours, theirs)


@pytest.mark.parametrize("name, options", CASES, ids=IDS)
def test_a_schedule_continues_from_its_state_dict(name, options):
    theirs = optimizer_of(torch)
    reference = build(torch, theirs, name, options)
    first = optimizer_of(byhand)
    scheduler = build(byhand, first, name, options)
    for _ in range(77):
        for optimizer, schedule in ((first, scheduler), (theirs, reference)):
            optimizer.step()
            schedule.step()
    saved = json.loads(json.dumps([scheduler.state_dict(), first.state_dict()["param_groups"]], allow_nan=False))
    second = optimizer_of(byhand)
    restored = build(byhand, second, name, options)
    restored.load_state_dict(saved[0])
    second.load_state_dict({"state": {}, "param_groups": saved[1]})
    assert restored.state_dict() == scheduler.state_dict()
    compare(restored, reference, second, theirs, STEPS - 77)


@pytest.mark.parametrize("name, options", [c for c in CASES if c[0] not in ("OneCycleLR", "CyclicLR")])
def test_last_epoch_continues_a_schedule(name, options):
    schedules = []
    for library in (byhand, torch):
        optimizer = optimizer_of(library)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        schedules.append((build(library, optimizer, name, {**options, "last_epoch": 4}), optimizer))
    (ours, our_optimizer), (theirs, their_optimizer) = schedules
    compare(ours, theirs, our_optimizer, their_optimizer, 40)


@pytest.mark.parametrize("epoch", [0, 1, 4, 5, 29, 30, 31, 199])
@pytest.mark.parametrize("name, options", [c for c in CASES if c[0] != "MultiplicativeLR"])
def test_step_to_a_given_epoch(name, options, epoch):
    ours, theirs = optimizer_of(byhand), optimizer_of(torch)
    for library, optimizer in ((byhand, ours), (torch, theirs)):
        scheduler = build(library, optimizer, name, options)
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch discourages an explicit epoch
            scheduler.step(epoch)
    for mine, reference in zip(settings(ours), settings(theirs), strict=True):
        assert mine == pytest.approx(reference, rel=1e-12, abs=1e-15)


def warm_up_and_decay(library, optimizer):
    s = library.optim.lr_scheduler
    warm_up = s.LinearLR(optimizer, start_factor=0.1, total_iters=10)
    decay = s.CosineAnnealingLR(optimizer, T_max=100)
    tail = s.ExponentialLR(optimizer, gamma=0.9)
    return s.SequentialLR(optimizer, [warm_up, decay, tail], milestones=[10, 110])


def restarts_after_constant(library, optimizer):
    s = library.optim.lr_scheduler
    parts = [s.ConstantLR(optimizer, factor=0.5, total_iters=8), s.CosineAnnealingWarmRestarts(optimizer, T_0=7)]
    return s.SequentialLR(optimizer, parts, milestones=[20])


def steps_then_multiplied(library, optimizer):
    s = library.optim.lr_scheduler
    parts = [s.StepLR(optimizer, 4), s.MultiStepLR(optimizer, [3, 9]), s.PolynomialLR(optimizer, 50)]
    return s.SequentialLR(optimizer, parts, milestones=[13, 60])


def constant_and_exponential(library, optimizer):
    s = library.optim.lr_scheduler
    return s.ChainedScheduler([s.ConstantLR(optimizer, 0.1, 20), s.ExponentialLR(optimizer, 0.97)])


def three_chained(library, optimizer):
    s = library.optim.lr_scheduler
    parts = [
        s.LinearLR(optimizer, total_iters=30),
        s.MultiplicativeLR(optimizer, lambda epoch: 0.99),
        s.CosineAnnealingLR(optimizer, T_max=40, eta_min=0.001),
    ]
    return s.ChainedScheduler(parts, optimizer)


COMPOSED = [warm_up_and_decay, restarts_after_constant, steps_then_multiplied, constant_and_exponential, three_chained]


@pytest.mark.parametrize("make", COMPOSED)
def test_composed_schedule_equals_pytorch(make):
    ours, theirs = optimizer_of(byhand), optimizer_of(torch)
    compare(make(byhand, ours), make(torch, theirs), ours, theirs)


@pytest.mark.parametrize("middle", [5, 10, 50, 115])
@pytest.mark.parametrize("make", COMPOSED)
def test_a_composed_schedule_continues_from_its_state_dict(make, middle):
    theirs, first, second = optimizer_of(torch), optimizer_of(byhand), optimizer_of(byhand)
    reference, scheduler, restored = make(torch, theirs), make(byhand, first), make(byhand, second)
    for _ in range(middle):
        for optimizer, schedule in ((first, scheduler), (theirs, reference)):
            optimizer.step()
            schedule.step()
    restored.load_state_dict(json.loads(json.dumps(scheduler.state_dict(), allow_nan=False)))
    second.load_state_dict(first.state_dict())
    compare(restored, reference, second, theirs, STEPS - middle)


PLATEAUS = [
    {"patience": 3},
    {"patience": 0, "factor": 0.9, "threshold": 0.05},
    {"patience": 2, "cooldown": 5, "min_lr": [0.01, 0.001]},
    {"mode": "max", "patience": 4, "factor": 0.5},
    {"mode": "max", "patience": 1, "threshold_mode": "abs", "threshold": 0.01, "min_lr": 0.002},
    {"patience": 2, "threshold_mode": "abs", "threshold": 0.02, "eps": 0.01},
]


def measure(epoch):
    if epoch % 41 == 17:
        return math.nan
    return 1 / (1 + 0.1 * epoch) + 0.05 * math.sin(epoch * epoch)


@pytest.mark.parametrize("middle", [0, 60])
@pytest.mark.parametrize("options", PLATEAUS)
def test_plateau_equals_pytorch(options, middle):
    theirs, optimizer = optimizer_of(torch), optimizer_of(byhand)
    reference = build(torch, theirs, "ReduceLROnPlateau", options)
    scheduler = build(byhand, optimizer, "ReduceLROnPlateau", options)
    for epoch in range(STEPS):
        if epoch == middle:
            saved = json.loads(json.dumps(scheduler.state_dict(), allow_nan=False))
            state = optimizer.state_dict()
            optimizer = optimizer_of(byhand)
            scheduler = build(byhand, optimizer, "ReduceLROnPlateau", options)
            scheduler.load_state_dict(saved)
            optimizer.load_state_dict(state)
        assert settings(optimizer) == settings(theirs), epoch
        assert scheduler.get_last_lr() == reference.get_last_lr()
        scheduler.step(measure(epoch))
        reference.step(measure(epoch))
    assert settings(theirs)[0][0] < RATES[0]
