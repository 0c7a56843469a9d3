"""PyTorch's `nn.functional`: layers, activations and losses as functions without state. Called by the layers of `nn`.

Nothing here has a derivative of its own: all of it is made of the ops of `byhand.ops`.
"""

from __future__ import annotations

from byhand.nn.functional.activation import (
    celu,
    elu,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    maxout,
    mish,
    prelu,
    relu,
    relu6,
    rrelu,
    selu,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
)  # fmt: skip
from byhand.nn.functional.classification import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    multi_margin_loss,
    nll_loss,
)  # fmt: skip
from byhand.nn.functional.dropout import alpha_dropout, dropout
from byhand.nn.functional.linear import bilinear, cosine_similarity, linear, normalize, pad
from byhand.nn.functional.margin import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    soft_margin_loss,
)  # fmt: skip
from byhand.nn.functional.normalization import batch_norm, layer_norm
from byhand.nn.functional.regression import (
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)  # fmt: skip
from byhand.ops.index import one_hot

__all__ = [
    "linear", "bilinear", "cosine_similarity", "normalize", "pad", "one_hot",
    "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "prelu", "rrelu", "maxout", "elu", "celu", "selu", "gelu",
    "silu", "mish", "softplus", "softsign", "softmax", "softmin", "log_softmax", "logsigmoid", "hardtanh",
    "hardsigmoid", "hardswish", "hardshrink", "softshrink", "tanhshrink", "threshold", "glu",
    "dropout", "alpha_dropout", "batch_norm", "layer_norm",
    "cross_entropy", "nll_loss", "multi_margin_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "kl_div", "mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "poisson_nll_loss", "gaussian_nll_loss",
    "hinge_embedding_loss", "soft_margin_loss", "margin_ranking_loss", "cosine_embedding_loss",
]  # fmt: skip
