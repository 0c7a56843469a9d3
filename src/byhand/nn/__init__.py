"""PyTorch's `nn`: modules, parameters, layers, losses, `functional`, `init`. Called by users and by `byhand.train`."""

from __future__ import annotations

from byhand.nn import functional, init, utils
from byhand.nn.activation import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Maxout,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)  # fmt: skip
from byhand.nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from byhand.nn.dropout import AlphaDropout, Dropout
from byhand.nn.linear import Bilinear, Identity, Linear
from byhand.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
)  # fmt: skip
from byhand.nn.module import Module
from byhand.nn.normalization import BatchNorm1d, LayerNorm
from byhand.nn.parameter import Buffer, Parameter
from byhand.nn.shape import Flatten, Unflatten

__all__ = [
    "functional", "init", "utils", "Module", "Parameter", "Buffer",
    "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict",
    "Identity", "Linear", "Bilinear", "Flatten", "Unflatten", "Dropout", "AlphaDropout", "BatchNorm1d", "LayerNorm",
    "Sigmoid", "Tanh", "ReLU", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "Maxout", "ELU", "CELU", "SELU", "GELU", "SiLU",
    "Mish", "Softplus", "Softsign", "Softmax", "Softmin", "Softmax2d", "LogSoftmax", "LogSigmoid", "Hardtanh",
    "Hardsigmoid", "Hardswish", "Hardshrink", "Softshrink", "Tanhshrink", "Threshold", "GLU",
    "CrossEntropyLoss", "NLLLoss", "MultiMarginLoss", "BCELoss", "BCEWithLogitsLoss", "KLDivLoss", "MSELoss", "L1Loss",
    "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss", "GaussianNLLLoss", "HingeEmbeddingLoss", "SoftMarginLoss",
    "MarginRankingLoss", "CosineEmbeddingLoss",
]  # fmt: skip
