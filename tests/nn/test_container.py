from __future__ import annotations

import pickle

import numpy as np
import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from nn.specimens import Affine, Scale


class Add(Module):
    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, x):
        return x + self.amount

    def extra_repr(self):
        return f"{self.amount}"


def amounts(modules) -> list[float]:
    return [m.amount for m in modules]


def names(module) -> list[str]:
    return [name for name, _ in module.named_children()]


@pytest.fixture(params=[Sequential, lambda *modules: ModuleList(modules)], ids=["Sequential", "ModuleList"])
def row(request):
    return request.param(Add(0), Add(1), Add(2), Add(3))


def test_sequential_goes_in_order():
    assert Sequential(Add(1.0), Scale(), Add(2.0))(byhand.ones(1)).tolist() == [8.0]
    x = byhand.ones(1)
    assert Sequential()(x) is x


def test_sequential_with_names():
    net = Sequential({"first": Add(1.0), "then": Scale()})
    assert names(net) == ["first", "then"]
    assert net.first.amount == 1.0
    assert net(byhand.ones(1)).tolist() == [6.0]
    assert names(net[1:]) == ["then"]
    net[0] = Add(2.0)
    assert names(net) == ["first", "then"]
    assert net(byhand.ones(1)).tolist() == [9.0]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (Scale, r"Scale is a class: write Scale\(\.\.\.\)"),
        ([Scale()], r"a list is not a Module: unpack it with \*"),
        (np.tanh, "the function 'tanh' is not a Module: call it in forward"),
        (3, "int is not a Module"),
    ],
)
def test_containers_hold_modules(wrong, hint):
    with pytest.raises(TypeError, match=hint):
        Sequential(Scale(), wrong)
    with pytest.raises(TypeError, match=hint):
        ModuleList([wrong])
    with pytest.raises(TypeError, match=hint):
        ModuleDict({"a": wrong})
    with pytest.raises(TypeError, match=hint):
        Sequential(Scale())[0] = wrong


def test_indexing(row):
    assert len(row) == 4
    assert amounts(row) == [0, 1, 2, 3]
    assert row[-1].amount == 3
    assert row[np.int64(1)].amount == 1
    assert type(row[1:3]) is type(row)
    assert amounts(row[1:3]) == [1, 2]
    assert amounts(row[::-1]) == [3, 2, 1, 0]
    for index in (4, -5):
        with pytest.raises(IndexError, match="holds 4"):
            row[index]


def test_changing(row):
    row[-1] = Add(9)
    assert amounts(row) == [0, 1, 2, 9]
    del row[1]
    assert amounts(row) == [0, 2, 9]
    assert names(row) == ["0", "1", "2"]
    row.insert(1, Add(5)).append(Add(6)).extend([Add(7)])
    assert amounts(row) == [0, 5, 2, 9, 6, 7]
    assert names(row) == ["0", "1", "2", "3", "4", "5"]
    del row[1:3]
    assert amounts(row) == [0, 9, 6, 7]
    assert row.pop().amount == 7
    assert row.pop(0).amount == 0
    assert amounts(row) == [9, 6]
    assert names(row) == ["0", "1"]


def test_adding(row):
    both = row + row[:2]
    assert type(both) is type(row)
    assert amounts(both) == [0, 1, 2, 3, 0, 1]
    row += [Add(4)]
    assert amounts(row) == [0, 1, 2, 3, 4]
    with pytest.raises(TypeError):
        row + 3
    with pytest.raises(TypeError, match="extend takes several modules"):
        row.extend(3)


def test_extending_by_itself_ends(row):
    row.extend(row)
    assert amounts(row) == [0, 1, 2, 3, 0, 1, 2, 3]


