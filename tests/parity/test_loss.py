"""Every loss beside PyTorch's in float64: values and gradients to 1e-9, over many arguments."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from byhand import nn  # noqa: E402
from byhand.nn import functional as F  # noqa: E402
from byhand.tensor import Tensor  # noqa: E402
from parity.comparison import RNG, compare, values  # noqa: E402

# losses by labels

REDUCTIONS = ["mean", "sum", "none"]
LABELLED = {
    "rows": ((7, 4), (7,)),
    "pixels": ((3, 4, 2, 5), (3, 2, 5)),
    "sequence": ((3, 4, 6), (3, 6)),
    "single": ((4,), ()),
}


def labels_of(shape, dtype=np.int64):
    return np.asarray(RNG.integers(0, 4, shape), dtype=dtype)


def compare_weighted(name, weight, options, scores, labels):
    """A loss by labels, with a weight for each class or None."""
    mine = getattr(nn, name)(weight=None if weight is None else Tensor(weight), **options)
    other = getattr(torch.nn, name)(weight=None if weight is None else torch.tensor(weight), **options)
    compare(lambda x: mine(x, Tensor(labels)), lambda x: other(x, torch.tensor(labels)), [scores])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("ignore", [None, -100, -1, 2])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", LABELLED)
def test_cross_entropy(shape, weighted, ignore, smoothing, reduction):
    logits, labels = values(*LABELLED[shape][0]), labels_of(LABELLED[shape][1])
    options = {"reduction": reduction, "label_smoothing": smoothing}
    if ignore is not None:
        options["ignore_index"] = ignore
        if labels.size > 1:
            labels.flat[::3] = ignore
    weight = values(4, low=0.2) if weighted else None
    compare_weighted("CrossEntropyLoss", weight, options, logits, labels)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", LABELLED)
def test_cross_entropy_of_probabilities(shape, weighted, smoothing, reduction):
    shape = LABELLED[shape][0]
    options = {"weight": values(4, low=0.2)} if weighted else {}
    wanted = values(*shape, low=0.01)
    compare(
        lambda x, t, **o: F.cross_entropy(x, t, reduction=reduction, label_smoothing=smoothing, **o),
        lambda x, t, **o: torch.nn.functional.cross_entropy(x, t, reduction=reduction, label_smoothing=smoothing, **o),
        [values(*shape), wanted], options, constant=options,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_cross_entropy_takes_labels_of(dtype):
    labels = labels_of((7,), dtype)
    compare(F.cross_entropy, torch.nn.functional.cross_entropy, [values(7, 4), labels])


def test_cross_entropy_of_ignored_labels_only_is_nan():
    compare(F.cross_entropy, torch.nn.functional.cross_entropy, [values(3, 4), np.full(3, -100)])


def test_cross_entropy_far_out():
    compare(
        F.cross_entropy, torch.nn.functional.cross_entropy, [values(5, 4, low=-3000.0, high=3000.0), labels_of((5,))]
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("ignore", [None, -1, 2])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", LABELLED)
def test_nll(shape, weighted, ignore, reduction):
    logs, labels = values(*LABELLED[shape][0]), labels_of(LABELLED[shape][1])
    options = {"reduction": reduction}
    if ignore is not None:
        options["ignore_index"] = ignore
        if labels.size > 1:
            labels.flat[::3] = ignore
    weight = values(4, low=0.2) if weighted else None
    compare_weighted("NLLLoss", weight, options, logs, labels)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("margin", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", ["rows", "single"])
def test_multi_margin(shape, weighted, margin, p, reduction):
    scores, labels = values(*LABELLED[shape][0]), labels_of(LABELLED[shape][1])
    weight = values(4, low=0.2) if weighted else None
    options = {"p": p, "margin": margin, "reduction": reduction}
    compare_weighted("MultiMarginLoss", weight, options, scores, labels)


# losses value by value

SIZES = {"vector": (6,), "matrix": (4, 3), "scalar": (), "cube": (2, 3, 2)}


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "options"),
    [("MSELoss", {}), ("L1Loss", {}), ("SmoothL1Loss", {}), ("SmoothL1Loss", {"beta": 0.3}),
     ("SmoothL1Loss", {"beta": 0}), ("HuberLoss", {}), ("HuberLoss", {"delta": 0.4}),
     ("KLDivLoss", {"log_target": True}), ("BCEWithLogitsLoss", {}), ("PoissonNLLLoss", {})],
)  # fmt: skip
def test_losses_of_values(name, options, reduction, shape):
    mine, other = (
        getattr(nn, name)(**options, reduction=reduction),
        getattr(torch.nn, name)(**options, reduction=reduction),
    )
    compare(mine, other, [values(*SIZES[shape]), values(*SIZES[shape])])


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"])
def test_losses_where_input_and_target_meet(name):
    x = np.array([0.0, 1.0, -1.0, 2.0, 0.0])
    t = np.array([0.0, 0.0, 0.0, 2.0, 1.0])
    compare(getattr(nn, name)(), getattr(torch.nn, name)(), [x, t])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weighted_losses_of_values(name, reduction):
    args, options = [values(4, 3), values(4, 3)], {"weight": values(4, 3, low=0.1)}
    compare(
        lambda x, t, weight: getattr(F, name)(x, t, reduction=reduction, weight=weight),
        lambda x, t, weight: getattr(torch.nn.functional, name)(x, t, reduction=reduction, weight=weight),
        args, options, constant=options,
    )  # fmt: skip


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [True, False])
def test_bce(shape, reduction, weighted):
    shape = SIZES[shape]
    options = {"weight": values(*shape[-1:], low=0.1)} if weighted else {}
    compare(
        lambda x, t, **o: F.binary_cross_entropy(x, t, reduction=reduction, **o),
        lambda x, t, **o: torch.nn.functional.binary_cross_entropy(x, t, reduction=reduction, **o),
        [values(*shape, low=0.01, high=0.99), values(*shape, low=0.0, high=1.0)], options, constant=options,
    )  # fmt: skip


def test_bce_where_the_logarithm_is_bounded():
    x = np.array([0.0, 1.0, 0.0, 1.0, 1e-300, 1e-50, 0.5, 1 - 1e-16])
    t = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.3, 0.5, 0.2])
    compare(lambda x: nn.BCELoss()(x, Tensor(t)), lambda x: torch.nn.BCELoss()(x, torch.tensor(t)), [x])


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("weighted", "positive"), list(itertools.product([True, False], repeat=2)))
def test_bce_with_logits(shape, reduction, weighted, positive):
    shape = SIZES[shape]
    options = {"weight": values(*shape[-1:], low=0.1)} if weighted else {}
    if positive:
        options["pos_weight"] = values(*shape[-1:], low=0.1)
    compare(
        lambda x, t, **o: F.binary_cross_entropy_with_logits(x, t, reduction=reduction, **o),
        lambda x, t, **o: torch.nn.functional.binary_cross_entropy_with_logits(x, t, reduction=reduction, **o),
        [values(*shape, low=-60.0, high=60.0), values(*shape, low=0.0, high=1.0)], options, constant=options,
    )  # fmt: skip


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("log_target", [True, False])
@pytest.mark.parametrize("shape", ["vector", "matrix", "cube"])
def test_kl_div(shape, log_target, reduction):
    shape = SIZES[shape]
    target = values(*shape) if log_target else values(*shape, low=0.05, high=1.0)
    compare(
        nn.KLDivLoss(reduction=reduction, log_target=log_target),
        torch.nn.KLDivLoss(reduction=reduction, log_target=log_target),
        [values(*shape), target],
    )


def test_kl_div_of_impossible_values():
    t = np.array([0.0, 0.4, 0.6, 0.0])
    compare(lambda x: F.kl_div(x, Tensor(t)), lambda x: torch.nn.functional.kl_div(x, torch.tensor(t)), [values(4)])


def signs(*shape):
    return np.asarray(RNG.choice([-1.0, 1.0], shape))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SIZES)
def test_soft_margin(shape, reduction):
    x, t = values(*SIZES[shape]), signs(*SIZES[shape])
    mine, other = nn.SoftMarginLoss(reduction=reduction), torch.nn.SoftMarginLoss(reduction=reduction)
    compare(lambda x: mine(x, Tensor(t)), lambda x: other(x, torch.tensor(t)), [x])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("shape", SIZES)
def test_hinge_embedding(shape, margin, reduction):
    x, t = values(*SIZES[shape]), signs(*SIZES[shape])
    x.flat[0] = margin  # the kink
    mine, other = (
        nn.HingeEmbeddingLoss(margin, reduction=reduction),
        torch.nn.HingeEmbeddingLoss(margin, reduction=reduction),
    )
    compare(lambda x: mine(x, Tensor(t)), lambda x: other(x, torch.tensor(t)), [x])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.0, 0.5])
@pytest.mark.parametrize("shape", SIZES)
def test_margin_ranking(shape, margin, reduction):
    a, b, t = values(*SIZES[shape]), values(*SIZES[shape]), signs(*SIZES[shape])
    b.flat[0] = a.flat[0]  # the kink, with margin 0
    mine, other = (
        nn.MarginRankingLoss(margin, reduction=reduction),
        torch.nn.MarginRankingLoss(margin, reduction=reduction),
    )
    compare(lambda a, b: mine(a, b, Tensor(t)), lambda a, b: other(a, b, torch.tensor(t)), [a, b])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.0, 0.3, -0.5])
@pytest.mark.parametrize("shape", [(5, 4), (4,)])
def test_cosine_embedding(shape, margin, reduction):
    t = signs(*shape[:-1])
    mine = nn.CosineEmbeddingLoss(margin, reduction=reduction)
    other = torch.nn.CosineEmbeddingLoss(margin, reduction=reduction)
    compare(
        lambda a, b: mine(a, b, Tensor(t)), lambda a, b: other(a, b, torch.tensor(t)), [values(*shape), values(*shape)]
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("log_input", "full"), list(itertools.product([True, False], repeat=2)))
def test_poisson(log_input, full, reduction):
    options = {"log_input": log_input, "full": full, "eps": 1e-6, "reduction": reduction}
    counts = np.array([0.0, 1.0, 2.0, 7.0, 40.0])
    compare(
        lambda x: nn.PoissonNLLLoss(**options)(x, Tensor(counts)),
        lambda x: torch.nn.PoissonNLLLoss(**options)(x, torch.tensor(counts)),
        [values(5, low=0.1)],
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (4,)])
def test_gaussian(shape, full, reduction):
    var = values(*shape, low=0.0, high=2.0)
    var.flat[0] = 1e-9
    mine = nn.GaussianNLLLoss(full=full, eps=1e-4, reduction=reduction)
    other = torch.nn.GaussianNLLLoss(full=full, eps=1e-4, reduction=reduction)
    compare(mine, other, [values(4, 3), values(4, 3), var])


def test_gaussian_with_one_variance():
    compare(
        lambda x, t: F.gaussian_nll_loss(x, t, 0.7),
        lambda x, t: torch.nn.functional.gaussian_nll_loss(x, t, 0.7),
        [values(4, 3), values(4, 3)],
    )


# PyTorch's older words for reductions


@pytest.mark.parametrize(("size_average", "reduce"), list(itertools.product([None, True, False], repeat=2))[1:])
def test_older_reductions(size_average, reduce):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert nn.MSELoss(size_average, reduce).reduction == torch.nn.MSELoss(size_average, reduce).reduction
    x, t = values(3), values(3)
    compare(
        lambda x, t: F.mse_loss(x, t, size_average, reduce),
        lambda x, t: torch.nn.functional.mse_loss(x, t, size_average, reduce), [x, t],
    )  # fmt: skip


# several labels, triplets, clusters of rare classes, alignments


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", [{}, {"p": 1.0, "margin": 0.3}, {"p": 3.0, "swap": True, "eps": 1e-3}])
@pytest.mark.parametrize("shape", [(5, 4), (4,)])
def test_triplet_margin_loss(shape, options, reduction):
    triplet = [values(*shape) for _ in range(3)]
    compare(
        nn.TripletMarginLoss(**options, reduction=reduction),
        torch.nn.TripletMarginLoss(**options, reduction=reduction),
        triplet,
    )


@pytest.mark.parametrize("swap", [True, False])
def test_triplet_margin_loss_with_a_distance_of_ones_own(swap):
    mine = nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1), swap=swap)
    other = torch.nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1), swap=swap)
    compare(mine, other, [values(5, 4) for _ in range(3)])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
def test_distances(p):
    x, y = values(5, 4), values(5, 4)
    for keepdim in (True, False):
        mine, other = (package.PairwiseDistance(p, 1e-4, keepdim) for package in (nn, torch.nn))
        assert repr(mine) == repr(other)
        compare(mine, other, [x, y])
    compare(nn.CosineSimilarity(0), torch.nn.CosineSimilarity(0), [x, y])
    compare(lambda x: F.pdist(x, p), lambda x: torch.nn.functional.pdist(x, p), [x])


@pytest.mark.parametrize("div_value", [4.0, 1.5])
@pytest.mark.parametrize("head_bias", [True, False])
@pytest.mark.parametrize("labels", [[0, 9, 4, 5, 2, 9], [1, 0, 1, 1, 0, 0], 7])
def test_adaptive_log_softmax(labels, head_bias, div_value):
    arguments = (16, 10, [2, 5], div_value, head_bias)
    mine, other = nn.AdaptiveLogSoftmaxWithLoss(*arguments).double(), torch.nn.AdaptiveLogSoftmaxWithLoss(*arguments)
    other = other.double()
    assert repr(mine) == repr(other)
    mine.load_state_dict({key: value.numpy() for key, value in other.state_dict().items()})
    x = values(*np.shape(labels), 16)
    for field in ("output", "loss"):
        compare(
            lambda x, field=field: getattr(mine(x, Tensor(np.array(labels))), field),
            lambda x, field=field: getattr(other(x, torch.tensor(labels)), field),
            [x],
        )
    for p, q in zip(mine.parameters(), other.parameters(), strict=True):
        if p.grad is not None:
            np.testing.assert_allclose(p.grad.array, q.grad.numpy(), rtol=1e-9, atol=1e-9)
    rows = values(20, 16)
    compare(mine.log_prob, other.log_prob, [rows])
    assert mine.predict(Tensor(rows)).tolist() == other.predict(torch.tensor(rows)).tolist()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("tensors", [True, False])
def test_ctc_loss(tensors, together, blank, reduction):
    times, count, classes, width = 9, 4, 5, 4
    inputs, sizes = [9, 7, 9, 8], [4, 1, 0, 3]
    labels = RNG.choice([c for c in range(classes) if c != blank], (count, width))
    if together:
        labels = np.concatenate([row[:n] for row, n in zip(labels, sizes, strict=True)])

    def run(package, tensor):
        lengths = [tensor(np.array(n)) for n in (inputs, sizes)] if tensors else [tuple(inputs), tuple(sizes)]
        loss = package.CTCLoss(blank, reduction)
        return lambda x: loss(package.functional.log_softmax(x, 2), tensor(labels), *lengths)

    compare(run(nn, Tensor), run(torch.nn, torch.tensor), [values(times, count, classes)])


def test_ctc_loss_of_one_sequence_and_of_too_short_ones():
    labels = np.array([1, 2, 2])

    def run(package, tensor, until, zero_infinity):
        loss = package.CTCLoss(reduction="sum", zero_infinity=zero_infinity)
        return lambda x: loss(
            package.functional.log_softmax(x, 1), tensor(labels), tensor(np.array(until)), tensor(np.array(3))
        )

    compare(run(nn, Tensor, 6, False), run(torch.nn, torch.tensor, 6, False), [values(6, 4)])
    compare(run(nn, Tensor, 3, True), run(torch.nn, torch.tensor, 3, True), [values(6, 4)])
    assert run(nn, Tensor, 3, False)(Tensor(values(6, 4))).item() == np.inf
