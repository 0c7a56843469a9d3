from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import CheckpointError
from byhand.nn.container import ModuleList, Sequential
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor
from nn.specimens import KEYS, Affine, Net, same, values


def test_state_dict_has_pytorchs_keys_and_shares_memory():
    net = Net()
    state = net.state_dict()
    assert list(state) == KEYS
    state["fc1.bias"].fill_(7.0)
    assert net.fc1.bias.tolist() == [7.0] * 3
    assert not state["fc1.bias"].requires_grad
    assert net.state_dict(keep_vars=True)["fc1.bias"] is net.fc1.bias
    assert set(net.state_dict(prefix="net.")) == {f"net.{key}" for key in KEYS}
    target: dict[str, Tensor] = {}
    assert net.state_dict(destination=target) is target


def test_loading_what_was_saved():
    a, b = Net(), Net()
    assert not same(values(a), values(b))
    result = b.load_state_dict(a.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert same(values(a), values(b))
    a.fc1.bias.data.fill_(9.0)
    assert not same(values(a), values(b)), "copied, not shared"


def test_loading_arrays_and_other_dtypes():
    a, b = Net().double(), Net()
    b.load_state_dict(values(a))
    assert b.fc1.weight.dtype == np.float32
    np.testing.assert_allclose(b.fc1.weight.array, a.fc1.weight.array, rtol=1e-6)


def test_a_misfit_lists_everything_and_loads_nothing():
    net = Net()
    before = values(net)
    state = {**Net().state_dict(), "body.1.bias": byhand.zeros(5), "mean": "text"}
    state["fc1.wieght"] = state.pop("fc1.weight")
    with pytest.raises(CheckpointError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    assert "does not fit Net; nothing was loaded" in message
    assert "missing 'fc1.weight'" in message
    assert "unexpected 'fc1.wieght': did you mean 'fc1.weight'?" in message
    assert "'body.1.bias' has shape (5,) in the state, (2,) in the model" in message
    assert "'mean' is a str in the state" in message
    assert same(before, values(net))


def test_strict_false_forgives_names_but_not_shapes():
    net = Net()
    result = net.load_state_dict({"fc1.bias": byhand.ones(3), "else": byhand.ones(1)}, strict=False)
    assert net.fc1.bias.tolist() == [1.0, 1.0, 1.0]
    assert result.unexpected_keys == ["else"]
    assert set(result.missing_keys) == set(KEYS) - {"fc1.bias"}
    assert "else" in repr(result)
    with pytest.raises(CheckpointError, match="shape") as caught:
        net.load_state_dict({"fc1.bias": byhand.ones(4)}, strict=False)
    assert "missing" not in str(caught.value)


@pytest.mark.parametrize("wrap", ["nested", "prefix"])
def test_a_state_under_other_names_gets_a_hint_that_works(wrap):
    net, state = Net(), Net().state_dict()
    if wrap == "nested":
        with pytest.raises(CheckpointError, match=r"load_state_dict\(state\['model'\]\)"):
            net.load_state_dict({"model": state, "epoch": 3})
    else:
        state = {f"module.{key}": value for key, value in state.items()}
        with pytest.raises(CheckpointError, match=r"begin with 'module\.'") as caught:
            net.load_state_dict(state)
        hint = str(caught.value).rsplit("'module.': ", 1)[1]
        net.load_state_dict(eval(hint, {"state": state}))


def test_long_lists_are_cut():
    net = ModuleList([Affine(1, 1) for _ in range(20)])
    with pytest.raises(CheckpointError, match="and 28 more"):
        net.load_state_dict({})


def test_load_state_dict_takes_a_mapping():
    with pytest.raises(TypeError, match="takes a dictionary"):
        Net().load_state_dict([1, 2])


def test_assign_puts_the_given_tensors_in_place():
    net, other = Net(), Net().double()
    net.fc1.weight.requires_grad_(False)
    state = other.state_dict()
    net.load_state_dict(state, assign=True)
    assert net.fc1.weight.dtype == np.float64
    assert isinstance(net.fc1.weight, Parameter)
    assert not net.fc1.weight.requires_grad
    assert net.fc1.bias.requires_grad
    assert np.shares_memory(net.fc1.bias.array, state["fc1.bias"].array)


def test_a_shared_parameter_is_saved_under_both_names():
    net = Net()
    net.tied = net.fc1.weight
    state = net.state_dict()
    assert {"tied", "fc1.weight"} <= set(state)
    net.load_state_dict(state)
    assert net.tied is net.fc1.weight


def test_extra_state():
    class Counting(Affine):
        seen = 0

        def get_extra_state(self):
            return {"seen": self.seen}

        def set_extra_state(self, state):
            self.seen = state["seen"]

    a, b = Sequential(Counting(1, 1)), Sequential(Counting(1, 1))
    a[0].seen = 5
    assert "0._extra_state" in a.state_dict()
    b.load_state_dict(a.state_dict())
    assert b[0].seen == 5
    with pytest.raises(CheckpointError, match=r"missing '0\._extra_state'"):
        b.load_state_dict(Sequential(Affine(1, 1)).state_dict())


def test_state_dict_hooks():
    net = Net()
    seen = []
    net.register_state_dict_pre_hook(lambda module, prefix, keep: seen.append((module, prefix, keep)))
    handle = net.fc1.register_state_dict_post_hook(lambda module, state, prefix, meta: state.pop(f"{prefix}bias"))
    assert "fc1.bias" not in net.state_dict()
    assert seen == [(net, "", False)]
    handle.remove()
    assert "fc1.bias" in net.state_dict()


def test_load_hooks_rename_and_forgive():
    net, state = Net(), Net().state_dict()
    state["fc1.w"] = state.pop("fc1.weight")

    def rename(module, state, prefix, *rest):
        state[f"{prefix}weight"] = state.pop(f"{prefix}w")

    with net.fc1.register_load_state_dict_pre_hook(rename):
        net.load_state_dict(state)
    assert "fc1.w" in state, "the given dictionary is not changed"
    before = values(net)
    incomplete = {key: value + 1 for key, value in net.state_dict().items() if key != "mean"}
    with net.register_load_state_dict_post_hook(lambda module, keys: None), pytest.raises(CheckpointError):
        net.load_state_dict(incomplete)
    assert same(before, values(net)), "taken back"
    weight = net.fc1.weight
    with net.register_load_state_dict_post_hook(lambda module, keys: None), pytest.raises(CheckpointError):
        net.load_state_dict(incomplete, assign=True)
    assert net.fc1.weight is weight
    with net.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear()):
        net.load_state_dict(incomplete)
    assert net.fc1.bias.tolist() == (before["fc1.bias"] + 1).tolist()
