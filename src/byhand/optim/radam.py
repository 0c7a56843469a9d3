"""RAdam: Adam that takes plain steps until its estimate of the variance is worth dividing by."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.optim.interval import BETAS, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class RAdam(Optimizer):
    """Rectified Adam: the running mean of squares is used once it has seen enough, and rectified for its variance.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p, at step t = 1, 2, …:

        m ← β₁ · m + (1 − β₁) · g,          m̂ = m / (1 − β₁ᵗ)
        v ← β₂ · v + (1 − β₂) · g²
        ρ∞ = 2 / (1 − β₂) − 1,              ρ = ρ∞ − 2t · β₂ᵗ / (1 − β₂ᵗ)
        ρ > 5:     p ← p − lr · r · m̂ · √(1 − β₂ᵗ) / (√v + eps),  r = √((ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ))
        otherwise: p ← p − lr · m̂

    `decoupled_weight_decay` shrinks the weights themselves, p ← p − lr · weight_decay · p, in place of adding to the
    gradient. lr, eps, weight_decay >= 0; 0 <= β < 1. `foreach` and `capturable` choose between CUDA kernels in PyTorch;
    they are accepted and change nothing here. State: `step`, `exp_avg` (m), `exp_avg_sq` (v).

    Source: Liu et al., On the variance of the adaptive learning rate and beyond (2020).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "betas": BETAS,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
    }
    tensors = ("exp_avg", "exp_avg_sq")
    required = frozenset({"step", "exp_avg", "exp_avg_sq"})

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        return {"step": 0, "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        beta1, beta2 = group["betas"]
        longest = 2 / (1 - beta2) - 1  # ρ∞
        for p, g, state in self.updates(group):
            t = state["step"]
            power = beta2**t
            length = longest - 2 * t * power / (1 - power)  # ρ
            m = state["exp_avg"].lerp_(g, 1 - beta1)
            v = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
            rate = -group["lr"] / (1 - beta1**t)
            if length > 5:
                ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
                p.addcdiv_(m, v.sqrt().add_(group["eps"]), value=rate * (ratio * (1 - power)) ** 0.5)
            else:
                p.add_(m, alpha=rate)
