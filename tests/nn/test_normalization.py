"""What normalisations refuse, and what they remember."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import ShapeError, UsageError
from byhand.nn import functional as F


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: nn.BatchNorm2d(3), (2, 3), r"BatchNorm2d\(3\) got .*expected \(N, 3, H, W\)"),
        (lambda: nn.BatchNorm2d(3), (2, 4, 5, 5), r"expected \(N, 3, H, W\)"),
        (lambda: nn.BatchNorm3d(3), (2, 3, 5, 5), r"expected \(N, 3, D, H, W\)"),
        (lambda: nn.InstanceNorm1d(3, affine=True), (2, 4, 5), r"expected \(N, 3, L\) or \(3, L\)"),
        (lambda: nn.InstanceNorm2d(3), (2, 5), r"expected \(N, 3, H, W\) or \(3, H, W\)"),
        (lambda: nn.InstanceNorm1d(3), (2, 3, 1), "more than one value"),
        (lambda: nn.GroupNorm(2, 4), (2, 6), r"GroupNorm\(2, 4\) got .*expected \(N, 4, ...\)"),
        (lambda: nn.RMSNorm(4), (2, 3), r"last axes to be \(4,\)"),
        (lambda: nn.LocalResponseNorm(3), (2, 3), "3 axes or more"),
        (lambda: nn.CrossMapLRN2d(3), (2, 3, 4), "takes \\(N, C, H, W\\)"),
    ],
)
def test_wrong_shapes(make, shape, message):
    with pytest.raises(ShapeError, match=message):
        make()(byhand.zeros(*shape))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.GroupNorm(3, 4), "4 channels cannot be divided into 3 groups"),
        (lambda: nn.SyncBatchNorm(3, process_group=object()), "one process"),
        (lambda: nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm1d(3), object()), "one process"),
        (lambda: F.instance_norm(byhand.zeros(2, 3, 4), use_input_stats=False), "running_mean and running_var"),
    ],
)
def test_wrong_use(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.group_norm(x, 2), "cannot be divided into 2 groups"),
        (lambda x: F.group_norm(x, 3, byhand.ones(2)), r"expected \(N, C, …\) and \(C\)"),
        (lambda x: F.rms_norm(x, (4,), byhand.ones(3)), r"weight has shape \(3,\); expected \(4,\)"),
        (lambda x: F.instance_norm(x[0, 0]), r"expected \(N, C, …\)"),
    ],
)
def test_wrong_arguments_of_functions(call, message):
    with pytest.raises(ShapeError, match=message):
        call(byhand.zeros(2, 3, 4))


def test_an_empty_batch_teaches_nothing():
    layer = nn.BatchNorm2d(3)
    assert layer(byhand.zeros(0, 3, 2, 2)).shape == (0, 3, 2, 2)
    assert layer.running_var.tolist() == [1, 1, 1]


def test_converting_leaves_batch_norm_as_it_is():
    model = nn.Sequential(nn.BatchNorm1d(3))
    assert nn.SyncBatchNorm.convert_sync_batchnorm(model) is model


def test_reset():
    for layer in (nn.InstanceNorm1d(3, affine=True, track_running_stats=True), nn.GroupNorm(1, 3), nn.RMSNorm(3)):
        before = {key: value.clone() for key, value in layer.state_dict().items()}
        if hasattr(layer, "running_mean"):
            layer(byhand.randn(4, 3, 5))
        with byhand.no_grad():
            layer.weight.add_(1)
        layer.reset_parameters()
        for key, value in layer.state_dict().items():
            np.testing.assert_array_equal(value.array, before[key].array)
