from __future__ import annotations

import copy
import gc
import warnings
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import byhand
from byhand.nn import hooks
from byhand.nn.container import Sequential
from byhand.nn.module import Module
from byhand.tensor import Tensor
from nn.specimens import Affine, Net, Scale


@pytest.fixture
def x() -> Tensor:
    return byhand.ones(2, requires_grad=True)


def test_forward_hooks_in_order(x):
    module, order = Scale(), []
    module.register_forward_pre_hook(lambda m, args: order.append("pre"))
    module.register_forward_hook(lambda m, args, out: order.append("post"))
    module.register_forward_hook(lambda m, args, out: order.append("first"), prepend=True)
    module.register_forward_pre_hook(lambda m, args: order.append("very first"), prepend=True)
    assert module(x).tolist() == [3.0, 3.0]
    assert order == ["very first", "pre", "first", "post"]


def test_forward_hooks_change_what_passes(x):
    module = Scale()
    first = module.register_forward_pre_hook(lambda m, args: args[0] + 1)
    second = module.register_forward_hook(lambda m, args, out: out * 10)
    assert module(x).tolist() == [60.0, 60.0]
    first.remove()
    first.remove()
    assert module(x).tolist() == [30.0, 30.0]
    second.remove()
    assert module(x).tolist() == [3.0, 3.0]
    assert "_hooks" not in module.__dict__, "the short way again"


def test_hooks_with_kwargs(x):
    class Power(Module):
        def forward(self, x, *, factor=1.0):
            return x * factor

    module, seen = Power(), []
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"factor": kwargs["factor"] * 2}), with_kwargs=True)
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert module(x, factor=2.0).tolist() == [4.0, 4.0]
    assert seen == [{"factor": 4.0}]
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"None or \(args, kwargs\)"):
        module(x, factor=1.0)


def test_always_call_sees_the_failure_too(x):
    class Broken(Module):
        def forward(self, x):
            raise ValueError("broken")

    module, seen = Broken(), []
    module.register_forward_hook(lambda m, args, out: seen.append("sometimes"))
    module.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="broken"):
        module(x)
    assert seen == [None]

    def worse(m, args, out):
        raise RuntimeError("worse")

    module.register_forward_hook(worse, always_call=True)
    with pytest.warns(UserWarning, match="worse"), pytest.raises(ValueError, match="broken"):
        module(x)


def test_handle_as_context_manager(x):
    module, seen = Scale(), []
    with module.register_forward_hook(lambda m, args, out: seen.append(1)):
        module(x)
    module(x)
    assert seen == [1]


def test_global_hooks(x):
    net, seen = Sequential(Scale(), Scale()), []
    with (
        hooks.register_module_forward_pre_hook(lambda m, args: seen.append(("pre", type(m).__name__))),
        hooks.register_module_forward_hook(lambda m, args, out: seen.append(("post", type(m).__name__))),
        hooks.register_module_full_backward_pre_hook(lambda m, go: seen.append(("g", type(m).__name__))),
        hooks.register_module_full_backward_hook(lambda m, gi, go: seen.append(("b", type(m).__name__))),
    ):
        net(x).sum().backward()
    kinds = [kind for kind, _ in seen]
    assert kinds == ["pre", "pre", "post", "pre", "post", "post", "g", "g", "b", "g", "b", "b"]
    net(x)
    assert len(seen) == 12
    assert Module._hooks is None


def test_full_backward_hook_sees_both_sides(x):
    module, seen = Scale(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].tolist(), go[0].tolist())))
    (module(x) * 2.0).sum().backward()
    assert seen == [([6.0, 6.0], [2.0, 2.0])]
    assert x.grad.tolist() == [6.0, 6.0]


def test_full_backward_hooks_change_gradients(x):
    module = Scale()
    module.register_full_backward_pre_hook(lambda m, go: (go[0] * 10.0,))
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] + go[0],))
    module(x).sum().backward()
    assert x.grad.tolist() == [40.0, 40.0]


def test_full_backward_hook_of_several_inputs_and_outputs(x):
    class Pair(NamedTuple):
        total: Tensor
        product: Tensor

    class Two(Module):
        def forward(self, x, factor, y):
            return Pair(x + y, x * y * factor)

    module, seen = Two(), []
    y = byhand.tensor([[2.0, 3.0]], requires_grad=True)
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    out = module(x, 2.0, y)
    assert isinstance(out, Pair)
    out.product.sum().backward()
    ((grad_input, grad_output),) = seen
    assert [None if g is None else g.tolist() for g in grad_input] == [[4.0, 6.0], None, [[2.0, 2.0]]]
    assert [g.tolist() for g in grad_output] == [[[0.0, 0.0]], [[1.0, 1.0]]]
    assert x.grad.tolist() == [4.0, 6.0]
    assert y.grad.tolist() == [[2.0, 2.0]]


def test_full_backward_hook_without_tracked_inputs():
    layer, seen = Affine(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    layer(byhand.ones(3, 2)).sum().backward()
    assert seen == [((None,), [[1.0]] * 3)]
    with byhand.no_grad():
        layer(byhand.ones(3, 2))
    assert len(seen) == 1


def test_backward_hooks_do_not_change_values_or_parameter_gradients():
    plain, hooked = Net(), Net()
    hooked.load_state_dict(plain.state_dict())
    for module in hooked.modules():
        module.register_full_backward_hook(lambda m, gi, go: None)
        module.register_full_backward_pre_hook(lambda m, go: None)
    x = byhand.randn(5, 4)
    (plain(x) * plain(x)).sum().backward()
    (hooked(x) * hooked(x)).sum().backward()
    for a, b in zip(plain.parameters(), hooked.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.array, b.grad.array, rtol=1e-6)


def test_backward_hook_with_wrong_results(x):
    module = Scale()
    with module.register_full_backward_hook(lambda m, gi, go: (1, 2)), pytest.raises(RuntimeError, match="2 gradients"):
        module(x).sum().backward()
    with (
        module.register_full_backward_hook(lambda m, gi, go: (None,)),
        pytest.raises(RuntimeError, match="returned None for gradient 0"),
    ):
        module(x).sum().backward()


def test_backward_hooks_need_tensors_as_output(x):
    class Named(Module):
        def forward(self, x):
            return {"out": x * 2.0}

    module = Named()
    module.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.warns(UserWarning, match="output, got dict"):
        module(x)


def test_hooks_travel_with_a_copy(x):
    module, seen = Scale(), []
    module.register_forward_hook(lambda m, args, out: seen.append(m))
    copied = copy.deepcopy(module)
    copied(x)
    assert seen == [copied]


def test_a_module_is_freed_with_its_last_reference():
    net = Net()
    net.register_full_backward_hook(lambda m, gi, go: None)
    net(byhand.ones(2, 4)).sum().backward()
    dead = weakref.ref(net)
    gc.disable()
    try:
        del net
        assert dead() is None, "no reference cycles"
    finally:
        gc.enable()


def test_no_warning_on_the_way():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Net()(byhand.ones(2, 4)).sum().backward()
