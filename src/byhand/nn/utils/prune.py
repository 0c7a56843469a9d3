"""PyTorch's path `nn.utils.prune`: weights taken away by masks, by size, at random, or by a rule of one's own.

A pruned parameter `weight` becomes the parameter `weight_orig` and the buffer `weight_mask`; a hook computes weight =
mask · orig before each call, and `remove` makes it a parameter again. Called by users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from byhand.core.errors import ShapeError, UsageError
from byhand.core.generator import default_generator
from byhand.core.tape import no_grad
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.nn.utils.recomputed import Recomputed, hook_of, parameter_of, registered, removed
from byhand.ops.shape import cat
from byhand.tensor import Tensor

_M = TypeVar("_M", bound=Module)


class BasePruningMethod(Recomputed):
    """A rule that says which entries stay: subclasses define `compute_mask(t, default_mask)` and `PRUNING_TYPE`.

    "unstructured" rules see the entries that are still there, "structured" ones the slices along `dim` of which
    something is, "global" ones everything. `amount` is a share of what the rule sees, or a number of entries.
    """

    kind = "pruning"
    PRUNING_TYPE: ClassVar[str] = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """A mask of the shape of the importances `t`: 1 for what stays; what `default_mask` took stays away."""
        raise NotImplementedError

    def compute(self, module: Any) -> Tensor:
        out: Tensor = getattr(module, f"{self.name}_mask") * getattr(module, f"{self.name}_orig")
        return out

    apply_mask = compute

    def leave(self, module: Any) -> Parameter:
        parameter: Parameter = getattr(module, f"{self.name}_orig")
        parameter.data = self.compute(module).detach()
        delattr(module, f"{self.name}_orig")
        delattr(module, f"{self.name}_mask")
        return parameter

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune the parameter `name`, or prune it further; `args` and `kwargs` are those of the rule."""
        method = cls(*args, **kwargs)
        pruned = isinstance(hook_of(module, name), BasePruningMethod)
        weight = getattr(module, name) if pruned else parameter_of(module, name, cls.kind)
        if importance_scores is not None and importance_scores.shape != weight.shape:
            raise ShapeError(f"importance_scores have the shape {importance_scores.shape}, {name} has {weight.shape}")
        scores = (weight if importance_scores is None else importance_scores).detach()
        mask = method.narrowed(scores, getattr(module, f"{name}_mask")) if pruned else method.prune_mask(scores)
        if pruned:
            setattr(module, f"{name}_mask", mask)
            setattr(module, name, method.named(name).compute(module).detach())
        else:
            delattr(module, name)
            module.register_parameter(f"{name}_orig", weight)
            module.register_buffer(f"{name}_mask", mask)
            registered(module, method.named(name))
        return method

    def __init__(self) -> None:
        super().__init__("")

    def named(self, name: str) -> BasePruningMethod:
        """This rule, for the parameter `name`."""
        self.name = name
        return self

    def prune_mask(self, t: Tensor, default_mask: Tensor | None = None) -> Tensor:
        """The mask of a tensor that was not pruned before, or only by `default_mask`."""
        mask = t.new_ones(t.shape) if default_mask is None else default_mask
        return self.compute_mask(t, mask).to(t.dtype)

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """t · mask, without a module."""
        return t * self.prune_mask(t if importance_scores is None else importance_scores, default_mask)

    def narrowed(self, t: Tensor, mask: Tensor) -> Tensor:
        """The mask after this rule has seen what an earlier one left."""
        where: Any = ...
        if self.PRUNING_TYPE == "unstructured":
            where = mask.array == 1
        elif self.PRUNING_TYPE == "structured":
            dim = getattr(self, "dim", 0) % mask.ndim
            others = tuple(axis for axis in range(mask.ndim) if axis != dim)
            where = (*[slice(None)] * dim, mask.array.any(others))
        found = mask.array.copy()
        part = Tensor(np.asarray(t.array[where]))
        if part.numel():
            found[where] = self.compute_mask(part, Tensor(np.asarray(mask.array[where]))).array
        return Tensor(found)


