"""`functional_call` and `stack_module_state`."""

from __future__ import annotations

import pytest

import byhand
from byhand import nn
from byhand.core.errors import UsageError
from byhand.func import functional_call, stack_module_state


def test_the_module_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    before = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    given = {"0.weight": byhand.zeros(1, 2), "0.bias": byhand.ones(1), "1.running_mean": byhand.zeros(1)}
    out = functional_call(model, given, (byhand.rand(4, 2),))
    assert out.tolist() == [[0.0]] * 4
    assert given["1.running_mean"].item() == pytest.approx(0.1)
    after = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    assert {k: v for k, v in after.items() if "batches" not in k} == {
        k: v for k, v in before.items() if "batches" not in k
    } | {"1.running_var": after["1.running_var"]}
    assert isinstance(model[0].weight, nn.Parameter)


def test_it_comes_back_after_an_error() -> None:
    model = nn.Linear(2, 1)
    weight = model.weight
    with pytest.raises(byhand.ByhandError):
        functional_call(model, {"weight": byhand.zeros(1, 3)}, (byhand.rand(4, 2),))
    assert model.weight is weight


def test_tied_weights() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].weight = model[0].weight
    given = {"0.weight": byhand.tensor([[2.0]])}
    assert functional_call(model, given, (byhand.ones(1),)).item() == 4.0
    alone = functional_call(model, given, (byhand.ones(1),), tie_weights=False)
    assert alone.item() == pytest.approx(2 * model[0].weight.item())


def test_wrong_names() -> None:
    model = nn.Linear(2, 1)
    with pytest.raises(UsageError, match=r"the module has no \['wieght'\]; it has \['bias', 'weight'\]"):
        functional_call(model, {"wieght": byhand.zeros(1, 2)}, (byhand.ones(2),))
    with pytest.raises(UsageError, match=r"\['bias'\] are not given, and strict is"):
        functional_call(model, {"weight": byhand.zeros(1, 2)}, (byhand.ones(2),), strict=True)
    with pytest.raises(UsageError, match="given more than once"):
        functional_call(model, ({"weight": byhand.zeros(1, 2)}, {"weight": byhand.zeros(1, 2)}), (byhand.ones(2),))


def test_models_are_stacked() -> None:
    models = [nn.BatchNorm1d(3) for _ in range(2)]
    models[0].weight.requires_grad_(False)
    parameters, buffers = stack_module_state(models)
    assert parameters["bias"].shape == (2, 3)
    assert parameters["bias"].requires_grad
    assert not parameters["weight"].requires_grad
    assert buffers["running_var"].shape == (2, 3)
    with pytest.raises(UsageError, match="of one class"):
        stack_module_state([nn.Linear(1, 1), nn.ReLU()])
    with pytest.raises(UsageError, match="no model"):
        stack_module_state([])
