"""Functions of functions, as `torch.func`: `grad`, `vjp`, `jacrev`, `vmap`, and modules called as functions."""

from __future__ import annotations

from byhand.func.jacobian import hessian, jacfwd, jacrev
from byhand.func.stateless import functional_call, stack_module_state
from byhand.func.transforms import grad, grad_and_value, jvp, value_and_grad, vjp
from byhand.func.vmap import vmap

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "stack_module_state",
    "value_and_grad", "vjp", "vmap",
]  # fmt: skip
