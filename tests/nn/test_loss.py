"""Losses: second derivatives, messages about bad input. Their values are compared with PyTorch's in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.autograd import gradcheck, gradgradcheck
from byhand.core.errors import DomainError, DtypeError, ShapeError, UsageError
from byhand.nn import functional as F
from byhand.tensor import Tensor

RNG = np.random.default_rng(11)
LABELS = np.array([0, 2, 1, 3, 2])


def leaf(*shape, low=-2.0, high=2.0):
    return Tensor(RNG.uniform(low, high, shape)).requires_grad_()


def labels(values=LABELS):
    return Tensor(np.asarray(values))


SIGNS = Tensor(np.array([1.0, -1.0, 1.0, 1.0, -1.0]))
BY_LABELS = {
    "cross_entropy": lambda x: F.cross_entropy(x, labels()),
    "cross_entropy rows": lambda x: F.cross_entropy(x, labels(), reduction="none"),
    "cross_entropy smoothed": lambda x: F.cross_entropy(x, labels(), label_smoothing=0.3),
    "cross_entropy weighted": lambda x: F.cross_entropy(x, labels(), Tensor(np.arange(4.0)), ignore_index=1),
    "nll": lambda x: F.nll_loss(F.log_softmax(x, 1), labels()),
    "multi_margin": lambda x: F.multi_margin_loss(x, labels()),
    "multi_margin squared": lambda x: F.multi_margin_loss(x, labels(), p=2, margin=0.7),
}  # fmt: skip
BY_VALUES = {
    "mse": F.mse_loss, "l1": F.l1_loss, "smooth_l1": F.smooth_l1_loss,
    "huber": lambda x, t: F.huber_loss(x, t, delta=0.5),
    "bce_logits": F.binary_cross_entropy_with_logits, "kl": lambda x, t: F.kl_div(x, t, log_target=True),
    "cross_entropy": F.cross_entropy, "poisson": F.poisson_nll_loss, "soft_margin": F.soft_margin_loss,
    "bce_logits positive": lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=Tensor(np.array(3.0))),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_LABELS)
def test_derivatives_of_losses_by_labels(name):
    x = leaf(5, 4)
    assert gradcheck(BY_LABELS[name], x, rtol=1e-6, atol=1e-7)
    assert gradgradcheck(BY_LABELS[name], x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BY_VALUES)
def test_derivatives_of_losses_of_values(name):
    inputs = leaf(5, 4), leaf(5, 4)
    assert gradcheck(BY_VALUES[name], inputs, rtol=1e-6, atol=1e-7)
    assert gradgradcheck(BY_VALUES[name], inputs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("function", [F.binary_cross_entropy, F.kl_div])
def test_derivatives_of_losses_of_probabilities(function):
    inputs = leaf(5, low=0.1, high=0.9), leaf(5, low=0.1, high=0.9)
    assert gradcheck(function, inputs, rtol=1e-6, atol=1e-7)
    assert gradgradcheck(function, inputs, rtol=1e-5, atol=1e-6)


def test_derivatives_of_losses_by_signs():
    assert gradgradcheck(lambda x: F.hinge_embedding_loss(x, SIGNS), leaf(5))
    assert gradgradcheck(lambda a, b: F.margin_ranking_loss(a, b, SIGNS, 0.5), (leaf(5), leaf(5)))
    assert gradgradcheck(lambda a, b: F.cosine_embedding_loss(a, b, SIGNS, 0.1), (leaf(5, 3), leaf(5, 3)))


def test_derivatives_of_the_gaussian_loss():
    assert gradgradcheck(F.gaussian_nll_loss, (leaf(5), leaf(5), leaf(5, low=0.5)))


# the plain case is fast: one recorded op


def test_cross_entropy_of_labels_is_one_op():
    x = leaf(5, 4)
    loss = F.cross_entropy(x, labels())
    assert loss.node.op.name == "cross_entropy_mean"
    assert loss.node.inputs[0] is x.node


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
def test_labels_of_any_integer_type(dtype):
    x = leaf(5, 4)
    assert F.cross_entropy(x, Tensor(LABELS.astype(dtype))).item() == F.cross_entropy(x, labels()).item()
    assert F.nll_loss(x, Tensor(LABELS.astype(dtype))).item() == F.nll_loss(x, labels()).item()
    if np.dtype(dtype).kind == "i":
        with pytest.raises(DomainError, match="label -1 at position 1"):
            F.cross_entropy(x, Tensor(np.array([0, -1, 0, 0, 0], dtype)))


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss", "MultiMarginLoss", "HuberLoss"])
def test_float32_stays_float32(name):
    x = byhand.randn(5, 4, requires_grad=True)
    target = byhand.tensor(LABELS) if name in ("CrossEntropyLoss", "MultiMarginLoss") else byhand.randint(2, (5, 4))
    loss = getattr(nn, name)()(x, target)
    loss.backward()
    assert loss.dtype == x.grad.dtype == np.float32


def test_weights_are_saved_and_cast_with_the_module():
    loss = nn.CrossEntropyLoss(byhand.tensor([1.0, 2.0]))
    assert loss.double().weight.dtype == np.float64
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.BCEWithLogitsLoss(pos_weight=byhand.ones(1)).state_dict()) == ["pos_weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


def test_a_loss_that_is_all_ignored_is_nan_with_a_gradient_of_zero():
    x = leaf(2, 3)
    loss = F.cross_entropy(x, labels([-100, -100]))
    loss.backward()
    assert np.isnan(loss.item())
    assert np.array_equal(x.grad.array, np.zeros((2, 3)))


def test_ignored_labels_within_the_range_of_classes():
    x = leaf(3, 4)
    expected = F.cross_entropy(x[1:], labels([1, 2]))
    assert np.isclose(F.cross_entropy(x, labels([0, 1, 2]), ignore_index=0).item(), expected.item())


# bad input: labels


def logits(n=5, c=4):
    return byhand.randn(n, c)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            [0, 1, 2, 10, 0],
            r"label 10 at position 3 is out of range for logits with 4 classes \(0 to 3\); the last layer needs",
        ),
        (
            [0, 4, 2, 7, 0],
            r"label 4 at position 1 .* and 1 more labels are; the last layer needs one output for each class",
        ),
        ([1, 2, 3, 4, 1], r"label 4 at position 3 .*do the labels start at 1\? subtract 1"),
        ([0, 1, -1, 0, 0], r"label -1 at position 2 .*labels start at 0"),
    ],
)
def test_labels_out_of_range(name, reduction, wrong, message):
    with pytest.raises(DomainError, match=rf"^{name}: {message}"):
        getattr(nn, name)(reduction=reduction)(logits(), labels(wrong))


def test_labels_out_of_range_in_an_image():
    with pytest.raises(DomainError, match="label 9 at position 1, 0, 2 is out of range"):
        F.cross_entropy(byhand.randn(2, 4, 3, 3), labels(np.array([[[0] * 3] * 3, [[0, 0, 9], [0] * 3, [0] * 3]])))


def test_the_module_that_holds_the_loss_is_named_too():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.criterion = nn.CrossEntropyLoss()

        def forward(self, x):
            return self.criterion(x, labels([7]))

    with pytest.raises(DomainError, match=r"^model\.criterion: CrossEntropyLoss: label 7 at position 0"):
        Wrapped()(logits(1))


@pytest.mark.parametrize(
    ("x", "target", "error", "message"),
    [
        ((5, 4), LABELS.astype(np.float32), DtypeError, r"labels must be integers, not float32; use target.long\(\)"),
        ((5, 4), LABELS > 1, DtypeError, r"labels must be integers, not bool; use target.long\(\)"),
        ((5, 4), np.eye(4)[LABELS] > 0, DtypeError, r"use target.float\(\), for labels target.argmax\(1\)"),
        (
            (5, 4),
            np.eye(4, dtype=int)[LABELS],
            ShapeError,
            r"or class probabilities as floats: target.argmax\(1\) or target.float\(\)",
        ),
        (
            (5, 4),
            LABELS[:, None],
            ShapeError,
            r"labels \(5, 1\); expected labels of shape \(5,\): target.squeeze\(-1\)",
        ),
        (
            (5, 4),
            LABELS[:4],
            ShapeError,
            r"logits have shape \(5, 4\) and labels \(4,\); expected labels of shape \(5,\)",
        ),
        ((5, 4, 2), LABELS, ShapeError, r"expected labels of shape \(5, 2\)"),
        ((), LABELS[0], ShapeError, "logits have shape"),
    ],
)
def test_labels_of_the_wrong_kind(x, target, error, message):
    with pytest.raises(error, match=f"^CrossEntropyLoss: .*{message}"):
        nn.CrossEntropyLoss()(byhand.randn(*x), Tensor(np.asarray(target)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.CrossEntropyLoss(byhand.ones(3))(logits(), labels()),
            ShapeError,
            r"weight has shape \(3,\); expected one for each of the 4 classes",
        ),
        (lambda: F.cross_entropy(logits(), byhand.ones(5, 4), byhand.ones(3)), ShapeError, r"weight has shape \(3,\)"),
        (
            lambda: F.cross_entropy(logits(), byhand.ones(5, 4), ignore_index=2),
            UsageError,
            "ignore_index is for integer labels",
        ),
        (
            lambda: F.cross_entropy(logits(), labels(), label_smoothing=1.5),
            UsageError,
            "label_smoothing lies between 0 and 1",
        ),
        (lambda: nn.CrossEntropyLoss(label_smoothing=-1), UsageError, "label_smoothing lies between 0 and 1, got -1"),
        (
            lambda: nn.CrossEntropyLoss(reduction="avg"),
            UsageError,
            "reduction is one of 'mean', 'sum', 'none', not 'avg'",
        ),
        (lambda: F.cross_entropy(logits(), labels(), reduction="avg"), UsageError, "not 'avg'"),
        (lambda: F.mse_loss(leaf(2), leaf(2), reduction="batchmean"), UsageError, "not 'batchmean'"),
        (lambda: nn.MultiMarginLoss(p=3), UsageError, "p is 1 or 2, not 3"),
        (lambda: F.multi_margin_loss(logits(), labels(), p=0), UsageError, "p is 1 or 2, not 0"),
        (lambda: F.multi_margin_loss(byhand.ones(2, 3, 4), labels()), ShapeError, r"takes scores \(N, C\) or \(C\)"),
        (lambda: F.huber_loss(leaf(2), leaf(2), delta=0), UsageError, "delta must be positive"),
        (lambda: F.smooth_l1_loss(leaf(2), leaf(2), beta=-1), UsageError, "beta is not negative"),
        (
            lambda: F.cross_entropy(byhand.ones(0, 4), labels(np.zeros(0, int))),
            ShapeError,
            "there is no value to average .* is the batch empty",
        ),
        (lambda: F.mse_loss(byhand.ones(0), byhand.ones(0)), ShapeError, "is the batch empty"),
        (lambda: F.mse_loss(leaf(2), leaf(2), weight=byhand.ones(3)), ShapeError, r"weight has shape \(3,\)"),
        (lambda: F.cosine_embedding_loss(leaf(5, 2), leaf(5, 2), leaf(4)), ShapeError, r"expected \(N, D\) and \(N\)"),
        (lambda: F.gaussian_nll_loss(leaf(5, 2), leaf(5, 2), byhand.ones(3)), ShapeError, r"var has shape \(3,\)"),
        (lambda: F.gaussian_nll_loss(leaf(5), leaf(5), -byhand.ones(5)), DomainError, "var must not be negative"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


# bad input: values

ELEMENTWISE = [
    "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss", "KLDivLoss", "PoissonNLLLoss",
    "SoftMarginLoss", "HingeEmbeddingLoss",
]  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (
            (5,),
            (5, 1),
            r"input has shape \(5,\) and target \(5, 1\), .*: target.squeeze\(-1\)",
        ),
        (
            (5, 1),
            (5,),
            r"input has shape \(5, 1\) and target \(5,\), .*: input.squeeze\(-1\) or target.unsqueeze\(-1\)",
        ),
        ((5, 3), (3,), r".*would broadcast to \(5, 3\); make them equal: target.expand_as\(input\)"),
        ((5, 1), (1, 3), r".*would broadcast to \(5, 3\); make them equal$"),
        ((5, 3), (3, 5), r"input has shape \(5, 3\) and target \(3, 5\); expected equal shapes"),
    ],
)
def test_nothing_broadcasts(name, a, b, message):
    with pytest.raises(ShapeError, match=f"^{name}: {message}"):
        getattr(nn, name)()(byhand.full(a, 0.5), byhand.full(b, 0.5))


def test_bce_of_logits_says_what_to_type():
    for wrong in ([0.5, 1.5], [-0.1, 0.5], [0.5, float("nan")]):
        with pytest.raises(DomainError, match=r"BCELoss: input holds probabilities from 0 to 1.*apply sigmoid first"):
            nn.BCELoss()(byhand.tensor(wrong), byhand.zeros(2))


def test_integer_targets_become_floats():
    x = byhand.rand(4)
    bits = byhand.tensor([0, 1, 1, 0])
    for name in ("MSELoss", "BCELoss", "BCEWithLogitsLoss", "L1Loss"):
        loss = getattr(nn, name)()
        assert loss(x, bits).dtype == np.float32
        assert loss(x, bits).item() == loss(x, bits.float()).item() == loss(x, bits.bool()).item()