class Identity(BasePruningMethod):
    """Takes nothing away: the parameter has a mask, of ones."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Amounted(BasePruningMethod):
    """A rule that takes a share or a number away."""

    def __init__(self, amount: Any) -> None:
        super().__init__()
        share = isinstance(amount, float)
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or amount < 0 or (share and amount > 1):
            raise UsageError(f"pruning: amount is a share from 0.0 to 1.0 or a number of entries, not {amount!r}")
        self.amount: int | float = amount

    def count(self, size: int) -> int:
        """How many of `size` are taken away."""
        if isinstance(self.amount, float):
            return round(self.amount * size)
        if self.amount > size:
            raise UsageError(f"pruning: {self.amount} are to be taken away, and there are {size}")
        return self.amount


class RandomUnstructured(_Amounted):
    """Takes entries away at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without(default_mask, default_generator.numpy.random(t.numel()), self.count(t.numel()))


class L1Unstructured(_Amounted):
    """Takes away the entries of the smallest absolute values."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without(default_mask, abs(t.array).ravel(), self.count(t.numel()))


def _without(mask: Tensor, scores: Any, count: int) -> Tensor:
    """The mask without the entries of the `count` lowest scores."""
    found = mask.array.copy().ravel()
    found[np.argsort(scores, kind="stable")[:count]] = 0
    return Tensor(found.reshape(mask.shape))


class RandomStructured(_Amounted):
    """Takes whole slices along `dim` away at random."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def lengths(self, t: Tensor) -> Any:
        """The importance of each slice."""
        return default_generator.numpy.random(t.shape[self.dim])

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        found = np.moveaxis(default_mask.array.copy(), self.dim, 0)
        found[np.argsort(self.lengths(t), kind="stable")[: self.count(len(found))]] = 0
        return Tensor(np.moveaxis(found, 0, self.dim))


class LnStructured(RandomStructured):
    """Takes away the slices along `dim` with the smallest norm ‖·‖ₙ."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def lengths(self, t: Tensor) -> Any:
        rows = np.moveaxis(t.array, self.dim, 0).reshape(t.shape[self.dim], -1)
        return np.linalg.norm(rows, {"fro": 2, "inf": np.inf}.get(self.n, self.n), axis=1)


class CustomFromMask(BasePruningMethod):
    """Takes away what a given mask says."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if self.mask.shape != default_mask.shape:
            raise ShapeError(f"the mask has the shape {self.mask.shape}, the tensor {default_mask.shape}")
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: _M, name: str) -> _M:
    """Give the parameter a mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: _M, name: str, amount: float) -> _M:
    """Take a share (or a number) of the entries away, at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: _M, name: str, amount: float, importance_scores: Tensor | None = None) -> _M:
    """Take away a share (or a number) of the entries, the smallest ones.

    >>> from byhand import nn
    >>> from byhand.nn.utils import prune
    >>> layer = prune.l1_unstructured(nn.Linear(4, 2), "weight", amount=3)
    >>> int((layer.weight == 0).sum()), [name for name, _ in layer.named_parameters()]
    (3, ['bias', 'weight_orig'])
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: _M, name: str, amount: float, dim: int) -> _M:
    """Take a share (or a number) of the slices along `dim` away, at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: _M, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> _M:
    """Take a share (or a number) of the slices along `dim` away, those of the smallest norm ‖·‖ₙ."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: _M, name: str, mask: Tensor) -> _M:
    """Take away where the mask is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


@no_grad()
def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: Mapping[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters, given as pairs (module, name), as if they were one: the smallest entries of all."""
    pairs = list(parameters)
    if pruning_method.PRUNING_TYPE != "unstructured":
        raise UsageError(f"global_unstructured takes an unstructured method, {pruning_method.__name__} is another")
    given = importance_scores or {}
    scores = [given.get(pair, getattr(*pair)).reshape(-1) for pair in pairs]
    ones = [getattr(*pair).new_ones(getattr(*pair).shape) for pair in pairs]
    masks = [getattr(module, f"{name}_mask", one).reshape(-1) for (module, name), one in zip(pairs, ones, strict=True)]
    whole = pruning_method(**kwargs).narrowed(cat(scores), cat(masks))
    for (module, name), part in zip(pairs, whole.split([one.numel() for one in ones]), strict=True):
        custom_from_mask(module, name, part.reshape(getattr(module, name).shape))


def remove(module: _M, name: str) -> _M:
    """Make the pruned parameter an ordinary one again, with the zeros that it has."""
    return removed(module, name, BasePruningMethod)


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module or of a part of it is pruned."""
    return any(
        isinstance(hook.function, BasePruningMethod)
        for part in module.modules()
        for hook in (part._hooks.forward_pre.values() if part._hooks is not None else ())
    )
