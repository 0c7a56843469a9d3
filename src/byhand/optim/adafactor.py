"""Adafactor: Adam's mean of squares kept as one row and one column, so that its memory hardly counts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from byhand.core.errors import UsageError
from byhand.ops.elementwise import maximum
from byhand.optim.interval import NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class Adafactor(Optimizer):
    """Adafactor: steps relative to the size of the weights, with squared gradients factored over the last two axes.

    With g = ∂loss/∂p (−g with `maximize`), rms x = √mean(x²), b = t^beta2_decay, at step t = 1, 2, …:

        α = max(eps[1], rms p) · min(lr, 1 / √t)
        p ← p − lr · weight_decay · p
        two or more axes:  r ← r + b · (mean(g², −1) − r),  c ← c + b · (mean(g², −2) − c)
                           v = r c / max(mean(r), eps[0])
        none or one:       v ← v + b · (g² − v)
        u = g / max(√v, eps[0])
        p ← p − α · u / max(1, rms u / d)

    eps[0] is the machine's epsilon of the parameter's dtype if None. lr, eps, weight_decay >= 0; beta2_decay <= 0;
    d >= 1. `foreach` chooses between kernels in PyTorch; it is accepted and changes nothing here. State: `step`, and
    `row_var` (r) and `col_var` (c), or `variance` (v).

    Source: Shazeer and Stern, Adafactor: adaptive learning rates with sublinear memory cost (2018); lr as the bound of
    the relative step, and where eps[0] stands, are PyTorch's.
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "beta2_decay": Interval(high=0),
        "d": Interval(low=1),
        "weight_decay": NONNEGATIVE,
    }
    tensors = ("row_var", "col_var", "variance")
    required = frozenset({"step"})

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        options = super()._checked(options)
        eps = options["eps"]
        if not isinstance(eps, (tuple, list)) or len(eps) != 2:
            raise UsageError(f"Adafactor: eps must be a pair such as (None, 1e-3); got {eps!r}")
        first = None if eps[0] is None else NONNEGATIVE.check("Adafactor", "eps[0]", eps[0])
        return {**options, "eps": (first, NONNEGATIVE.check("Adafactor", "eps[1]", eps[1]))}

    def initial_state(self, p: Tensor, group: Group) -> State:
        if p.ndim < 2:
            return {"step": 0, "variance": zeros_like(p)}
        return {"step": 0} | {
            key: Tensor(np.zeros(self.state_shape(p, key), p.dtype)) for key in ("row_var", "col_var")
        }

    def state_shape(self, p: Tensor, key: str) -> tuple[int, ...]:
        shape = tuple(p.shape)
        if p.ndim < 2 or key == "variance":
            return shape
        return (*shape[:-1], 1) if key == "row_var" else (*shape[:-2], 1, shape[-1])

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        lr, (tiny, smallest) = group["lr"], group["eps"]
        for p, g, state in self.updates(group, decay=False):
            t, eps = state["step"], np.finfo(p.dtype).eps.item() if tiny is None else tiny
            b, bound = t ** group["beta2_decay"], t**-0.5
            rate = maximum(_rms(p), smallest) * (lr if lr < bound else bound)
            if group["weight_decay"]:
                p.mul_(1 - lr * group["weight_decay"])
            if p.ndim > 1:
                square = g * g
                r = state["row_var"].lerp_(square.mean(-1, keepdim=True), b)
                c = state["col_var"].lerp_(square.mean(-2, keepdim=True), b)
                v = (r * c).div_(maximum(r.mean(-2, keepdim=True), eps))
            else:
                v = state["variance"].lerp_(g * g, b)
            u = g / maximum(v, eps * eps).sqrt_()
            p.sub_(u.mul_(rate / maximum(_rms(u) / group["d"], 1.0)))


def _rms(x: Tensor) -> Tensor:
    return (x * x).mean().sqrt()