def test_module_list_belongs_to_the_tree_and_has_no_forward():
    layers = ModuleList([Affine(2, 2), Affine(2, 1)])
    assert list(layers.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    with pytest.raises(NotImplementedError):
        layers(byhand.ones(1, 2))


def test_module_list_prints_equal_neighbours_once():
    layers = ModuleList([Scale(), Scale(), Add(1), Scale()])
    assert repr(layers) == "ModuleList(\n  (0-1): 2 x Scale()\n  (2): Add(1)\n  (3): Scale()\n)"
    assert repr(ModuleList()) == "ModuleList()"


def test_module_dict():
    choices = ModuleDict({"left": Add(1), "right": Add(2)})
    assert list(choices) == list(choices.keys()) == ["left", "right"]
    assert amounts(choices.values()) == [1, 2]
    assert [name for name, _ in choices.items()] == ["left", "right"]
    assert len(choices) == 2
    assert "left" in choices
    assert "up" not in choices
    choices["up"] = Add(3)
    choices.update([("left", Add(4))])
    assert amounts(choices.values()) == [4, 2, 3]
    assert choices.pop("right").amount == 2
    del choices["up"]
    with pytest.raises(KeyError, match=r"no module 'lefft' here: did you mean 'left'\?"):
        choices["lefft"]
    with pytest.raises(KeyError):
        del choices["nothing"]
    with pytest.raises(UsageError, match="attribute 'keys' already"):
        choices["keys"] = Scale()
    choices.clear()
    assert len(choices) == 0


def test_parameter_list():
    holder = Module()
    holder.scales = ParameterList([byhand.ones(2), Parameter(byhand.zeros(3), requires_grad=False), "text"])
    assert [name for name, _ in holder.named_parameters()] == ["scales.0", "scales.1"]
    assert isinstance(holder.scales[0], Parameter)
    assert not holder.scales[1].requires_grad
    assert list(holder.scales)[2] == "text"
    holder.scales[0] = byhand.ones(5)
    assert holder.scales[0].requires_grad
    assert holder.scales[-3].shape == (5,)
    assert len(holder.scales[:2]) == 2
    holder.scales += [byhand.ones(1)]
    assert holder.scales.pop(2) == "text"
    assert len(holder.scales) == 3
    assert list(holder.state_dict()) == ["scales.0", "scales.1", "scales.2"]
    assert repr(ParameterList()) == "ParameterList()"
    with pytest.raises(IndexError):
        holder.scales[3]
    with pytest.raises(TypeError, match="takes several values, got one Tensor"):
        ParameterList(byhand.ones(2))


def test_parameter_dict():
    holder = Module()
    holder.scales = scales = ParameterDict({"a": byhand.ones(2)})
    scales["b"] = byhand.ones(3)
    assert [name for name, _ in holder.named_parameters()] == ["scales.a", "scales.b"]
    assert list(scales) == list(scales.keys()) == ["a", "b"]
    assert list(reversed(scales)) == ["b", "a"]
    assert [v.shape for v in scales.values()] == [(2,), (3,)]
    assert [k for k, _ in scales.items()] == ["a", "b"]
    assert "a" in scales
    assert len(scales) == 2
    assert scales.get("c") is None
    assert scales.setdefault("c", byhand.ones(4)).shape == (4,)
    assert scales.setdefault("c").shape == (4,)
    assert scales.copy()["a"] is scales["a"]
    assert scales.pop("a").shape == (2,)
    del scales["b"]
    assert list(holder.state_dict()) == ["scales.c"]
    with pytest.raises(KeyError, match="no parameter 'a' here"):
        scales["a"]
    with pytest.raises(UsageError, match="choose another key"):
        scales["values"] = byhand.ones(1)
    with pytest.raises(TypeError, match="a string"):
        scales[3] = byhand.ones(1)
    scales.clear()
    assert repr(scales) == "ParameterDict()"


def test_containers_survive_pickle():
    net = Sequential(ModuleList([Add(1)]), ModuleDict({"a": Affine(1, 1)}), ParameterList([byhand.ones(2)]))
    back = pickle.loads(pickle.dumps(net))
    assert repr(back) == repr(net)
    assert list(back.state_dict()) == list(net.state_dict()) == ["1.a.weight", "1.a.bias", "2.0"]
