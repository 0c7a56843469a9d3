"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.optim.interval import BETAS, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class NAdam(Optimizer):
    """NAdam: Adam that looks ahead along its momentum, with a momentum that grows towards β₁.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p, at step t = 1, 2, …:

        μₜ = β₁ · (1 − 0.96^(t · momentum_decay) / 2),   Πₜ = μ₁ · μ₂ · … · μₜ
        m ← β₁ · m + (1 − β₁) · g
        v ← β₂ · v + (1 − β₂) · g²,                      v̂ = v / (1 − β₂ᵗ)
        p ← p − lr · ((1 − μₜ) / (1 − Πₜ) · g + μₜ₊₁ / (1 − Πₜ₊₁) · m) / (√v̂ + eps)

    `decoupled_weight_decay` shrinks the weights themselves, p ← p − lr · weight_decay · p, in place of adding to the
    gradient. lr, eps, weight_decay, momentum_decay >= 0; 0 <= β < 1. `foreach` and `capturable` choose between CUDA
    kernels in PyTorch; they are accepted and change nothing here. State: `step`, `mu_product` (Π), `exp_avg` (m),
    `exp_avg_sq` (v).

    Source: Dozat, Incorporating Nesterov momentum into Adam (2016).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "betas": BETAS,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "momentum_decay": NONNEGATIVE,
    }
    tensors = ("exp_avg", "exp_avg_sq")
    numbers: ClassVar[dict[str, type]] = {"step": int, "mu_product": float}
    required = frozenset({"step", "mu_product", "exp_avg", "exp_avg_sq"})

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        return {"step": 0, "mu_product": 1.0, "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        lr, (beta1, beta2) = group["lr"], group["betas"]
        for p, g, state in self.updates(group):
            t = state["step"]
            mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (s * group["momentum_decay"])) for s in (t, t + 1))
            product = state["mu_product"] = state["mu_product"] * mu
            root = (1 - beta2**t) ** 0.5  # of v̂; moved into eps and the rates
            m = state["exp_avg"].lerp_(g, 1 - beta1)
            v = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
            d = v.sqrt().add_(group["eps"] * root)
            p.addcdiv_(g, d, value=-lr * root * (1 - mu) / (1 - product))
            p.addcdiv_(m, d, value=-lr * root * mu_next / (1 - product * mu_next))
