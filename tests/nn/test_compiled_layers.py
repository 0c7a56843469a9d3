"""Layers and losses composed of ops: a step with each, compiled in every dialect, computes what the eager one does."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.autograd import grad
from byhand.nn import functional as F
from byhand.tensor import Tensor

RNG = np.random.default_rng(5)


def floats(*shape):
    return Tensor(RNG.standard_normal(shape)).requires_grad_()


def channels_last(*shape):
    n, c, *space = shape
    return Tensor(np.moveaxis(RNG.standard_normal((n, *space, c)), -1, 1)).requires_grad_()


def layer(name, *arguments, **options):
    return getattr(nn, name)(*arguments, **options).double()


VECTORS, OTHERS, MORE = floats(5, 4), floats(5, 4), floats(5, 4)
LABELS, SIGNS = Tensor(np.array([1, 0, 3, 2, 1])), Tensor(np.array([1, -1, 1, 1, -1]))
ROWS, IMAGES, LAST, VOLUMES = floats(3, 4, 5), floats(2, 4, 3, 3), channels_last(2, 4, 3, 3), floats(2, 4, 2, 2, 3)
SEVERAL = Tensor(np.array([[1, 0, -1, 2], [3, -1, 0, 0], [-1, 1, 1, 1], [0, 1, 2, 3], [2, -1, -1, -1]]))
BITS = Tensor(RNG.integers(0, 2, (5, 4)))
TIMES = floats(6, 2, 4)

NORMS = [
    (layer("BatchNorm1d", 4), ROWS), (layer("BatchNorm2d", 4), IMAGES), (layer("BatchNorm2d", 4), LAST),
    (layer("BatchNorm2d", 4, momentum=None), LAST), (layer("BatchNorm2d", 4).eval(), LAST),
    (layer("BatchNorm3d", 4), VOLUMES), (layer("InstanceNorm1d", 4), ROWS),
    (layer("InstanceNorm2d", 4, affine=True, track_running_stats=True), LAST), (layer("InstanceNorm3d", 4), VOLUMES),
    (layer("GroupNorm", 2, 4), IMAGES), (layer("GroupNorm", 2, 4), LAST), (layer("RMSNorm", 5), ROWS),
    (layer("RMSNorm", (4, 5), eps=0.1), ROWS), (layer("LocalResponseNorm", 3), ROWS),
    (layer("CrossMapLRN2d", 3), IMAGES),
]  # fmt: skip
DROPOUTS = [
    (layer("Dropout1d"), ROWS), (layer("Dropout2d", 0.3), IMAGES), (layer("Dropout3d"), VOLUMES),
    (layer("FeatureAlphaDropout"), IMAGES), (partial(F.gumbel_softmax, hard=True), VECTORS),
]  # fmt: skip
DISTANCES = [
    (layer("CosineSimilarity"), VECTORS, OTHERS), (layer("PairwiseDistance"), VECTORS, OTHERS), (F.pdist, VECTORS),
    (layer("TripletMarginLoss", swap=True), VECTORS, OTHERS, MORE),
    (nn.TripletMarginWithDistanceLoss(), VECTORS, OTHERS, MORE),
    (layer("MultiLabelMarginLoss"), VECTORS, SEVERAL), (layer("MultiLabelSoftMarginLoss"), VECTORS, BITS),
    (layer("LinearCrossEntropyLoss", 4, 6, bias=True), VECTORS, LABELS),
    (lambda x, y: layer_of_rare(x, y).loss, VECTORS, LABELS),
    (layer("CTCLoss"), TIMES, Tensor(np.array([[1, 1], [3, 2]])), Tensor(np.array([6, 5])), Tensor(np.array([2, 1]))),
]  # fmt: skip
layer_of_rare = layer("AdaptiveLogSoftmaxWithLoss", 4, 6, [2, 3], div_value=2.0)
WEIGHTS = [
    (nn.utils.parametrizations.weight_norm(layer("Linear", 4, 3)), VECTORS),
    (nn.utils.parametrizations.spectral_norm(layer("Linear", 4, 3)), VECTORS),
    (nn.utils.weight_norm(layer("Linear", 4, 3)), VECTORS), (nn.utils.spectral_norm(layer("Linear", 4, 3)), VECTORS),
]  # fmt: skip
GROUPS = {"normalisations": NORMS, "dropout": DROPOUTS, "distances and losses": DISTANCES, "weights": WEIGHTS}


def results(cases):
    """The value of each, its gradients, and the layers' buffers afterwards."""
    found = []
    for function, *given in cases:
        out = function(*given)
        wanted = [x for x in given if x.requires_grad]
        if isinstance(function, nn.Module):
            wanted += list(function.parameters())
        g = Tensor(np.linspace(0.5, 1.5, out.numel()).reshape(out.shape))
        found += [out.detach(), *grad(out, wanted, g)]
    return found


def buffers(cases):
    return [b for function, *_ in cases if isinstance(function, nn.Module) for b in function.buffers()]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("dialect", ["longhand", "planned", "loops"])
def test_eager_is_every_dialect(dialect, group):
    if dialect == "loops":
        pytest.importorskip("llvmlite")
    cases = GROUPS[group]
    before = [b.clone() for b in buffers(cases)]
    runs = []
    for step in (partial(results, cases), byhand.compile(partial(results, cases), dialect=dialect)):
        byhand.manual_seed(3)
        for buffer, value in zip(buffers(cases), before, strict=True):
            buffer.copy_(value)
        step()
        runs.append([x.array.copy() for x in [*step(), *buffers(cases)]])
    for expected, found in zip(*runs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
