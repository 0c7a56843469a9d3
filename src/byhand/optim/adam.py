"""Adam and AdamW: running means of the gradient and of its square, corrected for their start at zero."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.optim.interval import BETAS, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class Adam(Optimizer):
    """Adam: steps along a running mean of gradients, divided by the root of a running mean of their squares.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p, at step t = 1, 2, …:

        m ← β₁ · m + (1 − β₁) · g,          m̂ = m / (1 − β₁ᵗ)
        v ← β₂ · v + (1 − β₂) · g²,         v̂ = v / (1 − β₂ᵗ)
        p ← p − lr · m̂ / (√v̂ + eps)

    `amsgrad` puts the largest v so far in the place of v in v̂. `decoupled_weight_decay` shrinks the weights
    themselves, p ← p − lr · weight_decay · p, in place of adding to the gradient: that is `AdamW`.

    lr, eps, weight_decay >= 0; 0 <= β < 1. `foreach`, `fused` and `capturable` choose between CUDA kernels in PyTorch;
    they are accepted and change nothing here. State: `step`, `exp_avg` (m), `exp_avg_sq` (v), `max_exp_avg_sq`.

    Sources: Kingma and Ba, Adam: a method for stochastic optimization (2015); amsgrad: Reddi, Kale and Kumar, On the
    convergence of Adam and beyond (2018).

    >>> import byhand
    >>> w = byhand.tensor([1.0, -20.0], requires_grad=True)
    >>> optimizer = byhand.optim.Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, -19.5]
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "betas": BETAS,
        "eps": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
    }
    tensors = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    required = frozenset({"step", "exp_avg", "exp_avg_sq"})

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        state: State = {"step": 0, "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_like(p)
        return state

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group.

        √v̂ + eps = (√v + eps · √(1 − β₂ᵗ)) / √(1 − β₂ᵗ): the corrections are moved into `eps` and into the rate, which
        saves a pass over memory.
        """
        lr, (beta1, beta2), amsgrad = group["lr"], group["betas"], group["amsgrad"]
        t = None
        for p, g, state in self.updates(group):
            if state["step"] != t:  # the same for all parameters, unless one was left out of a step
                t = state["step"]
                root = (1 - beta2**t) ** 0.5
                rate, eps = -lr * root / (1 - beta1**t), group["eps"] * root
            m = state["exp_avg"].lerp_(g, 1 - beta1)
            v = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
            if amsgrad:
                v = _running_maximum(state, v)
            p.addcdiv_(m, v.sqrt().add_(eps), value=rate)


class AdamW(Adam):
    """Adam with decoupled weight decay: p ← p − lr · weight_decay · p, then the step of `Adam` without it.

    The same arguments, defaults and state as `Adam`, but for `weight_decay=0.01`.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization (2019).
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**super()._checked(options), "decoupled_weight_decay": True}


def _running_maximum(state: dict[str, Any], v: Any) -> Any:
    largest = state.get("max_exp_avg_sq")
    if largest is None:
        largest = state["max_exp_avg_sq"] = zeros_like(v)
    return largest.copy_(largest.maximum(v))
