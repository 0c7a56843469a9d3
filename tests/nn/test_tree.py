from __future__ import annotations

import subprocess
import sys

import pytest

import byhand
from byhand.core.errors import UsageError
from byhand.nn.module import Module
from byhand.nn.parameter import Buffer, Parameter
from nn.specimens import KEYS, Affine, Net, Scale


def test_names_of_parameters_buffers_and_modules():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [k for k in KEYS if k != "mean"]
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == []
    assert [name for name, _ in net.fc1.named_parameters("fc1")] == ["fc1.weight", "fc1.bias"]
    assert [name for name, _ in net.named_buffers()] == ["mean", "scratch"]
    assert [name for name, _ in net.named_modules()] == ["", "fc1", "body", "body.0", "body.1"]
    assert [name for name, _ in net.named_children()] == ["fc1", "body"]
    assert list(net.children()) == [net.fc1, net.body]
    assert len(list(net.parameters())) == 5


def test_shared_parameters_and_modules_come_once_unless_asked():
    net = Net()
    net.again = net.fc1
    net.tied = net.fc1.weight
    names = [name for name, _ in net.named_parameters()]
    assert names.count("tied") == 1
    assert "fc1.weight" not in names
    everything = [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert {"tied", "fc1.weight", "again.weight", "again.bias"} <= set(everything)
    assert len(list(net.modules())) == 5
    assert len(list(net.modules(remove_duplicate=False))) == 6
    assert len(list(net.children())) == 2


def test_a_forgotten_super_init_does_not_matter():
    class Forgetful(Module):
        def __init__(self):
            self.weight = Parameter(byhand.ones(2))
            self.register_buffer("count", byhand.zeros(1))

        def forward(self, x):
            return x * self.weight

    module = Forgetful()
    assert list(module.state_dict()) == ["weight", "count"]
    assert module.training
    module.register_forward_hook(lambda m, args, out: out + 1)
    assert module(byhand.ones(2)).tolist() == [2.0, 2.0]
    assert "count" not in Forgetful.__dict__


def test_get_by_path_and_what_was_meant():
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_submodule("body.1") is net.body[1]
    assert net.get_parameter("body.0.weight") is net.body[0].weight
    assert net.get_buffer("mean") is net.mean
    with pytest.raises(AttributeError, match=r"Net has no module 'boddy': did you mean 'body'\?"):
        net.get_submodule("boddy")
    with pytest.raises(AttributeError, match=r"did you mean 'fc1.weight'\?"):
        net.get_parameter("fc1.wieght")
    with pytest.raises(AttributeError, match=r"did you mean 'mean'\?"):
        net.get_buffer("meen")
    with pytest.raises(AttributeError, match=r"no parameter 'nowhere\.at\.all'$"):
        net.get_parameter("nowhere.at.all")
    with pytest.raises(AttributeError):
        net.get_parameter("mean")


def test_set_submodule():
    net = Net()
    net.set_submodule("body.1", Scale())
    assert isinstance(net.body[1], Scale)
    net.set_submodule("extra", Scale())
    assert isinstance(net.extra, Scale)
    with pytest.raises(AttributeError):
        net.set_submodule("none", Scale(), strict=True)
    with pytest.raises(UsageError):
        net.set_submodule("", Scale())


def test_a_plain_tensor_does_not_replace_a_parameter():
    layer = Affine(2, 2)
    with pytest.raises(
        TypeError, match=r"cannot assign Tensor of shape \(2, 2\) as parameter 'weight' of Affine.*nn\.Param"
    ):
        layer.weight = byhand.zeros(2, 2)
    layer.weight = None
    assert layer.weight is None
    assert list(layer.state_dict()) == ["bias"]
    with pytest.raises(TypeError, match="as parameter 'weight'"):
        layer.weight = byhand.zeros(2, 2)
    layer.weight = Parameter(byhand.zeros(2, 2))
    assert list(layer.state_dict()) == ["weight", "bias"], "the place in the order is kept"


def test_what_may_stand_in_the_place_of_a_child():
    net = Net()
    with pytest.raises(TypeError, match="cannot assign int as child module 'fc1' of Net: expected a Module or None"):
        net.fc1 = 3
    net.fc1 = None
    assert [name for name, _ in net.named_children()] == ["body"]
    assert "(fc1): None" in repr(net)
    with pytest.raises(TypeError):
        net.fc1 = 3
    net.fc1 = Scale()
    assert [name for name, _ in net.named_children()] == ["fc1", "body"]
    del net.fc1
    net.fc1 = 3
    assert net.fc1 == 3


def test_what_may_stand_in_the_place_of_a_buffer():
    net = Net()
    net.mean = byhand.ones(4)
    assert net.state_dict()["mean"].tolist() == [1.0] * 4
    net.mean = None
    assert "mean" not in net.state_dict()
    with pytest.raises(TypeError, match="as buffer 'mean'"):
        net.mean = 3
    net.mean = Parameter(byhand.ones(4))
    assert [name for name, _ in net.named_buffers()] == ["scratch"]
    assert "mean" in dict(net.named_parameters())
    del net.scratch
    assert list(net.buffers()) == []
    assert not hasattr(net, "scratch")


def test_a_buffer_registers_itself():
    net = Net()
    net.kept = Buffer(byhand.ones(2))
    net.passing = Buffer(byhand.ones(2), persistent=False)
    assert {"kept", "passing"} < set(dict(net.named_buffers()))
    assert "kept" in net.state_dict()
    assert "passing" not in net.state_dict()
    assert not net.kept.requires_grad


def test_a_module_over_a_parameter_is_refused_a_parameter_over_a_module_is_not():
    net = Net()
    with pytest.raises(TypeError):
        net.fc1.weight = Scale()
    net.fc1 = Parameter(byhand.ones(1))
    assert [name for name, _ in net.named_children()] == ["body"]


REGISTER = {
    "parameter": lambda net, name: net.register_parameter(name, Parameter(byhand.ones(1))),
    "buffer": lambda net, name: net.register_buffer(name, byhand.ones(1)),
    "module": lambda net, name: net.add_module(name, Scale()),
}


@pytest.mark.parametrize("name", ["a.b", "", "plain", "forward"])
@pytest.mark.parametrize("kind", REGISTER)
def test_names_that_cannot_be_registered(name, kind):
    net = Net()
    net.plain = 1
    with pytest.raises(UsageError, match=r"dots separate|choose another name"):
        REGISTER[kind](net, name)


@pytest.mark.parametrize("kind", REGISTER)
def test_registering_twice_replaces(kind):
    net = Net()
    REGISTER[kind](net, "twice")
    before = net.twice
    REGISTER[kind](net, "twice")
    assert net.twice is not before


def test_things_that_cannot_be_registered():
    net = Net()
    with pytest.raises(TypeError, match="parameter 'w'"):
        net.register_parameter("w", byhand.ones(1))
    with pytest.raises(TypeError, match="buffer 'b'"):
        net.register_buffer("b", 3)
    with pytest.raises(TypeError, match=r"Scale is a class: write Scale\(\.\.\.\)"):
        net.add_module("m", Scale)
    with pytest.raises(TypeError, match="a string"):
        net.register_parameter(3, Parameter(byhand.ones(1)))
    with pytest.raises(UsageError, match="'train' is already an attribute of the class Net"):
        net.train = Scale()


def test_assigning_to_a_property_calls_it():
    class Tied(Module):
        @property
        def weight(self):
            return self.inner

        @weight.setter
        def weight(self, value):
            self.inner = value

    module = Tied()
    module.weight = Parameter(byhand.ones(2))
    assert [name for name, _ in module.named_parameters()] == ["inner"]


def test_pythons_own_suggestion_names_the_members():
    """Members stand in __dict__, so the interpreter itself finds near names."""
    program = (
        "from byhand.nn.module import Module\nclass Net(Module): pass\nnet = Net(); net.encoder = Module(); net.encodr"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "Did you mean: 'encoder'?" in done.stderr
