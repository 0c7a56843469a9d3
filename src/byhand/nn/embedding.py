"""Tables of rows that are looked up by number: `Embedding`, and `EmbeddingBag`, which reduces them. Called by users."""

from __future__ import annotations

from typing import Any

from byhand.core.errors import ShapeError
from byhand.core.tape import no_grad
from byhand.creation import empty
from byhand.nn import functional as F
from byhand.nn import init
from byhand.nn.functional.embedding import from_front
from byhand.nn.linear import check_sizes
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor


class _Table(Module):
    """weight (num_embeddings, embedding_dim), drawn from N(0, 1) but for the row `padding_idx`, which is 0."""

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        _weight: Tensor | None,
        _freeze: bool,
        made: dict[str, Any],
    ) -> None:
        super().__init__()
        check_sizes(self._get_name(), num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = from_front(padding_idx, num_embeddings, self._get_name())
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is not None and tuple(_weight.shape) != (num_embeddings, embedding_dim):
            raise ShapeError(
                f"{self._get_name()}: the given weight has shape {tuple(_weight.shape)}, expected "
                f"{(num_embeddings, embedding_dim)}"
            )
        drawn = empty(num_embeddings, embedding_dim, **made) if _weight is None else _weight
        self.weight = Parameter(drawn, requires_grad=not _freeze)
        if _weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the rows anew; the row that stands for padding is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _shown(self, *names: str) -> str:
        """What of these arguments is not as usual."""
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}
        given = [
            f"{name}={getattr(self, name)!r}"
            for name in names
            if name not in usual or getattr(self, name) != usual[name]
        ]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *given])

    def describe(self) -> str:
        return f"{self._get_name()}({self.num_embeddings} → {self.embedding_dim})"


class Embedding(_Table):
    """weight[input]: integers (…) → (…, embedding_dim).

    weight       (num_embeddings, embedding_dim), drawn from N(0, 1)
    padding_idx  a row that is 0 and is not learned

    The other arguments as in `functional.embedding`; gradients are dense, also with sparse=True.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.Embedding(10, 3)(byhand.tensor([[1, 2], [4, 9]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        made = {"device": device, "dtype": dtype}
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight,
            _freeze, made,
        )  # fmt: skip

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer with this table (V, D), which is not learned unless freeze=False."""
        if embeddings.ndim != 2:
            raise ShapeError(f"Embedding.from_pretrained takes a table (V, D), not shape {embeddings.shape}")
        rows, width = embeddings.shape
        return cls(
            rows, width, padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq, sparse=sparse, _weight=embeddings, _freeze=freeze,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self) -> str:
        return self._shown("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")

    def expects(self) -> str:
        return f"integers from 0 to {self.num_embeddings - 1}, of any shape"


class EmbeddingBag(_Table):
    """The sum, mean or maximum of weight's rows over each bag of numbers: (B, n), or (n) with offsets → (B, D).

    Parameters as in `Embedding`, arguments as in `functional.embedding_bag`.

    >>> import byhand
    >>> from byhand import nn
    >>> nn.EmbeddingBag(10, 3)(byhand.tensor([1, 2, 4, 9]), byhand.tensor([0, 3])).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        made = {"device": device, "dtype": dtype}
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight,
            False, made,
        )  # fmt: skip
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """A layer with this table (V, D), which is not learned unless freeze=False."""
        if embeddings.ndim != 2:
            raise ShapeError(f"EmbeddingBag.from_pretrained takes a table (V, D), not shape {embeddings.shape}")
        rows, width = embeddings.shape
        layer = cls(
            rows, width, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset,
            padding_idx,
        )  # fmt: skip
        layer.weight.requires_grad_(not freeze)
        return layer

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode,
            self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return self._shown("max_norm", "norm_type", "scale_grad_by_freq", "mode", "padding_idx")

    def expects(self) -> str:
        return f"integers from 0 to {self.num_embeddings - 1}: (B, n), or (n) with offsets (B)"
