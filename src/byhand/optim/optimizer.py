"""`Optimizer`: parameter groups, per-parameter state, `zero_grad`, `step` and its hooks.

Every optimiser of this package is a subclass that writes one method, `update_group`: its update rule, as formulas in
in-place tensor operations. Training loops, `byhand.train` and the schedules of `lr_scheduler` call the rest.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from byhand.core.capture import slot, tracer
from byhand.core.errors import UsageError
from byhand.core.hooks import Hook, Hooks, RemovableHandle, add_hook
from byhand.core.tape import enable_grad, mode
from byhand.nn.state import StateHooks
from byhand.optim import group as grouping
from byhand.optim import snapshot
from byhand.tensor import Tensor

if TYPE_CHECKING:
    from byhand.optim.interval import Interval, Pair

Closure = Callable[..., Any]
Group = dict[str, Any]
State = dict[str, Any]
PreHook = Callable[["Optimizer", tuple[Any, ...], dict[str, Any]], Any]
PostHook = Callable[["Optimizer", tuple[Any, ...], dict[str, Any]], None]


class Optimizer:
    """What all optimisers share: groups of parameters with their hyper-parameters, and state kept per parameter.

    params      tensors; or (name, tensor) pairs, then messages use the names; or dictionaries
                `{"params": [...], "lr": ...}`, each a group with hyper-parameters of its own
    defaults    the hyper-parameters of groups that do not give their own

    A subclass implements `update_group(group)`, or overrides `step` as in PyTorch. It runs without recording.

    >>> import byhand
    >>> from byhand.optim import Optimizer
    >>> class SignDescent(Optimizer):
    ...     def __init__(self, params, lr):
    ...         super().__init__(params, {"lr": lr})
    ...     def update_group(self, group):
    ...         for p in group["params"]:
    ...             p.add_(p.grad.sign(), alpha=-group["lr"])
    >>> w = byhand.tensor([1.0, -2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w], lr=0.5).step()
    >>> w.tolist()
    [0.5, -1.5]
    """

    intervals: ClassVar[dict[str, Interval | Pair]] = {}
    """The accepted range of each numeric hyper-parameter."""

    tensors: ClassVar[tuple[str, ...]] = ()
    """State entries of the parameter's own shape and dtype."""

    numbers: ClassVar[dict[str, type]] = {"step": int}
    """State entries that are plain Python numbers."""

    required: ClassVar[frozenset[str]] = frozenset()
    """State entries without which a saved state cannot be continued."""

    defaults: dict[str, Any]
    state: defaultdict[Any, State]
    param_groups: list[Group]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if defaults.get("differentiable"):
            raise UsageError(
                f"{self._name}: differentiable=True is not supported, a step is never recorded; "
                "write the update with out-of-place operations to differentiate through it"
            )
        self.defaults = self._checked(defaults)
        self.state = defaultdict(dict)
        self.param_groups = []
        self._before_step: Hooks = {}
        self._after_step: Hooks = {}
        self._state_hooks = StateHooks()
        self._stepped = False  # read by LRScheduler, which must come second
        groups = grouping.as_groups(self._name, params)
        for group in groups:
            self.add_param_group(group)
        if any(g["params"] for g in self.param_groups) and not any(p.requires_grad for p in self._parameters()):
            raise UsageError(f"{self._name}: none of the {len(list(self._parameters()))} params requires a gradient")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:  # a `step` in PyTorch's manner gets the hooks too
            cls.step = _with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def update_group(self, group: Group) -> None:
        """Update `group["params"]` in place from their gradients; parameters without one are left alone."""
        raise NotImplementedError(f"{self._name} must implement update_group(group), or override step()")

    def prepare(self) -> None:
        """Make the state that `step` would make at its first call, so that all steps are alike.

        Nothing to do for parameters without a gradient, nor where a first step differs from the others by its formula.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and not self.state.get(p) and (state := self.initial_state(p, group)):
                    self.state[p].update(state)

    def initial_state(self, p: Tensor, group: Group) -> State:
        """What is kept for a parameter before its first update."""
        return {}

    def state_shape(self, p: Tensor, key: str) -> tuple[int, ...]:
        """The shape of the state tensor `key` of a parameter; its own, unless an optimiser says otherwise."""
        return tuple(p.shape)

    def updates(self, group: Group, decay: bool = True) -> Iterator[tuple[Tensor, Tensor, State]]:
        """Each parameter with a gradient, that gradient, and its state, made if need be, with this step counted.

        The gradient is −g with `maximize`; with `decay` it has weight_decay · p added, or with
        `decoupled_weight_decay` the parameter has become (1 − lr · weight_decay) · p.
        """
        maximize, weight_decay = group["maximize"], group.get("weight_decay") if decay else None
        all_state = self.state
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            if maximize:
                g = -g
            if weight_decay:
                if group.get("decoupled_weight_decay"):
                    p.mul_(1 - group["lr"] * weight_decay)
                else:
                    g = g.add(p, alpha=weight_decay)
            state = all_state[p]
            if not state:
                state.update(self.initial_state(p, group))
            state["step"] += 1
            yield p, g, state

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter once; returns the loss of `closure`, which computes the gradients anew if given."""
        if self._before_step or self._after_step:
            return self._hooked_step(Optimizer._plain_step, closure)
        return self._plain_step(closure)

    def _plain_step(self, closure: Closure | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        watcher = None if slot.tracer is None else tracer()
        before, mode.recording = mode.recording, False
        try:
            if watcher is None:
                for group in self.param_groups:
                    self.update_group(group)
            else:
                with watcher.stepping(self):
                    for group in self.param_groups:
                        self.update_group(group)
        finally:
            mode.recording = before
        self._stepped = True
        return loss

    def _hooked_step(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        for before in list(self._before_step.values()):
            result = before.function(self, args, kwargs)
            if result is None:
                continue
            if not (isinstance(result, tuple) and len(result) == 2):
                raise UsageError(f"{self._name}: a step pre-hook must return None or (args, kwargs); got {result!r}")
            args, kwargs = result
        loss = step(self, *args, **kwargs)
        for after in list(self._after_step.values()):
            after.function(self, args, kwargs)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients: `p.grad = None`, or zeros in the same memory with `set_to_none=False`."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    if p.grad.requires_grad:  # of a backward with create_graph=True
                        p.grad = p.grad.detach()
                    p.grad.zero_()

    def add_param_group(self, param_group: Any) -> None:
        """Add a group of parameters, for example layers that are unfrozen later; missing options take the defaults.

        Raises `UsageError` for an option out of range and for a parameter that is no leaf, does not require a
        gradient, or is in a group already.
        """
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise UsageError(
                f'{self._name}: a parameter group is a dictionary {{"params": [...]}}; got {param_group!r}'
            )
        source = param_group["params"]
        items = [source] if isinstance(source, Tensor) else grouping.as_list(self._name, source)
        grouping.check_not_exhausted(self._name, source, items)
        params, names = grouping.split_names(self._name, items)
        grouping.check_parameters(self._name, params, names, self._parameters())
        if self.param_groups and params and bool(names) != ("param_names" in self.param_groups[0]):
            raise UsageError(f"{self._name}: either all parameter groups have names or none has")
        group = {**param_group, "params": params}
        if names:
            group["param_names"] = names
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.param_groups.append(self._checked(group))

    def register_step_pre_hook(self, hook: PreHook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return the `(args, kwargs)` to use instead."""
        return add_hook(self._before_step, Hook(hook))

    def register_step_post_hook(self, hook: PostHook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return add_hook(self._after_step, Hook(hook))

    def register_state_dict_pre_hook(self, hook: Closure, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before each `state_dict`."""
        return add_hook(self._state_hooks.save_pre, Hook(hook), prepend=prepend)

    def register_state_dict_post_hook(self, hook: Closure, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after each `state_dict`; it may return another to use instead."""
        return add_hook(self._state_hooks.save_post, Hook(hook), prepend=prepend)

    def register_load_state_dict_pre_hook(self, hook: Closure, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before each `load_state_dict`; it may return another to load instead."""
        return add_hook(self._state_hooks.load_pre, Hook(hook), prepend=prepend)

    def register_load_state_dict_post_hook(self, hook: Closure, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after each `load_state_dict`."""
        return add_hook(self._state_hooks.load_post, Hook(hook), prepend=prepend)

    def state_dict(self) -> dict[str, Any]:
        """The state by parameter index and the groups, in PyTorch's form.

        `{"state": {0: {"step": 3, "exp_avg": Tensor, ...}, ...}, "param_groups": [{"lr": ..., "params": [0, ...]}]}`:
        tensors (not copied) in `state`, all the rest plain Python values.
        """
        for hook in self._state_hooks.save_pre.values():
            hook.function(self)
        saved = snapshot.save(self.state, self.param_groups)
        for hook in self._state_hooks.save_post.values():
            saved = hook.function(self, saved) or saved
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a `state_dict`; tensors are copied and cast to the dtype of their parameter.

        Raises `CheckpointError`, and changes nothing, when the groups, the number or the shapes of parameters or the
        kind of optimiser do not match.
        """
        for hook in self._state_hooks.load_pre.values():
            state_dict = hook.function(self, state_dict) or state_dict
        self.state, self.param_groups = snapshot.load(self, state_dict)
        for hook in self._state_hooks.load_post.values():
            hook.function(self)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """`options` with each number inside its interval and of a plain Python type."""
        checked = dict(options)
        for name, interval in self.intervals.items():
            if name in checked:
                checked[name] = interval.check(self._name, name, checked[name])
        return checked

    def __getstate__(self) -> dict[str, Any]:
        # hooks are seldom picklable, as in PyTorch
        return {**self.__dict__, "_before_step": {}, "_after_step": {}, "_state_hooks": StateHooks()}

    def __repr__(self) -> str:
        text = f"{self._name} ("
        for i, group in enumerate(self.param_groups):
            options = "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
            text += f"\nParameter Group {i}\n{options}"
        return text + ")"


def zeros_like(p: Tensor) -> Tensor:
    """A state tensor of zeros with the shape, dtype and memory layout of `p`."""
    return Tensor(np.zeros_like(p.array))


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(step)
    def wrapped(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        watcher = None if slot.tracer is None else tracer()
        with nullcontext() if watcher is None else watcher.stepping(self):
            loss = self._hooked_step(step, *args, **kwargs)
        self._stepped = True
        return loss

    return wrapped
