"""LBFGS: Newton's method with a Hessian estimated from the last gradients."""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.core.capture import refuse
from byhand.core.errors import UsageError
from byhand.core.tape import enable_grad, no_grad
from byhand.ops.shape import cat
from byhand.optim.interval import ANY, NONNEGATIVE, Interval, Pair
from byhand.optim.line_search import Point, strong_wolfe
from byhand.optim.optimizer import Closure, Optimizer, State
from byhand.tensor import Tensor


class LBFGS(Optimizer):
    """L-BFGS: steps along −H g, with the inverse Hessian H made of the last `history_size` differences.

    For losses of the whole data. With s the last step, y the change of the gradient over it, ρ = 1 / sᵀy:

        H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ             from H = (sᵀy / yᵀy) · I
        p ← p − t · H g

    `step(closure)` takes up to `max_iter` such steps and calls `closure`, which computes the loss and the gradients
    anew, up to `max_eval` times (max_iter · 5 / 4 by default). t is lr, or with line_search_fn="strong_wolfe" found by
    a line search that starts there; lr >= 0. It stops when no gradient is above `tolerance_grad`, or neither weights
    nor loss change by `tolerance_change`. One parameter group. How many steps it takes depends on values, so a step
    with it cannot be compiled.

    State, kept for the first parameter: `func_evals`, `n_iter`, `d` (the direction), `t`, `old_dirs` (y), `old_stps`
    (s), `ro` (ρ), `H_diag`, `prev_flat_grad`, `prev_loss`, `al`.

    Source: Nocedal and Wright, Numerical optimization, algorithms 7.4 and 7.5.

    >>> import byhand
    >>> w = byhand.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = byhand.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 1) ** 2 * byhand.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item(), closure().item() < 1e-9
    (94.0, True)
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {
        "lr": NONNEGATIVE,
        "max_iter": NONNEGATIVE,
        "max_eval": NONNEGATIVE,
        "tolerance_grad": ANY,
        "tolerance_change": ANY,
        "history_size": Interval(1),
    }
    numbers: ClassVar[dict[str, type]] = {
        "func_evals": int, "n_iter": int, "t": float, "ro": float, "al": float, "H_diag": float, "prev_loss": float,
    }  # fmt: skip
    required = frozenset({"func_evals", "n_iter"})

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        options = super()._checked(options)
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise UsageError(f"LBFGS: line_search_fn must be 'strong_wolfe' or None; got {options['line_search_fn']!r}")
        return options

    def add_param_group(self, param_group: Any) -> None:
        if self.param_groups:
            raise UsageError(
                "LBFGS doesn't support per-parameter options (parameter groups): it takes one step for all; "
                "pass one list of parameters"
            )
        super().add_param_group(param_group)

    def step(self, closure: Closure | None = None) -> Any:
        """Take up to `max_iter` steps; returns the loss of the first call of `closure`, which is needed."""
        refuse("a loop that runs until the values are good enough; leave fallback='eager' to it", "a step of LBFGS")
        if closure is None:
            raise UsageError(
                "LBFGS: step needs a closure, which it calls several times: "
                "def closure(): optimizer.zero_grad(); loss = ...; loss.backward(); return loss"
            )
        with no_grad():
            return self._descend(closure)

    def _descend(self, closure: Closure) -> Any:
        group, state = self.param_groups[0], self.state[self.param_groups[0]["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first, loss, g = self._evaluate(closure)
        evaluations = 1
        state["func_evals"] += 1
        if _largest(g) <= group["tolerance_grad"]:
            return first
        for iteration in range(1, int(group["max_iter"]) + 1):
            state["n_iter"] += 1
            d = self._direction(state, g)
            before, state["prev_loss"], state["prev_flat_grad"] = loss, loss, g
            state["t"] = t = group["lr"] * (min(1.0, 1.0 / g.abs().sum().item()) if state["n_iter"] == 1 else 1)
            slope = _dot(g, d)
            if slope > -group["tolerance_change"]:
                break
            spent = 0
            if group["line_search_fn"] is not None:
                start = Point(0.0, loss, g, slope)
                point, spent = self._search(closure, start, d, t, int(group["max_eval"]) - evaluations)
                state["t"], loss, g = t, *_ = point.t, point.loss, point.gradient
                self._move(d, t)
            else:
                self._move(d, t)
                if iteration != group["max_iter"]:  # after the last, the next call of `step` evaluates
                    _, loss, g = self._evaluate(closure)
                    spent = 1
            evaluations += spent
            state["func_evals"] += spent
            if (
                evaluations >= group["max_eval"]
                or _largest(g) <= group["tolerance_grad"]
                or _largest(d) * abs(t) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                break
        return first

    def _direction(self, state: State, g: Tensor) -> Tensor:
        """−H g, after the history has taken in the last step."""
        if state["n_iter"] == 1:
            d = -g
            state.update(d=d, t=0.0, old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return d
        size = int(self.param_groups[0]["history_size"])
        ys, ss, ro = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = _dot(y, s)
        if curvature > 1e-10:
            if len(ys) == size:
                del ys[0], ss[0], ro[0]
            ys.append(y)
            ss.append(s)
            ro.append(1.0 / curvature)
            state["H_diag"] = curvature / _dot(y, y)
        al = state.setdefault("al", [None] * size)
        d = -g
        for i in range(len(ys) - 1, -1, -1):
            al[i] = _dot(ss[i], d) * ro[i]
            d.add_(ys[i], alpha=-al[i])
        d.mul_(state["H_diag"])
        for i in range(len(ys)):
            d.add_(ss[i], alpha=al[i] - _dot(ys[i], d) * ro[i])
        state["d"] = d
        return d

    def _search(self, closure: Closure, start: Point, d: Tensor, t: float, most: int) -> tuple[Point, int]:
        params = self.param_groups[0]["params"]
        origin = [p.detach().clone() for p in params]

        def evaluate(t: float) -> Point:
            self._move(d, t)
            _, loss, g = self._evaluate(closure)
            for p, value in zip(params, origin, strict=True):
                p.copy_(value)
            return Point(t, loss, g, _dot(g, d))

        tolerance = self.param_groups[0]["tolerance_change"]
        return strong_wolfe(evaluate, start, t, _largest(d), tolerance, most)

    def _evaluate(self, closure: Closure) -> tuple[Any, float, Tensor]:
        """What the closure returned, the loss as a number, and all gradients as one vector of its own memory."""
        with enable_grad():
            loss = closure()
        flat = [p.detach().mul(0) if p.grad is None else p.grad.detach() for p in self.param_groups[0]["params"]]
        return loss, float(loss), cat([g.reshape(-1) for g in flat])

    def _move(self, d: Tensor, t: float) -> None:
        offset = 0
        for p in self.param_groups[0]["params"]:
            p.add_(d[offset : offset + p.numel()].reshape(p.shape), alpha=t)
            offset += p.numel()


def _dot(x: Tensor, y: Tensor) -> float:
    return float((x @ y).item())


def _largest(x: Tensor) -> float:
    return float(x.abs().max().item())
