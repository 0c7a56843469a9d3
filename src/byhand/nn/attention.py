"""`MultiheadAttention`: attention of several heads between projections. Called by `nn.transformer` and by users."""

from __future__ import annotations

from typing import Any

from byhand.core.errors import UsageError
from byhand.creation import empty
from byhand.nn import functional as F
from byhand.nn import init
from byhand.nn.linear import Linear, check_sizes
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.tensor import Tensor


class MultiheadAttention(Module):
    """W_o [head₁ … headₕ] with headᵢ = softmax(qᵢ kᵢᵀ / √D + masks) vᵢ, for q = W_q query, k = W_k key, v = W_v value.

    query       (L, N, E), or (N, L, E) with batch_first, or (L, E); E is embed_dim, D = E / num_heads
    key, value  likewise with S in place of L, and kdim and vdim in place of E
    bias        whether the projections have one; add_bias_kv: a learned key and value more; add_zero_attn: a zero one
    dropout     of the weights, while training

    Called with need_weights (as is usual) the weights are returned, too: (N, L, S), the heads' mean, or without
    average_attn_weights (N, heads, L, S). need_weights=False takes less time and memory. key_padding_mask (N, S) and
    attn_mask, (L, S) or (N · heads, L, S), hide a key where they are True, or are added to the scores if they are
    floats; is_causal says that attn_mask hides what comes later. Vaswani et al., Attention is all you need, 2017.

    in_proj_weight (3 E, E), or q_proj_weight, k_proj_weight and v_proj_weight; in_proj_bias (3 E); out_proj, a Linear.

    >>> import byhand
    >>> from byhand import nn
    >>> x = byhand.randn(2, 5, 8)
    >>> out, weights = nn.MultiheadAttention(8, 4, batch_first=True)(x, x, x)
    >>> out.shape, weights.shape
    ((2, 5, 8), (2, 5, 5))
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        if not num_heads or not embed_dim or embed_dim % num_heads:
            raise UsageError(
                f"MultiheadAttention: embed_dim is divided among the heads: {embed_dim} is no multiple of {num_heads}"
            )
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        made = {"device": device, "dtype": dtype}

        def matrix(rows: int, columns: int) -> Parameter:  # in memory as in `Linear`
            return Parameter(empty(columns, rows, **made).array.T.copy(order="K"))

        together = self.kdim == self.vdim == embed_dim
        self.register_parameter("in_proj_weight", matrix(3 * embed_dim, embed_dim) if together else None)
        for letter, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            self.register_parameter(f"{letter}_proj_weight", None if together else matrix(embed_dim, size))
        self.register_parameter("in_proj_bias", Parameter(empty(3 * embed_dim, **made)) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, **made)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, Parameter(empty(1, 1, embed_dim, **made)) if add_bias_kv else None)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw the parameters anew; `out_proj` draws its own weight."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for row in (self.bias_k, self.bias_v):
            if row is not None:
                init.xavier_normal_(row)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        return F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k,
            self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias,
            training=self.training, key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=self.in_proj_weight is None, q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight, v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights, is_causal=is_causal, batch_first=self.batch_first,
        )  # fmt: skip

    def describe(self) -> str:
        return f"MultiheadAttention({self.embed_dim}, heads={self.num_heads})"

    def expects(self) -> str:
        axes = "(N, L, " if self.batch_first else "(L, N, "
        keys = axes.replace("L", "S")
        return f"{axes}{self.embed_dim}), {keys}{self.kdim}) and {keys}{self.vdim}), or each without N"
