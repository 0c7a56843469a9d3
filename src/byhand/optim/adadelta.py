"""Adadelta: steps scaled by the ratio of two running root mean squares, so that no learning rate is needed."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.optim.interval import FRACTION, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class Adadelta(Optimizer):
    """Adadelta: a running mean of past steps gives each weight's step its unit.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p:

        v ← rho · v + (1 − rho) · g²
        d = √(u + eps) / √(v + eps) · g
        u ← rho · u + (1 − rho) · d²
        p ← p − lr · d

    0 <= rho <= 1; all other numbers >= 0. `foreach` and `capturable` choose between CUDA kernels in PyTorch; they are
    accepted and change nothing here. State: `step`, `square_avg` (v), `acc_delta` (u).

    Source: Zeiler, ADADELTA: an adaptive learning rate method (2012).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "rho": FRACTION,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
    }
    tensors = ("square_avg", "acc_delta")
    required = frozenset({"step", "square_avg", "acc_delta"})

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        return {"step": 0, "square_avg": zeros_like(p), "acc_delta": zeros_like(p)}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        lr, rho, eps = group["lr"], group["rho"], group["eps"]
        for p, g, state in self.updates(group):
            u = state["acc_delta"]
            v = state["square_avg"].mul_(rho).addcmul_(g, g, value=1 - rho)
            d = u.add(eps).div_(v.add(eps)).sqrt_().mul_(g)  # one root for both
            u.mul_(rho).addcmul_(d, d, value=1 - rho)
            p.add_(d, alpha=-lr)
