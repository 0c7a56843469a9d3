"""Adamax: Adam with the largest gradient of late in the place of a root mean square."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.ops.elementwise import maximum
from byhand.optim.interval import BETAS, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class Adamax(Optimizer):
    """Adamax: steps along a running mean of gradients, divided by a decaying maximum of their magnitudes.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p, at step t = 1, 2, …:

        m ← β₁ · m + (1 − β₁) · g
        u ← max(β₂ · u, |g| + eps)
        p ← p − lr / (1 − β₁ᵗ) · m / u

    lr, eps, weight_decay >= 0; 0 <= β < 1. `foreach` and `capturable` choose between CUDA kernels in PyTorch; they are
    accepted and change nothing here. State: `step`, `exp_avg` (m), `exp_inf` (u).

    Source: Kingma and Ba, Adam: a method for stochastic optimization (2015), section 7.1.
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "betas": BETAS,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
    }
    tensors = ("exp_avg", "exp_inf")
    required = frozenset({"step", "exp_avg", "exp_inf"})

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        return {"step": 0, "exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        beta1, beta2 = group["betas"]
        for p, g, state in self.updates(group):
            m = state["exp_avg"].lerp_(g, 1 - beta1)
            u = state["exp_inf"].mul_(beta2)
            u.copy_(maximum(u, g.abs().add_(group["eps"])))
            p.addcdiv_(m, u, value=-group["lr"] / (1 - beta1 ** state["step"]))
