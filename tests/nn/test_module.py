from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import byhand
from byhand.core.errors import ShapeError, UsageError
from byhand.nn.container import Sequential
from byhand.nn.module import Module
from byhand.nn.parameter import Buffer, Parameter
from byhand.tensor import Tensor
from nn.specimens import Affine, Net, Scale, same, values


def test_deepcopy_keeps_what_is_shared_and_shares_nothing_with_the_original():
    net = Net()
    net.tied = net.fc1.weight
    net.fc1.bias.requires_grad_(False)
    net.fc1.weight.decay = False
    copied = copy.deepcopy(net)
    assert same(values(net), values(copied))
    assert copied.tied is copied.fc1.weight
    assert type(copied.tied) is Parameter
    assert copied.tied.decay is False
    assert not copied.fc1.bias.requires_grad
    assert copied.body[0].weight.requires_grad
    copied.mean.fill_(5.0)
    copied.fc1.weight.data.fill_(5.0)
    assert net.mean.tolist() == [0.0] * 4
    assert not np.any(net.fc1.weight.array == 5.0)
    assert [name for name, _ in copied.named_buffers()] == ["mean", "scratch"]


def test_pickle_restores_the_module():
    net = Net().eval()
    net.tied = net.fc1.weight
    net.extra = Buffer(byhand.ones(2), persistent=False)
    back = pickle.loads(pickle.dumps(net))
    assert same(values(net), values(back))
    assert back.tied is back.fc1.weight
    assert back.extra.persistent is False
    assert not back.training
    assert repr(back) == repr(net)
    assert back.fc1.weight.requires_grad
    x = byhand.ones(2, 4)
    np.testing.assert_array_equal(back(x).array, net(x).array)


def test_train_and_eval_reach_everything():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    with pytest.raises(UsageError, match="True or False"):
        net.train("yes")


