"""What the losses of alignments, several labels, triplets and rare classes refuse; samples of `gumbel_softmax`."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.core.errors import DomainError, DtypeError, ShapeError, UsageError
from byhand.nn import functional as F

LOGS = byhand.zeros(5, 2, 3)
PAIRS = byhand.tensor([[1, 2], [2, 1]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.ctc_loss(byhand.zeros(3), PAIRS, (5, 5), (2, 2)), ShapeError, r"expected \(T, N, C\)"),
        (lambda: F.ctc_loss(LOGS, PAIRS, (5, 5), (2, 2), blank=3), UsageError, "blank=3"),
        (lambda: F.ctc_loss(LOGS, PAIRS, (5,), (2, 2)), ShapeError, r"input_lengths has shape \(1,\)"),
        (lambda: F.ctc_loss(LOGS, PAIRS, (5.0, 5.0), (2, 2)), DtypeError, "input_lengths are integers"),
        (lambda: F.ctc_loss(LOGS, PAIRS, (5, 6), (2, 2)), DomainError, "input_lengths lie between 0 and 5, here is 6"),
        (lambda: F.ctc_loss(LOGS, PAIRS, (5, 5), (2, 3)), DomainError, "target_lengths lie between 0 and 2, here is 3"),
        (lambda: F.ctc_loss(LOGS, PAIRS[:1], (5, 5), (2, 2)), ShapeError, r"expected \(2, S\)"),
        (lambda: F.ctc_loss(LOGS, PAIRS.float(), (5, 5), (2, 2)), DtypeError, "targets are integers"),
        (lambda: F.ctc_loss(LOGS, PAIRS + 1, (5, 5), (2, 2)), DomainError, "label 3 is out of range for 3 classes"),
        (lambda: F.multilabel_margin_loss(byhand.zeros(2, 3), PAIRS), ShapeError, r"expected \(N, C\) or \(C\)"),
        (lambda: F.multilabel_margin_loss(byhand.zeros(2, 2), PAIRS.float()), DtypeError, "labels must be integers"),
        (lambda: F.multilabel_margin_loss(byhand.zeros(2, 2), PAIRS), DomainError, "label 2 is out of range"),
        (lambda: F.multilabel_soft_margin_loss(byhand.tensor(1.0), byhand.tensor(1.0)), ShapeError, "a single number"),
        (lambda: F.triplet_margin_loss(LOGS, LOGS, LOGS[0]), ShapeError, "as many axes for all"),
        (lambda: F.triplet_margin_loss(LOGS, LOGS, LOGS, margin=0), UsageError, "margin must be positive"),
        (lambda: F.triplet_margin_with_distance_loss(LOGS, LOGS, LOGS, margin=-1), UsageError, "must be positive"),
        (lambda: nn.TripletMarginLoss(margin=0), UsageError, "TripletMarginLoss: margin must be positive"),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=0), UsageError, "margin must be positive"),
        (lambda: nn.LinearCrossEntropyLoss(2, 3, label_smoothing=2), UsageError, "label_smoothing lies between"),
        (lambda: F.pdist(LOGS), ShapeError, r"takes a matrix \(N, M\)"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 10, [5, 2]), UsageError, "larger than the one before"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2])(byhand.zeros(3, 8), PAIRS), ShapeError, "input has shape"),
        (
            lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2])(byhand.zeros(2, 8), byhand.tensor([1, 10])),
            DomainError,
            "label 10 is out of range for 10 classes",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_layers_name_themselves():
    with pytest.raises(DomainError, match=r"CTCLoss: the label 3 is out of range"):
        nn.CTCLoss()(LOGS, PAIRS + 1, (5, 5), (2, 2))


def test_adaptive_log_softmax_starts_anew():
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 5], div_value=2)
    before = [p.clone() for p in layer.parameters()]
    layer.reset_parameters()
    assert all((p != q).all() for p, q in zip(before, layer.parameters(), strict=True))
    assert np.allclose(layer.log_prob(byhand.randn(4, 8)).exp().sum(1).array, 1, atol=1e-5)


def test_gumbel_softmax_samples_the_softmax():
    byhand.manual_seed(0)
    logits = byhand.tensor([0.0, 1.0, 2.0]).expand(20000, 3)
    drawn = F.gumbel_softmax(logits, hard=True)
    assert set(np.unique(drawn.array.round(6))) == {0, 1}
    np.testing.assert_allclose(drawn.mean(0).array, F.softmax(logits[0], 0).array, atol=0.015)
    soft = F.gumbel_softmax(logits, tau=0.5)
    np.testing.assert_allclose(soft.sum(1).array, 1, rtol=1e-5)


def test_gradients_of_hard_samples_are_those_of_soft_ones():
    grads = []
    for hard in (True, False):
        byhand.manual_seed(4)
        x = byhand.tensor([[0.3, -1.0, 2.0]], requires_grad=True)
        (F.gumbel_softmax(x, 0.7, hard) * byhand.tensor([1.0, 2.0, 3.0])).sum().backward()
        grads.append(x.grad.array)
    np.testing.assert_allclose(*grads, rtol=1e-6)


INPLACE = {
    "relu_": (), "leaky_relu_": (0.2,), "rrelu_": (0.1, 0.1), "elu_": (0.5,), "celu_": (0.5,), "selu_": (),
    "hardtanh_": (-0.5, 0.5), "threshold_": (0.1, 7.0),
}  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_activations_in_place(name):
    x = byhand.tensor([-2.0, -0.3, 0.4, 3.0])
    expected = getattr(F, name[:-1])(x.clone(), *INPLACE[name])
    assert getattr(F, name)(x, *INPLACE[name]) is x
    np.testing.assert_array_equal(x.array, expected.array)
