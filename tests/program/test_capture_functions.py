"""What losses, layers, random functions and methods compute in a captured step: the bits of an eager one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import byhand
from byhand import nn
from byhand.nn import functional as F
from program.captured import agree

pytestmark = pytest.mark.usefixtures("interpreted")

Labels = Any
WEIGHT = byhand.tensor([0.5, 1.0, 2.0])
MANY = byhand.tensor([1.0, 1.0, 1.0, 2.0])


def computed(function: Callable[..., Any], *made: Callable[[], Any], captures: int = 1) -> None:
    """The function on tensors made anew for each call, and the gradients of its result, eagerly and compiled."""

    def make() -> Any:
        w = byhand.full((1,), 1.5, requires_grad=True)

        def step(*xs: Any) -> Any:
            w.grad = None
            leaves = [x.requires_grad_() if x.dtype.kind == "f" else x for x in (x.detach() for x in xs)]
            inputs = [x * w if x.dtype.kind == "f" else x for x in leaves]
            out = function(*inputs)
            parts = out if isinstance(out, tuple) else (out,)
            tracked = [part.sum() for part in parts if part.requires_grad]
            if tracked:
                sum(tracked[1:], tracked[0]).backward()
            return [part.detach() for part in parts], [x.grad for x in leaves if x.grad is not None]

        return step, w

    agree(make, lambda i: tuple(f() for f in made), times=3, captures=captures)


def logits() -> Any:
    return byhand.randn(6, 3)


def labels() -> Labels:
    return byhand.randint(0, 3, (6,))


def maps() -> Any:
    return byhand.randn(4, 3, 5)


def marks() -> Labels:
    return byhand.randint(0, 3, (4, 5))


def chances() -> Any:
    return byhand.rand(6, 3)


def signs() -> Any:
    return byhand.randint(0, 2, (6, 3)) * 2 - 1


def some_ignored() -> Labels:
    found = byhand.randint(0, 3, (6,))
    found[1] = -100
    return found


LOSSES = {
    "cross_entropy": (F.cross_entropy, logits, labels),
    "cross_entropy of maps": (F.cross_entropy, maps, marks),
    "cross_entropy, sum": (lambda x, y: F.cross_entropy(x, y, reduction="sum"), logits, labels),
    "cross_entropy, none": (lambda x, y: F.cross_entropy(x, y, reduction="none"), maps, marks),
    "cross_entropy, weights": (lambda x, y: F.cross_entropy(x, y, WEIGHT), logits, labels),
    "cross_entropy, ignored": (F.cross_entropy, logits, some_ignored),
    "cross_entropy, class 1 ignored": (lambda x, y: F.cross_entropy(x, y, ignore_index=1), maps, marks),
    "cross_entropy, all": (
        lambda x, y: F.cross_entropy(x, y, WEIGHT, ignore_index=2, label_smoothing=0.1), maps, marks,
    ),
    "cross_entropy, smoothed": (lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), logits, labels),
    "cross_entropy, all ignored": (F.cross_entropy, logits, lambda: byhand.full((6,), -100)),
    "cross_entropy of one": (F.cross_entropy, lambda: byhand.randn(3), lambda: byhand.randint(0, 3, ())),
    "cross_entropy of probabilities": (
        lambda x, y: F.cross_entropy(x, y.softmax(1), WEIGHT, label_smoothing=0.2), logits, logits,
    ),
    "nll": (lambda x, y: F.nll_loss(x.log_softmax(1), y), logits, labels),
    "nll, ignored": (lambda x, y: F.nll_loss(x.log_softmax(1), y, WEIGHT), logits, some_ignored),
    "multi_margin": (lambda x, y: F.multi_margin_loss(x, y, 2, weight=WEIGHT), logits, labels),
    "binary": (lambda x, y: F.binary_cross_entropy(x.sigmoid(), y), logits, lambda: byhand.rand(6, 3).round()),
    "binary, weights": (lambda x, y: F.binary_cross_entropy(x.sigmoid(), y, WEIGHT), logits, lambda: signs() > 0),
    "binary of logits": (F.binary_cross_entropy_with_logits, logits, chances),
    "binary of logits, weights": (
        lambda x, y: F.binary_cross_entropy_with_logits(x, y, WEIGHT, pos_weight=WEIGHT), logits, chances,
    ),
    "kl_div": (lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean"), logits, logits),
    "kl_div, logarithms": (lambda x, y: F.kl_div(x, y, log_target=True), logits, logits),
    "mse": (F.mse_loss, logits, logits),
    "mse, weights": (lambda x, y: F.mse_loss(x, y, weight=(y * y).detach()), logits, logits),
    "l1 against integers": (F.l1_loss, logits, signs),
    "huber": (lambda x, y: F.huber_loss(x, y, delta=0.5), logits, logits),
    "smooth_l1": (F.smooth_l1_loss, logits, logits),
    "poisson": (lambda x, y: F.poisson_nll_loss(x, y, full=True), logits, chances),
    "poisson of rates": (lambda x, y: F.poisson_nll_loss(x, y, log_input=False), chances, chances),
    "gaussian": (lambda x, y, v: F.gaussian_nll_loss(x, y, v, full=True), logits, logits, chances),
    "gaussian, tiny": (lambda x, y, v: F.gaussian_nll_loss(x, y, v * 1e-9), logits, logits, chances),
    "gaussian, a number": (lambda x, y: F.gaussian_nll_loss(x, y, 0.5), logits, logits),
    "hinge_embedding": (F.hinge_embedding_loss, logits, signs),
    "soft_margin": (F.soft_margin_loss, logits, signs),
    "margin_ranking": (lambda x, y, s: F.margin_ranking_loss(x, y, s, 0.1), logits, logits, signs),
    "cosine_embedding": (
        lambda x, y, s: F.cosine_embedding_loss(x, y, s[:, 0], 0.1), logits, logits, signs,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    computed(*LOSSES[name])


LAYERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "BatchNorm1d": lambda: (nn.BatchNorm1d(3), (6, 3)),
    "BatchNorm1d of maps": lambda: (nn.BatchNorm1d(3, momentum=0.3), (4, 3, 5)),
    "BatchNorm1d, average": lambda: (nn.BatchNorm1d(3, momentum=None), (6, 3)),
    "BatchNorm1d, plain": lambda: (nn.BatchNorm1d(3, affine=False, track_running_stats=False), (4, 3, 5)),
    "BatchNorm1d in float64": lambda: (nn.BatchNorm1d(3, momentum=None).double(), (6, 3)),
    "LayerNorm": lambda: (nn.LayerNorm((3, 5)), (4, 3, 5)),
    "LayerNorm, plain": lambda: (nn.LayerNorm(5, elementwise_affine=False), (4, 3, 5)),
    "Dropout": lambda: (nn.Dropout(0.4), (6, 3)),
    "Dropout in float64": lambda: (nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.4)).double(), (6, 3)),
    "Dropout in place": lambda: (nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.4, inplace=True)), (6, 3)),
    "Dropout of all": lambda: (nn.Dropout(1.0), (6, 3)),
    "AlphaDropout": lambda: (nn.AlphaDropout(0.3), (6, 3)),
    "AlphaDropout of all, in place": lambda: (nn.Sequential(nn.Linear(3, 3), nn.AlphaDropout(1.0, True)), (6, 3)),
    "RReLU": lambda: (nn.RReLU(), (6, 3)),
    "PReLU": lambda: (nn.PReLU(3), (6, 3)),
    "ReLU in place": lambda: (nn.Sequential(nn.Linear(3, 4), nn.ReLU(True), nn.Linear(4, 2)), (6, 3)),
    "Bilinear and the like": lambda: (nn.Sequential(nn.Flatten(), nn.Linear(15, 2), nn.Softplus()), (4, 3, 5)),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, training: bool) -> None:
    shape: tuple[int, ...] = ()

    def make() -> Any:
        nonlocal shape
        layer, shape = LAYERS[name]()
        layer.train(training)

        def step(x: Any) -> Any:
            x = x.to(next(layer.parameters(), x).dtype).requires_grad_()
            layer.zero_grad()
            out = layer(x)
            (out * out).sum().backward()
            return out.detach(), x.grad

        return step, layer

    agree(make, lambda i: (byhand.randn(*LAYERS[name]()[1]),), times=3)


DRAWS = {
    "rand": lambda: byhand.rand(3, 2),
    "rand in float64": lambda: byhand.rand(3, dtype=byhand.float64),
    "rand in float16": lambda: byhand.rand(3, dtype=byhand.float16),
    "randn": lambda: byhand.randn(4),
    "randint": lambda: byhand.randint(2, 9, (4,), dtype=byhand.int32),
    "randperm": lambda: byhand.randperm(5, dtype=byhand.int32),
    "rand_like": lambda: byhand.rand_like(byhand.zeros(3)) + byhand.randn_like(byhand.zeros(3)),
    "randint_like": lambda: byhand.randint_like(byhand.zeros(3), 7),
    "normal": lambda: byhand.normal(byhand.ones(3), byhand.rand(3)) + byhand.normal(2.0, 0.5, (3,)),
    "bernoulli": lambda: byhand.bernoulli(byhand.rand(5)),
    "bernoulli of a number": lambda: byhand.bernoulli(byhand.zeros(5), 0.3),
    "multinomial": lambda: byhand.multinomial(byhand.rand(3, 4), 2),
    "multinomial, again and again": lambda: byhand.multinomial(byhand.rand(4), 5, replacement=True),
    "in place": lambda: byhand.zeros(3).normal_(1, 2) + byhand.zeros(3).uniform_(2, 3) + byhand.ones(3).bernoulli_(0.4),
    "a stream of its own": lambda: byhand.rand(3, generator=STREAM),
}
STREAM = byhand.Generator()


@pytest.mark.parametrize("name", DRAWS)
def test_random_numbers(name: str) -> None:
    def make() -> Any:
        STREAM.manual_seed(1)
        return DRAWS[name], ()

    agree(make)


def cube() -> Any:
    return byhand.randn(3, 4, 2)


def places() -> Any:
    return byhand.randint(0, 3, (2, 4, 2))


METHODS: dict[str, Any] = {
    "sort": (lambda x: x.sort(1, descending=True), cube),
    "argsort": (lambda x: x.argsort(0), cube),
    "topk": (lambda x: x.topk(2, 1), cube),
    "kthvalue": (lambda x: x.kthvalue(2, 1), cube),
    "median": (lambda x: (x.median(), *x.median(1)), cube),
    "quantile": (lambda x: x.quantile(0.3, 1), cube),
    "quantile by a tensor": (lambda x: x.quantile(x[0, 0].sigmoid(), 1), cube),
    "max and min": (lambda x: (*x.max(1), *x.min(2), x.max(), x.argmax(), x.amin((0, 1))), cube),
    "cummax": (lambda x: (*x.cummax(1), *x.cummin(2)), cube),
    "cumsum and cumprod": (lambda x: (x.cumsum(1), x.cumprod(0)), cube),
    "gather": (lambda x, i: x.gather(0, i), cube, places),
    "scatter": (lambda x, i: (x.scatter(0, i, x[:2]), x.scatter(0, i, 2.0), x.scatter_add(0, i, x[:2])), cube, places),
    "take_along_dim": (lambda x, i: x.take_along_dim(i, 0), cube, places),
    "index_select": (lambda x, i: (x.index_select(1, i[0, :, 0]), x.index_add(1, i[0, :, 0], x)), cube, places),
    "index_fill": (lambda x, i: x.index_fill(1, i[0, :, 0], 3.0), cube, places),
    "index_copy": (lambda x: x.index_copy(1, byhand.randperm(4), x * 2), cube),
    "one_hot": (lambda i: F.one_hot(i, 4), places),
    "searchsorted": (lambda x, y: byhand.searchsorted(x[0, :, 0].sort().values, y), cube, cube),
    "indexed": (lambda x, i: (x[i[0, 0]], x[:, i[0, :, 0]], x[0, i[0, 0, 0]], x[i[0, 0, 0]], x[..., -1]), cube, places),
    "where": (lambda x, y: byhand.where(x > y, x, 0.0) + x.masked_fill(y > 0, 2.0), cube, cube),
    "isin, logic": (lambda i: byhand.isin(i, byhand.tensor([0, 2])) & ~(i > 1), places),
    "clamp": (lambda x, y: x.clamp(-0.5, y), cube, cube),
    "var and norm": (lambda x: (x.var(1), x.std(), x.norm(3, 1), x.norm(), x.logsumexp(2)), cube),
    "einsum": (lambda x, y: byhand.einsum("ijk,ijl->kl", x, y), cube, cube),
    "products": (lambda x: (x @ x.mT, x[0].mv(x[0, 0]), x[0].outer(x[0]) if x.ndim == 2 else x[0] @ x[1].T), cube),
    "cat, stack, split": (lambda x: (byhand.cat([x, x]), byhand.stack([x, x], 1), *x.split(2, 1)), cube),
    "flip, roll, tril": (lambda x: (x.flip(0), x.roll(1, 2), x.tril(), x.diagonal(0, 0, 1)), cube),
    "pad by assignment": (lambda x: padded(x), cube),
    "new tensors": (lambda x: (byhand.tensor(x), byhand.tensor([x.sum(), 2.0]), byhand.full((2,), x.sum())), cube),
    "casts": (lambda x: (x.double(), x.long(), x.half().float(), x.to(byhand.int32), x > 0), cube),
    "nan_to_num": (lambda x: (x / (x > 0)).detach().nan_to_num(), cube),
    "repeat": (lambda x: (x.repeat(2, 1, 1), x.repeat_interleave(2, 1), x.expand(2, 3, 4, 2)), cube),
    "nansum, dist": (lambda x, y: (x.nansum(), byhand.dist(x, y), byhand.cdist(x, y)), cube, cube),
    "erf, gelu": (lambda x: (x.erf(), F.gelu(x), F.softplus(x), F.logsigmoid(x), F.glu(x)), cube),
}


def padded(x: Any) -> Any:
    out = byhand.zeros(5, 6, 2)
    out[1:4, 1:5] = x
    out[0] += 1
    out[:, 0] = out[:, 1] * 2
    return out


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_methods(name: str) -> None:
    computed(*METHODS[name])


@pytest.mark.parametrize("p", [2, 1, 0, 0.5, 3, np.inf])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e25])
def test_clipping_by_every_norm(p: float, scale: float) -> None:
    def make() -> Any:
        tensors = [byhand.ones(3, 4, requires_grad=True), byhand.ones(2, dtype=byhand.float64, requires_grad=True)]
        tensors.append(byhand.ones(4, 3).T.clone().requires_grad_())

        def step(x: Any, y: Any) -> Any:
            for tensor, g in zip(tensors, (x, y, x), strict=True):
                tensor.grad = g * scale
            norm = nn.utils.clip_grad_norm_(tensors, 1.5, p)
            nn.utils.clip_grad_value_(tensors, 0.3)
            return norm, [tensor.grad.clone() for tensor in tensors]

        return step, tensors

    agree(make, lambda i: (byhand.randn(3, 4), byhand.randn(2, dtype=byhand.float64)), times=3)


def test_a_mask_chosen_by_values_keeps_its_shape_with_where() -> None:
    def make() -> Any:
        w = byhand.randn(6, requires_grad=True)

        def step(x: Any) -> Any:
            w.grad = None
            out = w * x
            out[x > 0] = 0.5
            out.sum().backward()
            return out.detach()

        return step, w

    agree(make, lambda i: (byhand.randn(6),))


def test_numpy_arguments() -> None:
    def make() -> Any:
        w = byhand.randn(3, requires_grad=True)

        def step(x: Any, y: Any) -> Any:
            w.grad = None
            loss = ((byhand.from_numpy(x) @ w - byhand.tensor(y)) ** 2).mean()
            loss.backward()
            return loss

        return step, w

    rng = np.random.default_rng(0)
    draws = [(rng.standard_normal((4, 3)).astype(np.float32), rng.standard_normal(4)) for _ in range(4)]
    agree(make, lambda i: draws[i])
