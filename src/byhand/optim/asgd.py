"""ASGD: stochastic gradient descent that also keeps the mean of where it has been."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.optim.interval import ANY, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class ASGD(Optimizer):
    """Averaged stochastic gradient descent: falling steps, and in `ax` the mean of the weights after step t0.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p, at step t = 1, 2, …, from η = lr and μ = 1:

        p ← (1 − lambd · η) · p − η · g
        a ← a + μ · (p − a)
        η ← lr / (1 + lambd · lr · t)^alpha,          μ ← 1 / max(1, t − t0)

    lr, weight_decay >= 0. The mean is `optimizer.state[p]["ax"]`; copy it into the parameters when training is over.
    `foreach` and `capturable` choose between CUDA kernels in PyTorch; they are accepted and change nothing here. State:
    `step`, `eta`, `mu`, `ax`.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging (1992).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "lambd": ANY,
        "alpha": ANY,
        "t0": ANY,
        "weight_decay": NONNEGATIVE,
    }
    tensors = ("ax",)
    numbers: ClassVar[dict[str, type]] = {"step": int, "eta": float, "mu": float}
    required = frozenset({"step", "eta", "mu", "ax"})

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        return {"step": 0, "eta": float(group["lr"]), "mu": 1.0, "ax": zeros_like(p)}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        lr, lambd = group["lr"], group["lambd"]
        for p, g, state in self.updates(group):
            eta, mu, mean = state["eta"], state["mu"], state["ax"]
            p.mul_(1 - lambd * eta).add_(g, alpha=-eta)
            if mu == 1:
                mean.copy_(p)
            else:
                mean.lerp_(p, mu)
            span = state["step"] - group["t0"]
            state["eta"] = lr / (1 + lambd * lr * state["step"]) ** group["alpha"]
            state["mu"] = 1 / (span if span > 1 else span**0)  # 1, as a number that a program computes too
