"""Stochastic gradient descent, with momentum, Nesterov's momentum and weight decay."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.core.errors import UsageError
from byhand.optim.interval import ANY, NONNEGATIVE, Interval, Pair
from byhand.optim.optimizer import Group, Optimizer, State, zeros_like
from byhand.tensor import Tensor


class SGD(Optimizer):
    """Stochastic gradient descent: a step against the gradient, or along a running sum of gradients.

    With g = ∂loss/∂p (−g with `maximize`) and g += weight_decay · p:

        momentum = 0:   p ← p − lr · g
        momentum > 0:   b ← g                                   at the first step
                        b ← momentum · b + (1 − dampening) · g  at every later one
                        p ← p − lr · b                          or, with `nesterov`,
                        p ← p − lr · (g + momentum · b)

    lr, momentum, weight_decay >= 0; `nesterov` needs momentum > 0 and dampening = 0. `foreach` and `fused` choose
    between CUDA kernels in PyTorch; they are accepted and change nothing here. State: `momentum_buffer`.

    Sources: Polyak, Some methods of speeding up the convergence of iteration methods (1964); Sutskever et al., On the
    importance of initialization and momentum in deep learning (2013); the form of both is PyTorch's.

    >>> import byhand
    >>> w = byhand.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = byhand.optim.SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, 1.0]
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "momentum": NONNEGATIVE,
        "dampening": ANY,
        "weight_decay": NONNEGATIVE,
    }
    tensors = ("momentum_buffer",)
    numbers: ClassVar[dict[str, type]] = {}

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        options = super()._checked(options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise UsageError(
                "SGD: nesterov=True needs momentum > 0 and dampening = 0; "
                f"got momentum={options['momentum']}, dampening={options['dampening']}"
            )
        return options

    def initial_state(self, p: Tensor, group: Group) -> State:
        # b ← momentum · 0 + g is the first step's b ← g, but for dampening
        return {"momentum_buffer": zeros_like(p)} if group["momentum"] and not group["dampening"] else {}

    def update_group(self, group: Group) -> None:
        """Update the parameters of one group."""
        if group["momentum"]:
            self._update_with_momentum(group)
            return
        lr, weight_decay = group["lr"], group["weight_decay"]
        rate = lr if group["maximize"] else -lr
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            if weight_decay:
                p.mul_(1 - lr * weight_decay)  # = p − lr · weight_decay · p, without a temporary
            p.add_(g, alpha=rate)

    def _update_with_momentum(self, group: Group) -> None:
        lr, momentum, weight_decay = group["lr"], group["momentum"], group["weight_decay"]
        sign = -1 if group["maximize"] else 1
        fresh = 1 - group["dampening"]
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            state = self.state[p]
            b = state.get("momentum_buffer")
            if b is None:
                b = state["momentum_buffer"] = g.mul(sign)
                if weight_decay:
                    b.add_(p, alpha=weight_decay)
            else:
                b.mul_(momentum).add_(g, alpha=sign * fresh)
                if weight_decay:
                    b.add_(p, alpha=fresh * weight_decay)
            if group["nesterov"]:
                if weight_decay:
                    p.mul_(1 - lr * weight_decay)
                p.add_(g, alpha=-lr * sign).add_(b, alpha=-lr * momentum)
            else:
                p.add_(b, alpha=-lr)
