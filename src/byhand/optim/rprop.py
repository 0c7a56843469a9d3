"""Rprop: a step of its own for each weight, that grows while the gradient keeps its sign."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.ops.elementwise import maximum, minimum, where
from byhand.optim.interval import NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class Rprop(Optimizer):
    """Resilient backpropagation: only the signs of gradients count. For gradients of the whole data, not of batches.

    With g = ∂loss/∂p (−g with `maximize`), s = g · (the gradient before), from a step size d = lr:

        s > 0:  d ← min(etas[1] · d, step_sizes[1])
        s < 0:  d ← max(etas[0] · d, step_sizes[0]),  g ← 0
        p ← p − d · sign(g)

    lr >= 0; 0 < etas[0] < 1 < etas[1]. `foreach` and `capturable` choose between CUDA kernels in PyTorch; they are
    accepted and change nothing here. State: `step`, `prev` (the gradient before), `step_size` (d).

    Source: Riedmiller and Braun, A direct adaptive method for faster backpropagation learning: the RPROP algorithm
    (1993).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "etas": Pair(Interval(0, 1, low_open=True, high_open=True), Interval(1, low_open=True)),
        "step_sizes": Pair(NONNEGATIVE),
    }
    tensors = ("prev", "step_size")
    required = frozenset({"step", "prev", "step_size"})

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, p: Tensor, group: Group) -> State:
        size = zeros_like(p)
        size.array[...] = group["lr"]  # `fill_` would become a line of a step that is being captured
        return {"step": 0, "prev": zeros_like(p), "step_size": size}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        (less, more), (smallest, largest) = group["etas"], group["step_sizes"]
        for p, g, state in self.updates(group):
            s, d = g * state["prev"], state["step_size"]
            changed = where(s > 0, d * more, where(s < 0, d * less, d))
            d.copy_(minimum(maximum(changed, smallest), largest))
            g = where(s < 0, 0.0, g)
            p.addcmul_(g.sign(), d, value=-1)
            state["prev"].copy_(g)
