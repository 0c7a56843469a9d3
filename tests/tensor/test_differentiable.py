"""Where a tensor stands on the tape: requires_grad, grad, data, detach. The walk itself: tests/core/test_engine.py."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.core.errors import DtypeError, GraphError, ShapeError


def test_requires_grad_can_be_turned_on_and_off() -> None:
    x = byhand.ones(2)
    assert not x.requires_grad
    assert x.requires_grad_() is x and x.requires_grad
    x.requires_grad = False
    assert not x.requires_grad and x.grad is None
    x.requires_grad_(False)


def test_a_gradient_survives_being_frozen() -> None:
    x = byhand.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    x.requires_grad_(False)
    np.testing.assert_array_equal(x.grad, [2, 2])
    x.requires_grad_()
    (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [4, 4])


def test_a_computed_tensor_cannot_be_frozen() -> None:
    y = byhand.ones(2, requires_grad=True) * 2
    with pytest.raises(GraphError, match="detach"):
        y.requires_grad_(False)
    assert y.requires_grad_() is y


@pytest.mark.parametrize("dtype", [byhand.int64, byhand.bool, byhand.uint8])
def test_only_floats_have_gradients(dtype: np.dtype) -> None:  # type: ignore[type-arg]
    with pytest.raises(DtypeError, match="only float tensors have gradients"):
        byhand.ones(2, dtype=dtype).requires_grad_()


def test_grad_can_be_set_and_is_checked() -> None:
    x = byhand.ones(2, requires_grad=True)
    x.grad = byhand.full((2,), 5.0)
    (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [7, 7])
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2,\)"):
        x.grad = byhand.ones(3)
    with pytest.raises(DtypeError):
        x.grad = np.ones(2)  # type: ignore[assignment]
    plain = byhand.ones(2)
    plain.grad = byhand.ones(2)
    assert plain.grad.tolist() == [1, 1]


def test_data_shares_memory_and_nothing_else() -> None:
    x = byhand.ones(2, requires_grad=True)
    x.data[0] = 5.0
    x.data.mul_(2)
    assert x.tolist() == [10, 2] and x.requires_grad and not x.data.requires_grad


def test_data_can_be_replaced() -> None:
    x = byhand.ones(2, requires_grad=True)
    x.data = byhand.zeros(3)
    assert x.shape == (3,) and x.requires_grad
    (x + 1).sum().backward()
    assert x.grad.shape == (3,)


def test_detach_shares_memory() -> None:
    x = byhand.ones(2, requires_grad=True)
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    d = x.detach()
    d.fill_(3.0)
    assert x.tolist() == [3, 3]
    (x * d).sum().backward()
    np.testing.assert_array_equal(x.grad, [3, 3])


def test_detach_in_place() -> None:
    y = byhand.ones(2, requires_grad=True) * 2
    assert y.detach_() is y and not y.requires_grad


def test_clone_passes_gradients() -> None:
    x = byhand.ones(2, requires_grad=True)
    y = x.clone()
    assert not np.may_share_memory(x.array, y.array)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1])


def test_casts_pass_gradients_in_the_dtype_of_the_source() -> None:
    x = byhand.ones(2, requires_grad=True)
    y = x.double().half().float()
    y.sum().backward()
    assert x.grad.dtype == byhand.float32
    assert not x.long().requires_grad and not (x > 0).requires_grad


def test_grad_fn_names_the_op() -> None:
    x = byhand.ones(2, requires_grad=True)
    assert "mul" in repr((x * 2).grad_fn.op) and x.grad_fn is None
    assert "grad_fn=<mul>" in repr(x * 2)


def test_a_hook_after_the_gradient_was_added() -> None:
    seen: list[list[float]] = []
    w = byhand.ones(2, requires_grad=True)

    def look(p: byhand.Tensor) -> None:
        assert p is w and p.grad is not None
        seen.append(p.grad.tolist())

    handle = w.register_post_accumulate_grad_hook(look)
    w.register_hook(lambda g: g * 10)
    for _ in range(2):
        (w * 2).sum().backward()
    assert seen == [[20.0, 20.0], [40.0, 40.0]]
    handle.remove()
    (w * 2).sum().backward()
    assert len(seen) == 2
    with pytest.raises(GraphError, match="is for leaf tensors"):
        (w * 2).register_post_accumulate_grad_hook(look)
    with pytest.raises(GraphError, match="needs a tensor that requires a gradient"):
        byhand.ones(2).register_post_accumulate_grad_hook(look)


def test_updates_in_the_backward_pass() -> None:
    """An optimiser for each parameter, run as soon as its gradient is there: what saves the memory of gradients."""
    byhand.manual_seed(0)
    models = [byhand.nn.Linear(3, 2), byhand.nn.Linear(3, 2)]
    models[1].load_state_dict(models[0].state_dict())
    whole = byhand.optim.SGD(models[0].parameters(), 0.1)
    each = {p: byhand.optim.SGD([p], 0.1) for p in models[1].parameters()}

    def update(p: byhand.Tensor) -> None:
        each[p].step()
        each[p].zero_grad()

    for p in models[1].parameters():
        p.register_post_accumulate_grad_hook(update)
    for _ in range(3):
        x = byhand.randn(4, 3)
        whole.zero_grad()
        for model in models:
            model(x).pow(2).sum().backward()
        whole.step()
    for p, q in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert byhand.equal(p, q) and q.grad is None
