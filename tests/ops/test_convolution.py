"""Convolution's memory: channels last, no columns kept, windows in parts. Its values are held by laws and parity."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand.nn import functional as F
from byhand.ops import convolution, windows
from laws.sample import spread

SETTINGS = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}


def channels_last(x):
    return x.transpose(0, *range(2, x.ndim), 1).flags.c_contiguous


def test_results_have_their_channels_last():
    x, w = spread(2, 3, 5, 5), spread(4, 3, 3, 3)
    y = convolution.convolution(x, w, None, **SETTINGS)
    assert y.shape == (2, 4, 5, 5)
    assert channels_last(y)
    assert channels_last(convolution.convolution_transpose(y, w, None, size=(5, 5), **SETTINGS))
    assert channels_last(y * 2 + 1)


def test_the_gradient_of_a_weight_lies_as_the_weight_of_a_layer_does():
    layer = byhand.nn.Conv2d(3, 4, 3, padding=1)
    layer(byhand.randn(2, 3, 5, 5)).sum().backward()
    assert layer.weight.grad.array.strides == layer.weight.array.strides
    assert np.shares_memory(convolution._matrices(layer.weight.array, 1), layer.weight.array)


@pytest.mark.parametrize("groups", [1, 2])
def test_windows_are_copied_in_parts(monkeypatch, groups):
    x, w = spread(5, 4, 6, 6), spread(4, 4 // groups, 3, 3)
    settings = {**SETTINGS, "groups": groups}

    def results():
        y = convolution.convolution(x, w, None, **settings)
        return [y, convolution.convolution_weight(y, x, kernel=(3, 3), **settings)]

    def parts():
        return [part for part, _ in convolution._parts(x.transpose(0, 2, 3, 1), (3, 3), **settings, count=4)]

    monkeypatch.setattr(convolution, "SMALL", 0)
    monkeypatch.setattr(convolution, "PART", 1 << 30)
    whole = results()
    assert parts() == [slice(0, 5)]
    monkeypatch.setattr(convolution, "PART", 1)
    assert parts() == [slice(i, i + 1) for i in range(5)]
    for one, other in zip(whole, results(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def rows_of(x, kernel):
    settings = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1, "count": 1}
    parts = [rows for _, rows in convolution._parts(x, kernel, **settings)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, 1)


def test_images_of_small_products_are_taken_together():
    x = np.zeros((64, 28, 28, 1), np.float32)
    assert convolution._pictures(x, 784, 9, 16)[0] == slice(0, 8)  # 6272 · 9 · 16 multiplications
    assert convolution._pictures(x, 784, 9, 64)[0] == slice(0, 5)  # by bytes, since 2 images would be few


def test_windows_are_copied_in_the_longer_runs():
    few = rows_of(spread(2, 12, 12, 1), (3, 3))
    assert few.strides[2] > few.strides[1]  # one channel: place by place, so that the rows of x are the runs
    many = rows_of(spread(2, 12, 12, 8), (3, 3))
    assert many.strides[2] < many.strides[1]


@pytest.mark.parametrize("channels", [1, 16])
def test_windows_that_are_copied_as_elements_are_the_windows(channels):
    x = spread(8, 20, 20, channels)
    seen = windows.windows(x, (3, 3), (1, 1), (1, 1))
    assert rows_of(x, (3, 3)).tolist() == [seen.reshape(-1, 9 * channels).tolist()]


def test_a_kernel_of_one_place_copies_nothing():
    x = spread(2, 4, 4, 3)
    assert np.shares_memory(rows_of(x, (1, 1)), x)


def test_no_columns_are_kept_for_backward():
    x, w = byhand.randn(2, 3, 5, 5), byhand.randn(4, 3, 3, 3).requires_grad_()
    y = F.conv2d(x, w)
    assert [None if a is None else a.shape for a in y.node.saved] == [(2, 3, 5, 5), None, None, None]


def test_an_empty_batch_has_a_gradient_of_zeros():
    w = byhand.randn(4, 3, 3, 3).requires_grad_()
    y = F.conv2d(byhand.zeros(0, 3, 5, 5), w)
    assert y.shape == (0, 4, 3, 3)
    y.sum().backward()
    assert not w.grad.any()


def test_a_program_multiplies_few_parts(monkeypatch):
    monkeypatch.setattr(convolution, "SMALL", 0)
    monkeypatch.setattr(convolution, "PART", 1)
    x = byhand.randn(20, 4, 6, 6)
    step = byhand.compile(lambda w: F.conv2d(x, w), dialect="planned")
    step(byhand.randn(5, 4, 3, 3))
    lines = [line for line in step.text("lowered").splitlines() if "matmul(" in line]
    assert 1 < len(lines) <= convolution.PARTS
