"""What may be passed as `params`."""

from __future__ import annotations

import re

import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.optim import SGD


class Layer(Module):
    def __init__(self):
        super().__init__()
        self.weight = Parameter(byhand.ones(1, 2))
        self.bias = Parameter(byhand.zeros(1))


def parameter(*shape):
    return byhand.ones(*shape, requires_grad=True)


def refused(params, message, **options):
    with pytest.raises(UsageError, match=re.escape(message)):
        SGD(params, **{"lr": 0.1, **options})


def test_forms_that_are_taken():
    a, b = parameter(2), parameter(3)
    assert SGD([a, b]).param_groups[0]["params"] == [a, b]
    assert SGD(p for p in (a, b)).param_groups[0]["params"] == [a, b]
    optimizer = SGD([{"params": a}, {"params": (p for p in [b]), "lr": 0.5}], lr=0.1)
    assert [g["params"] for g in optimizer.param_groups] == [[a], [b]]
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.5]


def test_names_are_kept():
    model = Layer()
    group = SGD(model.named_parameters()).param_groups[0]
    assert group["param_names"] == ["weight", "bias"]
    assert group["params"][1] is model.bias


def test_a_groups_dictionary_is_not_changed():
    group = {"params": [parameter(2)], "lr": 0.5}
    SGD([group], momentum=0.9)
    assert group.keys() == {"params", "lr"}


def test_not_an_iterable_of_parameters():
    model = Layer()
    refused(parameter(2), "got a Tensor: write [tensor]")
    refused(model, "got a Layer: write model.parameters()")
    refused(model.parameters, "got a method: call it: model.parameters()")
    refused({"params": [parameter(2)]}, "got a dict: write [group]")
    refused({"weight": parameter(2)}, "got a dict: write model.parameters(), or list(parameters.values())")
    refused({parameter(2)}, "got a set: a set has no fixed order")
    refused(3, "got a int")
    refused("weight", "got a str")
    refused(None, "got a NoneType")


def test_nothing_to_optimise():
    generator = iter([parameter(2)])
    list(generator)
    refused([], "params is empty")
    refused(generator, "a generator can be read only once")
    refused([{"params": generator}], "a generator can be read only once")
    assert SGD([{"params": []}, {"params": [parameter(2)]}]).param_groups[0]["params"] == []


def test_elements_that_are_no_parameters():
    refused([parameter(2), 3.0], "params[1] must be a Tensor; got 3.0 of type float")
    refused([parameter(2) * 2], "params[0] of shape (2,) is not a leaf")
    refused([parameter(2), byhand.ones(3)], "params[1] of shape (3,) does not require a gradient")
    refused([("w", byhand.ones(3))], "params[0] ('w') of shape (3,) does not require a gradient")
    refused([{"params": [parameter(2)]}, parameter(2)], "mixes dictionaries and parameters (params[1] is a Tensor)")
    refused([{"lr": 0.1}], 'a parameter group is a dictionary {"params": [...]}')
    refused([("w", parameter(2)), parameter(2)], "params[1] has no name")


def test_a_parameter_twice():
    a = parameter(2)
    refused([a, parameter(2), a], "params[2] is the same tensor as params[0]")
    refused([{"params": [a]}, {"params": [a]}], "params[0] is already in another parameter group")


def test_groups_with_and_without_names():
    refused([{"params": [("a", parameter(2))]}, {"params": [parameter(2)]}], "either all parameter groups have names")


def test_frozen_parameters_are_taken_unless_all_are():
    model = Layer()
    model.bias.requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=1.0)
    model.weight.grad = byhand.ones(1, 2)
    before = model.bias.tolist()
    optimizer.step()
    assert model.bias.tolist() == before
    model.weight.requires_grad_(False)
    refused(model.parameters(), "none of the 2 params requires a gradient")
