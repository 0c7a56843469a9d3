"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.optim.interval import NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, zeros_like


class Adagrad(Optimizer):
    """Adagrad: a learning rate for each weight, falling with the sum of its squared gradients.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p, at step t = 1, 2, …:

        s ← s + g²                                  from s = initial_accumulator_value
        p ← p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps)

    All numbers >= 0. `foreach` and `fused` choose between CUDA kernels in PyTorch; they are accepted and change
    nothing here. State: `step`, `sum`.

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization
    (2011).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "lr_decay": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "initial_accumulator_value": NONNEGATIVE,
        "eps": NONNEGATIVE,
    }
    tensors = ("sum",)
    required = frozenset({"step", "sum"})

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: Any) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:
            start = zeros_like(p).fill_(group["initial_accumulator_value"])
            self.state[p] = {"step": 0, "sum": start}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        eps = group["eps"]
        for p, g, state in self.updates(group):
            rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
            s = state["sum"].addcmul_(g, g)
            p.addcdiv_(g, s.sqrt().add_(eps), value=-rate)
