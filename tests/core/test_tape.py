"""What is recorded, and the switches that turn recording off."""

from __future__ import annotations

import threading
import weakref

import numpy as np
import pytest

import byhand


@pytest.fixture
def x() -> byhand.Tensor:
    return byhand.tensor([1.0, -2.0, 3.0], requires_grad=True)


def test_a_node_holds_op_inputs_and_serial(x: byhand.Tensor) -> None:
    y = x * 2
    z = y.exp()
    assert z.grad_fn.op.name == "exp"
    assert z.grad_fn.inputs == (y.grad_fn,)
    assert y.grad_fn.inputs == (x.node, None)
    assert x.node.op is None
    assert x.node.serial < y.node.serial < z.node.serial


def test_leaves_and_computed_tensors(x: byhand.Tensor) -> None:
    assert x.is_leaf and x.grad_fn is None
    assert not (x * 2).is_leaf
    assert byhand.ones(2).is_leaf
    assert (byhand.ones(2) * 2).is_leaf  # nothing was recorded


def test_preactivation_of_relu_is_freed(x: byhand.Tensor) -> None:
    before = x * 1.5
    watched = weakref.ref(before.array)
    out = before.relu()
    del before
    assert watched() is None
    out.sum().backward()
    np.testing.assert_array_equal(x.grad, [1.5, 0, 1.5])


def test_a_graph_without_its_loss_is_freed(x: byhand.Tensor) -> None:
    y = x.exp()
    watched = weakref.ref(y.array)
    loss = y.sum()
    del y
    assert watched() is not None
    del loss
    assert watched() is None  # without the garbage collector: the tape has no cycles


@pytest.mark.parametrize("switch", [byhand.no_grad, byhand.inference_mode])
def test_no_grad_block(x: byhand.Tensor, switch: type) -> None:
    with switch():
        assert not byhand.is_grad_enabled()
        y = x * 2
        assert not y.requires_grad and y.is_leaf
    assert byhand.is_grad_enabled()
    assert (x * 2).requires_grad


def test_blocks_nest(x: byhand.Tensor) -> None:
    with byhand.no_grad():
        with byhand.enable_grad():
            assert (x * 2).requires_grad
            with byhand.no_grad():
                assert not (x * 2).requires_grad
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert byhand.is_grad_enabled()


def test_one_block_object_can_be_entered_again() -> None:
    block = byhand.no_grad()
    with block:
        with byhand.enable_grad(), block:
            assert not byhand.is_grad_enabled()
        assert not byhand.is_grad_enabled()
    assert byhand.is_grad_enabled()


def test_recording_is_restored_after_an_exception() -> None:
    with pytest.raises(KeyError), byhand.no_grad():
        raise KeyError
    assert byhand.is_grad_enabled()


def test_decorators(x: byhand.Tensor) -> None:
    @byhand.no_grad()
    def without(y: byhand.Tensor) -> byhand.Tensor:
        """Its sentence."""
        return y * 2

    @byhand.no_grad
    def bare(y: byhand.Tensor) -> byhand.Tensor:
        return y * 2

    @byhand.enable_grad()
    def recorded(y: byhand.Tensor) -> byhand.Tensor:
        return y * 2

    @byhand.set_grad_enabled(False)
    def switched(y: byhand.Tensor) -> byhand.Tensor:
        return y * 2

    assert byhand.is_grad_enabled()
    assert not without(x).requires_grad and not bare(x).requires_grad and not switched(x).requires_grad
    assert without.__name__ == "without" and without.__doc__ == "Its sentence."
    with byhand.no_grad():
        assert recorded(x).requires_grad
    assert byhand.is_grad_enabled()


def test_a_decorated_function_that_raises_restores() -> None:
    @byhand.no_grad()
    def fails() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert byhand.is_grad_enabled()


def test_set_grad_enabled_acts_at_once_and_as_a_block() -> None:
    try:
        byhand.set_grad_enabled(False)
        assert not byhand.is_grad_enabled()
        with byhand.set_grad_enabled(True):
            assert byhand.is_grad_enabled()
        assert not byhand.is_grad_enabled()
    finally:
        byhand.set_grad_enabled(True)
    assert byhand.is_grad_enabled()


def test_inference_mode_can_be_off(x: byhand.Tensor) -> None:
    with byhand.inference_mode(mode=False) if False else byhand.inference_mode(False):
        assert (x * 2).requires_grad
    with byhand.inference_mode(True):
        assert not (x * 2).requires_grad


def test_each_thread_has_its_own_switch(x: byhand.Tensor) -> None:
    seen: list[bool] = []
    with byhand.no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_record_and_walk_apart() -> None:
    found: dict[int, np.ndarray] = {}

    def work(k: int) -> None:
        w = byhand.full((50,), float(k + 1), requires_grad=True)
        for _ in range(30):
            y = w
            for _ in range(10):
                y = y * 1.1
            y.sum().backward()
        found[k] = w.grad.numpy()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        np.testing.assert_allclose(found[k], 30 * 1.1**10, rtol=1e-5)


def test_a_leaf_made_inside_of_no_grad_asks_for_its_gradient() -> None:
    with byhand.no_grad():
        x = byhand.ones(2, requires_grad=True)
    assert x.requires_grad
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad, [3, 3])
