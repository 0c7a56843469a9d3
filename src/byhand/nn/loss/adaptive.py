"""`AdaptiveLogSoftmaxWithLoss`: the softmax of very many classes, most of them rare. Called by users."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from byhand.core.capture import insist, slot, values
from byhand.core.errors import DomainError, ShapeError, UsageError
from byhand.nn import functional as F
from byhand.nn.container import ModuleList, Sequential
from byhand.nn.linear import Linear
from byhand.nn.module import Module
from byhand.ops import elementwise as e
from byhand.ops.loss import picked
from byhand.ops.shape import cat
from byhand.tensor import Tensor


class ASMoutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns: the log-probability of each target, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """−ln p of labels, where classes are numbered by how often they come: the rare ones share clusters.

    cutoffs    the first class of each cluster; those before the first have an output of their own
    div_value  by how much each cluster's projection is smaller than the one before

    Inputs (N, in_features) and labels (N), or (in_features) and (). Grave et al., Efficient softmax approximation for
    GPUs, 2017.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        ascending = all(a < b for a, b in pairwise([0, *cutoffs, n_classes]))
        if not cutoffs or not ascending or any(int(c) != c for c in cutoffs):
            raise UsageError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs are integers from 1 to {n_classes - 1}, each larger than the one "
                f"before, got {cutoffs}"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        made = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **made)
        self.tail = ModuleList()
        for i, (first, last) in enumerate(pairwise(self.cutoffs)):
            hidden = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, **made), Linear(hidden, last - first, bias=False, **made)
                )
            )

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        if input.ndim not in (1, 2) or target.shape != input.shape[:-1]:
            raise ShapeError(f"AdaptiveLogSoftmaxWithLoss: input has shape {input.shape} and target {target.shape}")
        x, labels = input.reshape(-1, self.in_features), values(target).reshape(-1)
        if labels.shape[0]:
            wrong = (labels < 0) | (labels >= self.n_classes)
            insist(wrong.any(), partial(_out_of_range, self.n_classes), labels)
        places = labels
        output: Any = 0
        for i, (first, last) in enumerate(pairwise(self.cutoffs)):
            inside = (labels >= first) & (labels < last)
            places = e.select(inside, self.shortlist_size + i, places)
            output = output + self._of_cluster(i, x, e.select(inside, labels - first, 0), inside)
        output = output + picked(F.log_softmax(self.head(x), 1), places)
        return ASMoutput(output.reshape(target.shape), -output.mean())

    def _of_cluster(self, i: int, x: Tensor, places: Any, inside: Any) -> Any:
        """ln p of the labels in a cluster, given that it is this one, and 0 for all others."""
        if slot.tracer is None:  # only the rows that are in it; how many a program cannot know
            (rows,) = inside.nonzero()
            if not len(rows):
                return 0
            logs = picked(F.log_softmax(self.tail[i](x[rows]), 1), places[rows])
            return logs.new_zeros(x.shape[0]).index_add(0, Tensor(rows), logs)
        return e.select(inside, picked(F.log_softmax(self.tail[i](x), 1), places), 0)

    def log_prob(self, input: Tensor) -> Tensor:
        """ln p of every class: (N, in_features) → (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        size = self.shortlist_size
        rare = [
            F.log_softmax(self.tail[i](input), 1) + head[:, size + i : size + i + 1] for i in range(self.n_clusters)
        ]
        return cat([head[:, :size], *rare], 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row: (N, in_features) → (N)."""
        return self.log_prob(input).argmax(1)

    def expects(self) -> str:
        return f"(N, {self.in_features}) and labels (N)"


def _out_of_range(classes: int, labels: Any) -> DomainError:
    wrong = [int(label) for label in labels if not 0 <= label < classes]
    return DomainError(
        f"AdaptiveLogSoftmaxWithLoss: the label {wrong[0]} is out of range for {classes} classes (0 to {classes - 1})"
    )
