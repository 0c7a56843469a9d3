"""Muon: momentum for matrices, with a step whose singular values are all about one."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from byhand.core.errors import UsageError
from byhand.ops.elementwise import maximum
from byhand.optim.interval import ANY, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor

RATIOS = (None, "original", "match_rms_adamw")


class Muon(Optimizer):
    """Muon: momentum orthogonalised by Newton and Schulz. For the matrices of hidden layers; give the rest to AdamW.

    With g = ∂loss/∂p, for p of shape (n, k), n <= k (otherwise transposed), (a, b, c) = ns_coefficients:

        B ← momentum · B + (1 − momentum) · g
        X = B, or with `nesterov` momentum · B + (1 − momentum) · g;   X ← X / max(‖X‖, eps)
        X ← a X + (b G + c G²) X  with G = X Xᵀ,                       ns_steps times
        p ← p − lr · weight_decay · p − lr · ratio · X

    ratio = √max(1, n / k) for `adjust_lr_fn` None or "original", 0.2 · √max(n, k) for "match_rms_adamw". PyTorch
    computes X in bfloat16, this in the dtype of p. All numbers >= 0. State: `momentum_buffer` (B).

    Sources: Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024); "match_rms_adamw": Liu et
    al., Muon is scalable for LLM training (2025).
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "weight_decay": NONNEGATIVE,
        "momentum": NONNEGATIVE,
        "eps": NONNEGATIVE,
        "ns_steps": Interval(0, 100, high_open=True),
    }
    tensors = ("momentum_buffer",)
    numbers: ClassVar[dict[str, type]] = {}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        options = super()._checked(options)
        coefficients = options["ns_coefficients"]
        if not isinstance(coefficients, (tuple, list)) or len(coefficients) != 3:
            raise UsageError(f"Muon: ns_coefficients must be three numbers; got {coefficients!r}")
        if options["adjust_lr_fn"] not in RATIOS:
            raise UsageError(
                f"Muon: adjust_lr_fn must be 'original', 'match_rms_adamw' or None; got {options['adjust_lr_fn']!r}"
            )
        numbers = tuple(ANY.check("Muon", f"ns_coefficients[{i}]", x) for i, x in enumerate(coefficients))
        return {**options, "ns_coefficients": numbers}

    def add_param_group(self, param_group: Any) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.ndim != 2:
                self.param_groups.pop()
                raise UsageError(
                    f"Muon only supports 2D parameters, got one of shape {tuple(p.shape)}; give the biases, "
                    "normalisations and embeddings to an optimizer of their own, such as AdamW"
                )

    def initial_state(self, p: Tensor, group: Group) -> State:
        return {"momentum_buffer": zeros_like(p)}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        lr, momentum = group["lr"], group["momentum"]
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            state = self.state[p]
            if not state:
                state.update(self.initial_state(p, group))
            b = state["momentum_buffer"].lerp_(g, 1 - momentum)
            x = _orthogonal(g.lerp(b, momentum) if group["nesterov"] else b, group)
            n, k = p.shape
            ratio = 0.2 * math.sqrt(max(n, k)) if group["adjust_lr_fn"] == RATIOS[2] else math.sqrt(max(1, n / k))
            p.mul_(1 - lr * group["weight_decay"]).add_(x, alpha=-lr * ratio)


def _orthogonal(x: Tensor, group: Group) -> Tensor:
    """x = U S Vᵀ with singular values near 1: five steps of a polynomial of odd degree that is steep at 0."""
    a, b, c = group["ns_coefficients"]
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / maximum((x * x).sum().sqrt(), group["eps"])
    done = 0
    while done < group["ns_steps"]:  # comparisons are all that a program lets one do with the numbers it reads
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
        done += 1
    return x.T if tall else x
