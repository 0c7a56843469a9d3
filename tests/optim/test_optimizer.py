"""The base class: steps, hooks, groups, zero_grad."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import byhand
from byhand import optim
from byhand.core.errors import UsageError

CLASSES = [
    optim.SGD, optim.Adagrad, optim.RMSprop, optim.Adadelta, optim.Adam, optim.AdamW, optim.NAdam, optim.Adamax,
    optim.RAdam, optim.ASGD,
]  # fmt: skip
NUMBERS = sorted({(cls, name) for cls in CLASSES for name in cls.intervals if name != "betas"}, key=str)


def parameter(*values):
    return byhand.tensor(list(values), dtype=byhand.float64, requires_grad=True)


def with_grad(p):
    p.grad = byhand.ones_like(p.detach())
    return p


def test_step_moves_against_the_gradient_and_reports_the_loss_of_the_closure():
    w = parameter(1.0, -2.0)
    optimizer = optim.SGD([w], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 5.0
    assert w.tolist() == [0.5, -1.0]
    assert optimizer.step() is None


def test_the_closure_is_recorded_inside_of_no_grad():
    w = parameter(1.0)
    with byhand.no_grad():
        loss = optim.SGD([w], lr=0.1).step(lambda: (w * w).sum())
    assert loss.requires_grad


@pytest.mark.parametrize("cls", CLASSES)
def test_a_step_records_nothing_and_leaves_the_mode_alone(cls):
    w = with_grad(parameter(1.0))
    cls([w]).step()
    assert w.is_leaf and w.requires_grad
    assert byhand.is_grad_enabled()


def test_the_mode_is_restored_when_a_step_fails():
    class Broken(optim.Optimizer):
        def update_group(self, group):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Broken([parameter(1.0)], {}).step()
    assert byhand.is_grad_enabled()


@pytest.mark.parametrize("cls", CLASSES)
def test_a_parameter_without_gradient_is_left_alone(cls):
    used, unused = with_grad(parameter(1.0)), parameter(1.0)
    optimizer = cls([used, unused], weight_decay=0.1)
    optimizer.step()
    assert unused.tolist() == [1.0]
    assert used.tolist() != [1.0]
    assert cls is optim.Adagrad or unused not in optimizer.state


@pytest.mark.parametrize("cls", CLASSES)
def test_a_parameter_left_out_of_a_step_keeps_its_own_count(cls):
    """Bias corrections are cached from one parameter to the next, but counted for each."""
    late, always = parameter(1.0), parameter(1.0)
    optimizer = cls([always, late], lr=0.1)
    for step in range(4):
        with_grad(always)
        late.grad = None if step < 2 else byhand.ones_like(late.detach())
        optimizer.step()
    alone = parameter(1.0)
    single = cls([alone], lr=0.1)
    for _ in range(2):
        with_grad(alone)
        single.step()
    assert late.tolist() == alone.tolist()


@pytest.mark.parametrize("cls", CLASSES)
def test_maximize_goes_the_other_way(cls):
    down, up = with_grad(parameter(1.0)), with_grad(parameter(1.0))
    options = {"weight_decay": 0, **({"lambd": 0} if cls is optim.ASGD else {})}
    cls([down], **options).step()
    cls([up], **options, maximize=True).step()
    assert up.item() - 1.0 == pytest.approx(1.0 - down.item(), rel=1e-9)
    assert up.item() > 1.0


@pytest.mark.parametrize("cls", CLASSES)
def test_the_update_is_in_the_parameters_own_memory_and_dtype(cls):
    w = byhand.tensor([1.0, 2.0], requires_grad=True)
    memory = w.detach().numpy()
    with_grad(w)
    optimizer = cls([w], weight_decay=0.1)
    for _ in range(2):
        optimizer.step()
    assert w.dtype == byhand.float32
    assert w.tolist() == memory.tolist() != [1.0, 2.0]
    assert all(v.dtype == byhand.float32 for v in optimizer.state[w].values() if isinstance(v, byhand.Tensor))


@pytest.mark.parametrize("cls", CLASSES)
def test_the_gradient_is_not_changed(cls):
    w = with_grad(parameter(1.0, 3.0))
    optimizer = cls([w], weight_decay=0.1, maximize=True)
    for _ in range(2):
        optimizer.step()
    assert w.grad.tolist() == [1.0, 1.0]


def test_a_group_added_later_is_optimised_too():
    a, b = with_grad(parameter(1.0)), with_grad(parameter(1.0))
    for cls in CLASSES:
        optimizer = cls([a], lr=0.1)
        optimizer.step()
        optimizer.add_param_group({"params": b, "lr": 0.2})
        before = b.item()
        optimizer.step()
        assert b.item() < before
        assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.2]


def test_zero_grad():
    w = with_grad(parameter(1.0, 2.0))
    gradient = w.grad
    optimizer = optim.SGD([w, parameter(1.0)])
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == gradient.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_zero_grad_of_a_recorded_gradient():
    w = parameter(1.0)
    (w * w * w).sum().backward(create_graph=True)
    optim.SGD([w]).zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0]
    assert not w.grad.requires_grad


def test_hooks_are_called_in_order_and_can_be_removed():
    w = with_grad(parameter(1.0))
    optimizer = optim.SGD([w], lr=0.5)
    calls = []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append(("before", w.item())))
    after = optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append(("after", w.item())))
    optimizer.step()
    assert calls == [("before", 1.0), ("after", 0.5)]
    before.remove()
    after.remove()
    optimizer.step()
    assert len(calls) == 2


def test_a_pre_hook_may_replace_the_arguments():
    optimizer = optim.SGD([parameter(1.0)])
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: "replaced",), kwargs))
    assert optimizer.step(lambda: "given") == "replaced"
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(UsageError, match=r"a step pre-hook must return None or \(args, kwargs\); got 3"):
        optimizer.step()


def test_an_optimizer_in_pytorchs_manner_overrides_step_and_still_has_hooks():
    class Halving(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        @byhand.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.mul_(0.5)
            return "done"

    w = parameter(4.0)
    optimizer = Halving([w])
    calls = []
    optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append(w.item()))
    assert optimizer.step() == "done"
    assert calls == [2.0]


def test_an_optimizer_without_a_rule_says_what_to_write():
    with pytest.raises(NotImplementedError, match="Optimizer must implement update_group"):
        optim.Optimizer([parameter(1.0)], {}).step()


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("cls, name", NUMBERS)
def test_numbers_out_of_range(cls, name, value):
    if value == -0.1 and value in cls.intervals[name]:
        return  # any finite number
    with pytest.raises(UsageError, match=rf"{cls.__name__}: {name} must be a finite number.*got {name}="):
        cls([parameter(1.0)], **{name: value})
    with pytest.raises(UsageError, match=name):
        cls([{"params": [parameter(1.0)], name: value}])


@pytest.mark.parametrize("cls", [optim.Adam, optim.AdamW, optim.NAdam])
def test_betas_out_of_range(cls):
    for betas in ((1.0, 0.9), (0.9, -0.1), (math.nan, 0.9)):
        with pytest.raises(UsageError, match=r"betas\[[01]\] must be a finite number with 0 <= betas\[[01]\] < 1"):
            cls([parameter(1.0)], betas=betas)


def test_a_tensor_as_learning_rate():
    w = with_grad(parameter(1.0))
    optimizer = optim.SGD([w], lr=byhand.tensor(0.5))
    assert optimizer.param_groups[0]["lr"] == 0.5
    optimizer.step()
    assert w.tolist() == [0.5]


@pytest.mark.parametrize("cls", CLASSES)
def test_differentiable_is_refused_and_kernel_choices_are_ignored(cls):
    with pytest.raises(UsageError, match=f"{cls.__name__}: differentiable=True is not supported"):
        cls([parameter(1.0)], differentiable=True)
    w = with_grad(parameter(1.0))
    cls([w], foreach=True).step()
    assert w.item() != 1.0


@pytest.mark.parametrize("cls", CLASSES)
def test_numpy_scalars_do_not_promote(cls):
    w = with_grad(byhand.tensor([1.0], requires_grad=True))
    optimizer = cls([w], lr=np.float64(0.1))
    optimizer.step()
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert w.dtype == byhand.float32


@pytest.mark.parametrize("copying", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_are_independent(copying):
    w = with_grad(parameter(1.0))
    optimizer = optim.Adam([w], lr=0.1)
    optimizer.register_step_post_hook(lambda o, args, kwargs: None)
    optimizer.step()
    v, twin = copying((w, optimizer))
    with_grad(v)
    twin.step()
    assert v.item() < w.item()
    assert optimizer.state[w]["step"] == 1
    assert twin.state[v]["step"] == 2


def test_repr_lists_the_groups():
    text = repr(optim.SGD([{"params": [parameter(1.0)]}, {"params": [parameter(1.0)], "lr": 0.5}], lr=0.1))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n")
    assert "Parameter Group 1\n" in text and "    lr: 0.5\n" in text
    assert "params" not in text
