"""Layers of convolution: settings, parameters, printed forms, messages. Values are held by parity."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import DtypeError, ShapeError, UsageError
from byhand.nn import functional as F

FORMS = [
    (nn.Conv2d(3, 8, 3), "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))"),
    (
        nn.Conv1d(4, 8, 3, 2, "valid", 2, groups=2, bias=False),
        "Conv1d(4, 8, kernel_size=(3,), stride=(2,), padding=valid, dilation=(2,), groups=2, bias=False)",
    ),
    (
        nn.Conv3d(2, 2, (1, 2, 3), padding=1, padding_mode="circular"),
        "Conv3d(2, 2, kernel_size=(1, 2, 3), stride=(1, 1, 1), padding=(1, 1, 1), padding_mode=circular)",
    ),
    (
        nn.ConvTranspose2d(3, 8, 4, 2, 1, 1),
        "ConvTranspose2d(3, 8, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))",
    ),
    (nn.Unfold(3, padding=1), "Unfold(kernel_size=3, dilation=1, padding=1, stride=1)"),
    (nn.Fold((4, 5), 2), "Fold(output_size=(4, 5), kernel_size=2, dilation=1, padding=0, stride=1)"),
]


@pytest.mark.parametrize(("layer", "form"), FORMS, ids=lambda x: x if isinstance(x, str) else "")
def test_layers_print_as_in_pytorch(layer, form):
    assert repr(layer) == form


@pytest.mark.parametrize("layer", [layer for layer, _ in FORMS], ids=lambda m: m.describe())
def test_copies_compute_the_same(layer):
    shape = {1: (4, 9), 2: (3, 6, 6), 3: (2, 4, 4, 4)}.get(getattr(layer, "ndim", 0))
    if shape is None:
        shape = (2, 4, 12) if isinstance(layer, nn.Fold) else (2, 3, 6, 6)
    x = byhand.randn(*shape)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert np.array_equal(twin(x).array, layer(x).array)


@pytest.mark.parametrize(
    ("layer", "shape", "fan"),
    [
        (nn.Conv1d(6, 40, 5, groups=2), (40, 3, 5), 15),
        (nn.Conv2d(4, 50, (2, 3)), (50, 4, 2, 3), 24),
        (nn.ConvTranspose2d(50, 4, 3), (50, 4, 3, 3), 36),
    ],
)
def test_parameters_are_drawn_as_in_pytorch(layer, shape, fan):
    bound = 1 / math.sqrt(fan)
    assert layer.weight.shape == shape
    for parameter in (layer.weight, layer.bias):
        assert parameter.abs().max().item() <= bound
    assert layer.weight.abs().max().item() > 0.9 * bound


def test_the_weight_lies_as_the_matrix_of_the_product():
    layer = nn.Conv2d(3, 8, 3)
    assert layer.weight.array.transpose(2, 3, 1, 0).flags.c_contiguous
    assert layer.state_dict()["weight"].shape == (8, 3, 3, 3)
    other = nn.Conv2d(3, 8, 3)
    other.load_state_dict(layer.state_dict())
    assert np.array_equal(other.weight.array, layer.weight.array)
    assert other.weight.array.transpose(2, 3, 1, 0).flags.c_contiguous


def test_inputs_may_be_without_a_batch():
    for layer, shape in ((nn.Conv1d(2, 3, 2), (2, 5)), (nn.Conv2d(2, 3, 2), (2, 5, 5)), (nn.Unfold(2), (2, 5, 5))):
        x = byhand.randn(*shape)
        assert np.array_equal(layer(x).array, layer(x.unsqueeze(0)).array[0])


def test_same_keeps_the_size():
    for kernel in (1, 2, 3, 4):
        assert nn.Conv2d(2, 3, kernel, padding="same", dilation=2)(byhand.randn(1, 2, 9, 8)).shape == (1, 3, 9, 8)


def test_output_size_chooses_the_padding():
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    x = byhand.randn(1, 2, 4, 4)
    for size in (7, 8):
        assert layer(x, output_size=(size, size)).shape == (1, 3, size, size)
        assert layer(x, output_size=(1, 3, size, size)).shape == (1, 3, size, size)
    with pytest.raises(ShapeError, match=r"output_size=\(9, 9\).*from \[7, 7\] to \[8, 8\]"):
        layer(x, output_size=(9, 9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "Conv2d: groups=2 must divide in_channels=3"),
        (lambda: nn.Conv2d(4, 3, 3, groups=0), "groups=0"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "kernel_size is an integer, or 2 of them"),
        (lambda: nn.Conv2d(-3, 4, 3), "in_channels is a number of values, not -3"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), "'same' or 'valid', not 'full'"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1), "padding cannot be negative"),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), "padding='same' needs stride 1"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "padding_mode is one of zeros, reflect"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), "padding_mode is 'zeros'"),
        (lambda: F.conv2d(byhand.zeros(1, 3, 5, 5), byhand.zeros(4, 3, 3, 3), stride=0), "stride must be positive"),
        (lambda: F.conv2d(byhand.zeros(1, 3, 5, 5), byhand.zeros(4, 1, 3, 3), groups=3), "are no 3 groups"),
        (
            lambda: F.conv_transpose1d(byhand.zeros(1, 3, 5), byhand.zeros(3, 2, 3), output_padding=1),
            "output_padding",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3)(byhand.zeros(2, 4, 8, 8)), r"expected \(N, 3, H, W\) or \(3, H, W\)"),
        (lambda: nn.Conv2d(3, 4, 3)(byhand.zeros(2, 2, 3, 8, 8)), r"conv2d: input \(2, 2, 3, 8, 8\)"),
        (lambda: nn.Conv2d(3, 4, 9)(byhand.zeros(2, 3, 8, 8)), "too small for a kernel"),
        (lambda: F.conv1d(byhand.zeros(2, 3, 8), byhand.zeros(4, 3, 3), byhand.zeros(3)), r"bias has shape \(3,\)"),
        (lambda: F.conv_transpose1d(byhand.zeros(2, 3, 1), byhand.zeros(3, 2, 3), padding=2), "gives a size of"),
        (lambda: F.unfold(byhand.zeros(2, 3, 2, 2), 3), "too small"),
        (lambda: F.unfold(byhand.zeros(2, 3), 3), r"expected \(N, C, H, W\) or \(C, H, W\)"),
        (lambda: F.fold(byhand.zeros(2, 4, 5), (4, 4), 2), r"a multiple of 4 rows, and 3 · 3 columns"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ShapeError) as caught:
        call()
    assert caught.match(message) or any(message in note for note in getattr(caught.value, "__notes__", ()))


def test_integers_are_refused():
    with pytest.raises(DtypeError, match=r"use input.float\(\)"):
        nn.Conv2d(1, 1, 1)(byhand.zeros(1, 1, 2, 2, dtype=byhand.int64))
