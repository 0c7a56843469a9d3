"""Derivatives as PyTorch's `torch.autograd` gives them: `grad`, `backward`, Jacobians, and checks by differences."""

from __future__ import annotations

from byhand.autograd import functional
from byhand.autograd.anomaly import detect_anomaly, set_detect_anomaly
from byhand.autograd.function import Function
from byhand.autograd.functional import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from byhand.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from byhand.core.gradient import backward, grad
from byhand.core.tape import enable_grad, inference_mode, no_grad, set_grad_enabled
from byhand.tensor import Tensor as Variable

__all__ = [
    "Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "functional", "grad",
    "gradcheck", "gradgradcheck", "hessian", "hvp", "inference_mode", "jacobian", "jvp", "no_grad",
    "set_detect_anomaly", "set_grad_enabled", "value_and_grad", "vjp",
]  # fmt: skip
