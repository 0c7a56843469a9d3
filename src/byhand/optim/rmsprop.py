"""RMSprop: steps divided by the root of a running mean of squared gradients."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.optim.interval import FRACTION, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class RMSprop(Optimizer):
    """RMSprop: each weight's step divided by the root of a running mean of its squared gradients.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p:

        v ← alpha · v + (1 − alpha) · g²
        centered:       a ← alpha · a + (1 − alpha) · g,   d = √(v − a²) + eps
        otherwise:      d = √v + eps
        momentum = 0:   p ← p − lr · g / d
        momentum > 0:   b ← momentum · b + g / d,          p ← p − lr · b

    0 <= alpha <= 1; all other numbers >= 0. `foreach` and `capturable` choose between CUDA kernels in PyTorch; they
    are accepted and change nothing here. State: `step`, `square_avg`, and `momentum_buffer`, `grad_avg` where used.

    Sources: Hinton, Neural networks for machine learning, lecture 6e (2012); centred: Graves, Generating sequences
    with recurrent neural networks (2013).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "alpha": FRACTION,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "momentum": NONNEGATIVE,
    }
    tensors = ("square_avg", "momentum_buffer", "grad_avg")
    required = frozenset({"step", "square_avg"})

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        state: State = {"step": 0, "square_avg": zeros_like(p)}
        if group["momentum"]:
            state["momentum_buffer"] = zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = zeros_like(p)
        return state

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        lr, alpha, eps = group["lr"], group["alpha"], group["eps"]
        momentum = group["momentum"]
        for p, g, state in self.updates(group):
            if momentum and "momentum_buffer" not in state:  # an option that was turned on later
                state["momentum_buffer"] = zeros_like(p)
            if group["centered"] and "grad_avg" not in state:
                state["grad_avg"] = zeros_like(p)
            v = state["square_avg"].mul_(alpha).addcmul_(g, g, value=1 - alpha)
            if group["centered"]:
                a = state["grad_avg"].lerp_(g, 1 - alpha)
                d = v.sub(a * a).sqrt_().add_(eps)
            else:
                d = v.sqrt().add_(eps)
            if momentum:
                p.add_(state["momentum_buffer"].mul_(momentum).addcdiv_(g, d), alpha=-lr)
            else:
                p.addcdiv_(g, d, value=-lr)