def test_requires_grad_and_zero_grad():
    net = Net()
    net(byhand.ones(2, 4)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(not p.grad.array.any() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.fc1.requires_grad_(False)
    assert [p.requires_grad for p in net.parameters()] == [False, False, True, True, True]


def test_apply_goes_from_the_leaves_to_the_root():
    net, order = Net(), []
    assert net.apply(lambda m: order.append(m)) is net
    assert order == [net.fc1, net.body[0], net.body[1], net.body, net]


def test_casts_keep_the_objects():
    net = Net()
    net.register_buffer("count", Tensor(np.zeros((), np.int64)))
    before = list(net.parameters())
    net(byhand.ones(2, 4)).sum().backward()
    net.double()
    assert [id(p) for p in net.parameters()] == [id(p) for p in before]
    assert {p.dtype.name for p in net.parameters()} == {"float64"}
    assert {p.grad.dtype.name for p in net.parameters()} == {"float64"}
    assert net.mean.dtype == np.float64
    assert net.count.dtype == np.int64
    assert [p.requires_grad for p in net.parameters()] == [True] * 5
    net.zero_grad()
    net(byhand.ones(2, 4).to(np.float64)).sum().backward()
    assert net.fc1.weight.grad.dtype == np.float64
    assert net.float().fc1.weight.dtype == np.float32
    assert net.half().fc1.weight.dtype == np.float16
    assert net.to("cpu", np.float64).fc1.weight.dtype == np.float64
    assert net.to(byhand.ones(1)).fc1.weight.dtype == np.float32
    assert net.to("float64").fc1.weight.dtype == np.float64
    assert net.to(device="cpu").to("cpu").cpu().to_empty(device="cpu").share_memory() is net
    assert net.type(np.float32).count.dtype == np.float32


@pytest.mark.parametrize("refused", [lambda m: m.to("cuda:0"), lambda m: m.cuda(), lambda m: m.to(device="mps")])
def test_other_devices_are_refused(refused):
    with pytest.raises(UsageError, match=r"computes on the CPU; leave \.\w+\(.*\) out"):
        refused(Net())


def test_casts_that_are_refused():
    with pytest.raises(TypeError, match="floating-point dtype, got int64"):
        Net().to(np.int64)
    with pytest.raises(UsageError, match="bfloat16"):
        Net().bfloat16()


def test_repr_nests():
    assert repr(Net()) == (
        "Net(\n  (fc1): Affine(4, 3)\n  (body): Sequential(\n    (0): Affine(3, 3)\n    (1): Affine(3, 2)\n  )\n)"
    )
    assert repr(Module()) == "Module()"


def test_describe_falls_back_on_the_printed_form():
    class Plain(Module):
        def extra_repr(self):
            return "size=3"

    class Wordy(Module):
        def extra_repr(self):
            return "x" * 100

    assert Plain().describe() == "Plain(size=3)"
    assert Wordy().describe() == "Wordy(…)"
    assert Net().describe() == "Net"


def test_an_error_names_the_module_its_path_and_what_it_got():
    net = Net()
    with pytest.raises(ShapeError) as caught:
        net(byhand.ones(5, 4)[:, :3] + byhand.zeros(4)[:3])
    assert "got" in str(caught.value)
    net.mean = byhand.zeros(1)
    with pytest.raises(ShapeError) as caught:
        net(byhand.ones(5, 7))
    assert str(caught.value).startswith("model.fc1: Affine(4 → 3) got x of shape (5, 7); matmul got (5, 7) and (4, 3)")
    net.body[1] = Affine(6, 2)
    with pytest.raises(ShapeError, match=r"^model\.body\.1: Affine\(6 → 2\) got x of shape \(5, 3\)"):
        net(byhand.ones(5, 4))
    with pytest.raises(ShapeError, match=r"^model: Affine\(4 → 3\) got x of shape \(7,\)"):
        net.fc1(byhand.ones(7))


def test_a_layer_says_what_it_expects():
    class Picky(Affine):
        def expects(self):
            return f"x of shape (…, {self.inputs})"

    with pytest.raises(ShapeError, match=r"got x of shape \(2, 5\); expected x of shape \(…, 4\); matmul got"):
        Sequential(Picky(4, 3))(byhand.ones(2, 5))


def test_errors_of_others_keep_their_message_and_get_one_note():
    class Broken(Module):
        def forward(self, x):
            raise ValueError("mine")

    net = Sequential(Sequential(Broken()))
    with pytest.raises(ValueError, match="mine") as caught:
        net(1)
    assert str(caught.value) == "mine"
    assert caught.value.__notes__ == ["in model.0.0: Broken()"]


def test_a_module_too_broken_to_describe_itself_does_not_hide_the_error():
    class Half(Module):
        def forward(self, x):
            raise ValueError("mine")

        def extra_repr(self):
            return self.never_set

    with pytest.raises(ValueError, match="mine") as caught:
        Half()(1)
    assert caught.value.__notes__ == ["in model: Half"]


def test_keyword_inputs_are_named_in_errors():
    with pytest.raises(ShapeError, match=r"Affine\(4 → 3\) got x of shape \(2, 5\)"):
        Affine(4, 3)(x=byhand.ones(2, 5))


def test_a_misspelt_attribute_in_forward_gets_a_near_name():
    class Typo(Module):
        def __init__(self):
            super().__init__()
            self.encoder = Scale()

        def forward(self, x):
            return self.encodr(x)

    with pytest.raises(AttributeError) as caught:
        Typo()(1)
    assert caught.value.__notes__ == ["in model: Typo: did you mean 'encoder'?"]


def test_a_missing_forward():
    class Empty(Module):
        def froward(self, x):
            return x

    with pytest.raises(NotImplementedError, match="Empty has no method \"forward\": did you mean 'froward'"):
        Empty()(1)
    with pytest.raises(NotImplementedError, match=r"define forward\(self, x\)"):
        Module()(1)
