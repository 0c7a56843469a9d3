from __future__ import annotations

import re

import pytest

from byhand import nn, optim
from byhand.core.errors import UsageError
from byhand.data import datasets
from byhand.train.recipe import ELSEWHERE, OPTIMIZERS, RECIPES, SCHEDULES, Recipe, recipe_for


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_by_name(name: str) -> None:
    optimizer = Recipe(optimizer=name).make_optimizer(nn.Linear(2, 2))
    kind, usual = OPTIMIZERS[name]
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["lr"] == usual
    if name == "rprop":
        with pytest.raises(UsageError, match="rprop has no weight decay"):
            Recipe(optimizer=name, weight_decay=0.01).make_optimizer(nn.Linear(2, 2))
    else:
        decaying = Recipe(optimizer=name, weight_decay=0.01).make_optimizer(nn.Linear(2, 2))
        assert decaying.param_groups[0]["weight_decay"] == 0.01


def test_every_optimiser_can_be_chosen_or_is_refused_with_a_reason() -> None:
    every = {kind for kind in vars(optim).values() if isinstance(kind, type) and issubclass(kind, optim.Optimizer)}
    offered = {kind.__name__.lower() for kind, _ in OPTIMIZERS.values()} | {name.replace("_", "") for name in ELSEWHERE}
    assert {kind.__name__.lower() for kind in every - {optim.Optimizer}} == offered
    for name, reason in ELSEWHERE.items():
        with pytest.raises(UsageError, match=re.escape(f"{name} cannot be chosen here: {reason}")):
            Recipe(optimizer=name)


def test_momentum() -> None:
    assert Recipe(optimizer="sgd", momentum=0.9).make_optimizer(nn.Linear(2, 2)).param_groups[0]["momentum"] == 0.9
    assert Recipe(momentum=0.5).make_optimizer(nn.Linear(2, 2)).param_groups[0]["betas"] == (0.5, 0.999)
    with pytest.raises(UsageError, match="momentum is an option of sgd"):
        Recipe(optimizer="adagrad", momentum=0.9).make_optimizer(nn.Linear(2, 2))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_by_name(name: str) -> None:
    optimizer = optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
    scheduling = Recipe(schedule=name, epochs=6).make_scheduling(optimizer, batches=5)
    if name == "constant":
        assert scheduling is None
        return
    assert scheduling is not None
    optimizer.step()
    for _ in range(30 if scheduling.per == "batch" else 6):
        scheduling.scheduler.step(*([1.0] if scheduling.plateau else []))
    assert optimizer.param_groups[0]["lr"] < 0.09


def test_losses() -> None:
    assert type(Recipe().make_loss(True)) is nn.CrossEntropyLoss
    assert type(Recipe().make_loss(False)) is nn.MSELoss
    assert type(Recipe(loss="hinge").make_loss(True)) is nn.MultiMarginLoss
    for loss, classification in (("mse", True), ("hinge", False), ("cross_entropy", False)):
        with pytest.raises(UsageError, match="does not fit"):
            Recipe(loss=loss).make_loss(classification)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"optimizer": "adma"}, "no optimizer 'adma'; choose from sgd"),
        ({"schedule": "x"}, "no schedule"),
        ({"loss": "x"}, "no loss"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"valid_fraction": -0.1}, "valid_fraction must be"),
        ({"batch_size": 0}, "must be positive"),
        ({"epochs": -1}, "must be positive"),
        ({"valid_fraction": 0.5, "test_fraction": 0.5}, "leave nothing"),
    ],
)
def test_values_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Recipe(**options)  # type: ignore[arg-type]


def test_recipes_are_for_datasets_that_exist() -> None:
    assert set(RECIPES) <= set(datasets.names())
    assert recipe_for("nothing") == Recipe()
    assert Recipe(lr=3.0, weight_decay=1.0).without_optimizer() == Recipe()
    assert Recipe().replace(lr=None, epochs=3) == Recipe(epochs=3)
