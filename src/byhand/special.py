"""Special functions under PyTorch's names, `torch.special`: an alias for the ops, where each function is documented."""

from __future__ import annotations

from byhand.ops.activation import log_softmax, softmax
from byhand.ops.activation import sigmoid as expit
from byhand.ops.arithmetic import sinc
from byhand.ops.bessel import i0, i0e, i1, i1e
from byhand.ops.elementwise import exp2, expm1, log1p, logit, round, xlogy
from byhand.ops.gamma import digamma, polygamma
from byhand.ops.gamma import lgamma as gammaln
from byhand.ops.gamma import mvlgamma as multigammaln
from byhand.ops.gaussian import entr, erfinv, log_ndtr, ndtr, ndtri, xlog1py
from byhand.ops.reduce import logsumexp
from byhand.ops.special import erf, erfc

psi = digamma

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "i0e", "i1", "i1e", "log1p",
    "log_ndtr", "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round",
    "sinc", "softmax", "xlog1py", "xlogy",
]  # fmt: skip
