"""state_dict and load_state_dict."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

import byhand
from byhand import optim
from byhand.core.errors import CheckpointError

CLASSES = [
    optim.SGD, optim.Adagrad, optim.RMSprop, optim.Adadelta, optim.Adam, optim.AdamW, optim.NAdam, optim.Adamax,
    optim.RAdam, optim.ASGD, optim.Rprop, optim.Adafactor,
]  # fmt: skip


def make(cls=optim.Adam, shapes=((2, 3), (3,)), names=False, **options):
    params = [byhand.ones(*shape, dtype=byhand.float64, requires_grad=True) for shape in shapes]
    if cls is optim.SGD:
        options.setdefault("momentum", 0.9)
    pairs = [(f"layer.{i}", p) for i, p in enumerate(params)]
    return params, cls(pairs if names else params, **options)


def train(params, optimizer, steps=3):
    for step in range(steps):
        for p in params:
            p.grad = byhand.full_like(p.detach(), 0.5 + step)
        optimizer.step()


def values(params):
    return [p.tolist() for p in params]


@pytest.mark.parametrize("cls", CLASSES)
def test_training_goes_on_from_a_saved_state(cls):
    params, optimizer = make(cls)
    train(params, optimizer)
    saved = optimizer.state_dict()
    twins, twin = make(cls)
    for p, q in zip(params, twins, strict=True):
        q.data = p.detach().clone()
    twin.load_state_dict(saved)
    train(params, optimizer)
    train(twins, twin)
    assert values(twins) == values(params)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_state_dict_survives_json_and_safetensors(cls):
    params, optimizer = make(cls)
    train(params, optimizer)
    saved = optimizer.state_dict()
    tensors = {
        f"{i}.{key}": value.numpy()
        for i, entries in saved["state"].items()
        for key, value in entries.items()
        if isinstance(value, byhand.Tensor)
    }
    rest = {
        i: {key: value for key, value in entries.items() if not isinstance(value, byhand.Tensor)}
        for i, entries in saved["state"].items()
    }
    text = json.dumps({"state": rest, "param_groups": saved["param_groups"]}, allow_nan=False)
    arrays = load(save(tensors))
    read = json.loads(text)
    for name, array in arrays.items():
        i, key = name.split(".")
        read["state"][i][key] = array
    _, twin = make(cls)
    twin.load_state_dict(read)
    again = twin.state_dict()
    assert again["param_groups"] == saved["param_groups"]
    assert again["state"].keys() == saved["state"].keys()
    for i, entries in saved["state"].items():
        for key, value in entries.items():
            loaded = again["state"][i][key]
            assert type(loaded) is type(value)
            assert loaded.tolist() == value.tolist() if isinstance(value, byhand.Tensor) else loaded == value


def test_parameters_are_numbered_over_all_groups():
    a, b, c = (byhand.ones(2, requires_grad=True) for _ in range(3))
    optimizer = optim.Adam([{"params": [a]}, {"params": [b, c], "lr": 0.5}])
    c.grad = byhand.ones(2)
    optimizer.step()
    saved = optimizer.state_dict()
    assert [g["params"] for g in saved["param_groups"]] == [[0], [1, 2]]
    assert saved["state"].keys() == {2}
    assert saved["state"][2]["step"] == 1


def test_loading_copies():
    params, optimizer = make()
    train(params, optimizer)
    saved = optimizer.state_dict()
    twins, twin = make()
    twin.load_state_dict(saved)
    before = saved["state"][0]["exp_avg"].tolist()
    train(twins, twin)
    assert saved["state"][0]["exp_avg"].tolist() == before
    twin.param_groups[0]["lr"] = 7.0
    assert saved["param_groups"][0]["lr"] == optimizer.param_groups[0]["lr"] != 7.0


def test_steps_may_be_tensors_and_tensors_are_cast_to_the_parameter():
    params, optimizer = make(optim.NAdam)
    train(params, optimizer)
    saved = optimizer.state_dict()
    for entries in saved["state"].values():
        entries["step"] = byhand.tensor(3.0)
        entries["mu_product"] = byhand.tensor(0.25)
        entries["exp_avg"] = entries["exp_avg"].float()
    twins, twin = make(optim.NAdam)
    twin.load_state_dict(saved)
    state = twin.state[twins[0]]
    assert (state["step"], type(state["step"])) == (3, int)
    assert (state["mu_product"], type(state["mu_product"])) == (0.25, float)
    assert state["exp_avg"].dtype == byhand.float64


def test_options_that_a_later_version_added_take_their_defaults():
    _, optimizer = make(optim.Adam)
    saved = optimizer.state_dict()
    del saved["param_groups"][0]["amsgrad"]
    saved["param_groups"][0]["initial_lr"] = 0.5
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["amsgrad"] is False
    assert optimizer.param_groups[0]["initial_lr"] == 0.5


def other_model(saved):
    saved["state"][1]["exp_avg"] = byhand.zeros(4)


def other_optimizer(saved):
    saved["state"][0] = {"momentum_buffer": byhand.zeros(2, 3)}


def missing_entry(saved):
    del saved["state"][1]["exp_avg_sq"]


def no_tensor(saved):
    saved["state"][1]["exp_avg"] = "text"


def no_number(saved):
    saved["state"][1]["step"] = "many"


def stranger(saved):
    saved["state"][5] = saved["state"][1]


def group_missing(saved):
    saved["param_groups"].clear()


def parameter_missing(saved):
    saved["param_groups"][0]["params"].pop()


def params_missing(saved):
    del saved["param_groups"][0]["params"]


def options_of_sgd(saved):
    del saved["param_groups"][0]["betas"]


def bad_rate(saved):
    saved["param_groups"][0]["lr"] = float("nan")


@pytest.mark.parametrize(
    "spoil, message",
    [
        (other_model, r"exp_avg of parameter 1 \('layer.1'\) has shape \(4,\), the parameter has \(3,\)"),
        (other_optimizer, r"state of parameter 0 \('layer.0'\) has momentum_buffer, expected exp_avg, "),
        (missing_entry, r"parameter 1 \('layer.1'\) has exp_avg, step, expected exp_avg, exp_avg_sq"),
        (no_tensor, r"exp_avg of parameter 1 \('layer.1'\) must be a Tensor; got 'text' of type str"),
        (no_number, r"step of parameter 1 \('layer.1'\) must be a number; got 'many'"),
        (stranger, "state for parameter 5, which is in no group"),
        (group_missing, "has 0 parameter groups, this optimizer has 1"),
        (parameter_missing, r"param_groups\[0\] of the state_dict has 1 parameters, this optimizer's has 2"),
        (params_missing, r'param_groups\[0\] of the state_dict has no "params"'),
        (options_of_sgd, r"param_groups\[0\] of the state_dict lacks betas .*saved by another kind of optimizer"),
        (bad_rate, r"param_groups\[0\] of the state_dict: Adam: lr must be a finite number"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(spoil, message):
    params, optimizer = make(names=True)
    train(params, optimizer)
    before = str(optimizer.state_dict())
    _, source = make(names=True)
    source.load_state_dict(optimizer.state_dict())
    saved = source.state_dict()
    saved["param_groups"][0]["lr"] = 0.5
    spoil(saved)
    with pytest.raises(CheckpointError, match=message):
        optimizer.load_state_dict(saved)
    assert str(optimizer.state_dict()) == before


@pytest.mark.parametrize("saved", [None, [], {}, {"state": {}}])
def test_not_a_state_dict(saved):
    _, optimizer = make()
    with pytest.raises(CheckpointError, match='expected a state_dict with "state" and "param_groups"'):
        optimizer.load_state_dict(saved)


def test_state_of_an_optimizer_of_ones_own():
    class Averaging(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

        def update_group(self, group):
            for p in group["params"]:
                self.state[p]["rows"] = p.grad.mean(dim=0)
            self.state["note"] = {"any": "thing"}

    w = byhand.ones(2, 3, requires_grad=True)
    w.grad = byhand.ones(2, 3)
    optimizer = Averaging([w])
    optimizer.step()
    saved = optimizer.state_dict()
    twin = Averaging([byhand.ones(2, 3, requires_grad=True)])
    twin.load_state_dict(saved)
    state = twin.state[twin.param_groups[0]["params"][0]]
    np.testing.assert_array_equal(state["rows"].numpy(), np.ones(3))
    assert twin.state["note"] == {"any": "thing"}


def test_hooks_around_saving_and_loading():
    params, optimizer = make()
    train(params, optimizer)
    calls = []
    handles = [
        optimizer.register_state_dict_pre_hook(lambda o: calls.append("before saving")),
        optimizer.register_state_dict_post_hook(lambda o, state: {**state, "note": "mine"}),
        optimizer.register_state_dict_post_hook(lambda o, state: calls.append(f"after saving, {state['note']}")),
        optimizer.register_load_state_dict_pre_hook(lambda o, state: calls.append(f"before loading, {state['note']}")),
        optimizer.register_load_state_dict_pre_hook(lambda o, state: {**state, "note": "other"}, prepend=True),
        optimizer.register_load_state_dict_post_hook(lambda o: calls.append("after loading")),
    ]
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == ["before saving", "after saving, mine", "before loading, other", "after loading"]
    for handle in handles:
        handle.remove()
    assert "note" not in optimizer.state_dict()
    assert len(calls) == 4
