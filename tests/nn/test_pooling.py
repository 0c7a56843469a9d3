"""Layers for windows, borders and sizes: messages, and what a network with them learns. Values: tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import DomainError, ShapeError, UsageError
from byhand.nn import functional as F

IMAGE = byhand.ones(2, 3, 6, 6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.max_pool2d(IMAGE, (2, 2, 2)), UsageError, "kernel_size is an integer, or 2 of them, not"),
        (lambda: F.max_pool2d(IMAGE, 2.5), UsageError, "kernel_size is an integer"),
        (lambda: F.max_pool2d(IMAGE, 0), UsageError, "kernel_size must be greater than zero"),
        (lambda: F.max_pool2d(IMAGE, 2, 0), UsageError, "stride must be greater than zero"),
        (lambda: F.max_pool2d(IMAGE, 2, dilation=0), UsageError, "dilation must be greater than zero"),
        (lambda: F.max_pool2d(IMAGE, 2, padding=2), UsageError, "padding must be from 0 to half of the kernel's"),
        (lambda: F.avg_pool2d(IMAGE, 2, padding=-1), UsageError, "padding must be from 0 to half"),
        (lambda: F.avg_pool2d(IMAGE, 2, divisor_override=0), UsageError, "divisor_override must not be zero"),
        (
            lambda: F.max_pool2d(IMAGE, 7),
            ShapeError,
            r"shape \(2, 3, 6, 6\) is too small for windows of kernel_size=\(7",
        ),
        (lambda: F.max_pool2d(byhand.ones(6, 6), 2), ShapeError, r"expected 4 axes, \(N, C, …\), or 3, \(C, …\)"),
        (lambda: F.max_pool2d(byhand.ones(3, 0, 6), 2), ShapeError, "only N may be 0"),
        (lambda: F.adaptive_avg_pool2d(IMAGE, (1, 2, 3)), UsageError, "a size, or one for each of the last 2 axes"),
        (lambda: F.adaptive_max_pool2d(IMAGE, (1, -2)), UsageError, "a size, or one for each of the last 2 axes"),
        (lambda: F.max_unpool2d(IMAGE, byhand.ones(2, 3, 6, 5).long(), 2), ShapeError, "expected the same"),
        (
            lambda: F.max_unpool2d(IMAGE, byhand.zeros(2, 3, 6, 6).long(), 2, output_size=(9, 12)),
            UsageError,
            r"expected \(12, 12\), give or take less than the stride \(2, 2\)",
        ),
        (
            lambda: F.max_unpool2d(IMAGE, 200 * byhand.ones(2, 3, 6, 6).long(), 2),
            DomainError,
            "has the places 0 to 143",
        ),
        (lambda: F.fractional_max_pool2d(IMAGE, 2), UsageError, "either output_size or output_ratio"),
        (lambda: F.fractional_max_pool2d(IMAGE, 2, 6), ShapeError, r"no \(6, 6\) windows of \(2, 2\) have a place"),
        (lambda: nn.FractionalMaxPool2d(2), UsageError, "FractionalMaxPool2d: give either"),
        (lambda: nn.FractionalMaxPool2d(2, output_ratio=1.5), UsageError, "must lie between 0 and 1, not 1.5"),
        (lambda: F.pad(IMAGE, (1, 1), mode="mirror"), UsageError, "mode is one of .* not 'mirror'"),
        (lambda: F.pad(IMAGE, (1, 1), mode="reflect", value=2.0), UsageError, "value=2.0 belongs to mode='constant'"),
        (lambda: F.pad(IMAGE, (1, 1, 1), mode="reflect"), ShapeError, "must be pairs"),
        (
            lambda: F.pad(IMAGE, (6, 0), mode="reflect"),
            ShapeError,
            r"\(6, 0\) do not fit axis 3 of .* at most 5 a side",
        ),
        (lambda: F.pad(IMAGE, (0, 7), mode="circular"), ShapeError, "at most 6 a side"),
        (lambda: F.interpolate(IMAGE), UsageError, "either size or scale_factor"),
        (lambda: F.interpolate(IMAGE, 3, 2.0), UsageError, "either size or scale_factor"),
        (lambda: F.interpolate(IMAGE, (3, 3, 3)), UsageError, r"a value for each of the axes \(6, 6\)"),
        (lambda: F.interpolate(IMAGE, 3, mode="cubic"), UsageError, "mode is one of .* not 'cubic'"),
        (lambda: F.interpolate(IMAGE, 3, mode="linear"), ShapeError, "which mode='linear' does not take"),
        (lambda: F.interpolate(IMAGE, 3, align_corners=True), UsageError, "align_corners has a meaning for"),
        (lambda: F.interpolate(IMAGE, 3, antialias=True), UsageError, "antialias has a meaning for"),
        (lambda: F.interpolate(IMAGE, 3, recompute_scale_factor=True), UsageError, "there is none beside size"),
        (lambda: F.interpolate(IMAGE, 0), ShapeError, r"the output would have the sizes \[0, 0\]"),
        (lambda: F.pixel_shuffle(IMAGE, 2), ShapeError, r"expected \(…, C · 2², H, W\)"),
        (lambda: F.pixel_unshuffle(IMAGE, 4), ShapeError, r"expected \(…, C, H · 4, W · 4\)"),
        (lambda: F.channel_shuffle(IMAGE, 2), ShapeError, r"expected \(N, C · 2, …\)"),
        (
            lambda: F.grid_sample(IMAGE, byhand.ones(2, 4, 4, 3)),
            ShapeError,
            r"expected \(N, C, H, W\) and \(N, H', W', 2\)",
        ),
        (lambda: F.grid_sample(IMAGE, byhand.ones(2, 4, 4, 2), "cubic"), UsageError, "expected one of"),
        (lambda: F.affine_grid(byhand.ones(2, 2, 2), (2, 3, 4, 4)), ShapeError, r"expected \(N, 2, 3\)"),
        (lambda: nn.ZeroPad2d((1, 2)), UsageError, "ZeroPad2d: padding is an integer, or 4 of them"),
        (lambda: nn.MaxPool2d(2)(byhand.ones(6, 6)), ShapeError, r"got x of shape \(6, 6\)"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_empty_batch_is_pooled_and_padded():
    x = byhand.ones(0, 3, 6, 6, requires_grad=True)
    for layer in (nn.MaxPool2d(2), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(3), nn.ReflectionPad2d(1)):
        layer(x).sum().backward()
        assert x.grad.shape == x.shape


def test_constant_input_is_not_changed_by_means_and_interpolation():
    for out in (
        F.avg_pool2d(IMAGE, 3, 2), F.adaptive_avg_pool2d(IMAGE, (4, 5)), F.interpolate(IMAGE, (4, 9), mode="bicubic"),
        F.interpolate(IMAGE, scale_factor=0.5, mode="bilinear", antialias=True),
    ):  # fmt: skip
        np.testing.assert_allclose(out.array, 1.0, rtol=1e-6)


def test_a_result_shares_no_memory_with_its_input():
    for out in (F.interpolate(IMAGE, 6), F.pad(IMAGE, (0, 0), mode="circular"), F.adaptive_avg_pool2d(IMAGE, 6)):
        assert not np.shares_memory(out.array, IMAGE.array)
