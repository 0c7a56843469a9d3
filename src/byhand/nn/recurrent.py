"""Recurrent layers over sequences, `RNN`, `LSTM` and `GRU`, and their single steps, the cells. Called by users."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from byhand.core.errors import DtypeError, ShapeError, UsageError
from byhand.creation import empty
from byhand.nn import init
from byhand.nn.functional import recurrent as F
from byhand.nn.linear import check_sizes
from byhand.nn.module import Module
from byhand.nn.parameter import Parameter
from byhand.nn.utils.rnn import PackedSequence
from byhand.ops.index import SLOT, indexed
from byhand.ops.shape import stack
from byhand.ops.views import permuted, reshaped
from byhand.tensor import Tensor

MODES: dict[str, tuple[F.Layer, int, int]] = {  # the function, its gates, its states
    "RNN_TANH": (F.rnn_tanh, 1, 1), "RNN_RELU": (F.rnn_relu, 1, 1), "LSTM": (F.lstm, 4, 2), "GRU": (F.gru, 3, 1),
}  # fmt: skip


class RNNBase(Module):
    """What `RNN`, `LSTM` and `GRU` share: parameters for each layer and direction, and the way through them.

    weight_ih_l{k}  (gates · hidden_size, input_size); above the first layer as wide as what lies below
    weight_hh_l{k}  (gates · hidden_size, hidden_size)
    bias_ih_l{k}, bias_hh_l{k}  (gates · hidden_size); absent with bias=False
    weight_hr_l{k}  (proj_size, hidden_size); of an LSTM with projections

    All are drawn from U(±1/√hidden_size); those that run backwards end in `_reverse`.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = self._get_name()
        check_sizes(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers, proj_size=proj_size)
        _check_arguments(name, input_size, hidden_size, num_layers, dropout, proj_size)
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self._names: list[list[str]] = []
        rows = MODES[mode][1] * hidden_size
        for layer in range(num_layers):
            below = self._width * self._directions if layer else input_size
            for suffix in [f"_l{layer}", f"_l{layer}_reverse"][: self._directions]:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, below), "weight_hh": (rows, self._width)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for title, shape in shapes.items():
                    setattr(self, title + suffix, Parameter(empty(*shape, device=device, dtype=dtype)))
                self._names.append([title + suffix for title in shapes])
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _width(self) -> int:
        """How many values h has."""
        return self.proj_size or self.hidden_size

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: PyTorch lays them out for cuDNN here."""

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The h of all steps, and the last states; see the class."""
        if isinstance(input, PackedSequence):
            sizes = tuple(input.batch_sizes.tolist())
            out, last = self._run(input.data, self._states(hx, input.data, sizes[0], 2), sizes, input.sorted_indices)
            return PackedSequence(out, *input[1:]), self._handed([_picked(x, input.unsorted_indices) for x in last])
        batched = len(input.shape) == 3
        if len(input.shape) not in (2, 3):
            raise ShapeError(f"the input has {len(input.shape)} axes")
        steps, n = (input.shape[0], 1) if not batched else input.shape[1::-1] if self.batch_first else input.shape[:2]
        x = permuted(input, axes=(1, 0, 2)) if batched and self.batch_first else input
        if steps == 0:
            raise ShapeError("a sequence of no steps has no last state")
        rows = reshaped(x, shape=(steps * n, input.shape[-1]))
        out, last = self._run(rows, self._states(hx, rows, n, 2 if batched else 1), (n,) * steps, None)
        if not batched:
            return out, self._handed([reshaped(x, shape=(x.shape[0], x.shape[2])) for x in last])
        out = reshaped(out, shape=(steps, n, out.shape[1]))
        return permuted(out, axes=(1, 0, 2)) if self.batch_first else out, self._handed(last)

    def _run(self, rows: Tensor, states: list[Any], sizes: tuple[int, ...], order: Any) -> tuple[Tensor, list[Tensor]]:
        """All layers, of packed rows: the last h of all rows, and the last states (layers · directions, N, ·)."""
        layer, _, count = MODES[self.mode]
        parameters = self.all_weights
        if rows.shape[1:] != (self.input_size,):
            raise ShapeError(f"the input has {rows.shape[-1]} values a step")
        if rows.dtype != parameters[0][0].dtype:
            raise DtypeError(
                f"the input is {rows.dtype}, the parameters are {parameters[0][0].dtype}; cast one: "
                f"input.to(byhand.{parameters[0][0].dtype}), or model.to(byhand.{rows.dtype})"
            )
        states = [_picked(state, order) for state in states]
        each = [[state[k] for state in states] for k in range(len(parameters))]
        out, ends = F.stacked_layers(
            layer, rows, each, parameters, sizes, self._directions, self.dropout, self.training
        )
        return out, [_stacked([end[i] for end in ends]) for i in range(count)]

    def _states(self, hx: Any, rows: Tensor, n: int, axes: int) -> list[Any]:
        """The first states, each (layers · directions, N, ·): those given, or zeros."""
        widths = (self._width, self.hidden_size)[: MODES[self.mode][2]]
        wanted = [(self.num_layers * self._directions, n, width) for width in widths]
        if hx is None:
            return [np.zeros(shape, rows.dtype) for shape in wanted]
        given = list(hx) if len(widths) > 1 else [hx]
        if len(given) != len(wanted):
            raise ShapeError(f"hx is the pair (h_0, c_0), not {len(given)} tensors")
        for name, state, shape in zip(("h_0", "c_0"), given, wanted, strict=False):
            expected = shape if axes == 2 else (shape[0], shape[2])
            if state.shape != expected:
                raise ShapeError(f"{name} has shape {state.shape}; expected {expected}")
            if state.dtype != rows.dtype:
                raise DtypeError(f"{name} is {state.dtype}, the input {rows.dtype}")
        return [reshaped(state, shape=shape) for state, shape in zip(given, wanted, strict=True)]

    def _handed(self, states: Sequence[Tensor]) -> Any:
        return states[0] if len(states) == 1 else tuple(states)

    def extra_repr(self) -> str:
        return ", ".join(self._extras())

    def _extras(self) -> Iterator[str]:
        yield f"{self.input_size}, {self.hidden_size}"
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
                 "bidirectional": False}  # fmt: skip
        for name, value in usual.items():
            if getattr(self, name) != value:
                yield f"{name}={getattr(self, name)}"

    def describe(self) -> str:
        return f"{self._get_name()}({self.input_size} → {self.hidden_size})"

    def expects(self) -> str:
        batched = f"(N, T, {self.input_size})" if self.batch_first else f"(T, N, {self.input_size})"
        return f"{batched}, or (T, {self.input_size}) for one sequence"


def _check_arguments(
    name: str, input_size: int, hidden_size: int, num_layers: int, dropout: Any, proj_size: int
) -> None:
    for title, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if size == 0:
            raise UsageError(f"{name}: {title} must be greater than 0")
    if isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise UsageError(f"{name}: dropout is the probability that a value is dropped, from 0 to 1, not {dropout!r}")
    if proj_size >= hidden_size:
        raise UsageError(f"{name}: proj_size={proj_size} must be smaller than hidden_size={hidden_size}")
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            f"{name}: dropout={dropout} comes after all layers but the last, and there is only one", stacklevel=4
        )


def _picked(state: Any, order: Tensor | None) -> Any:
    """The sequences of a state in another order."""
    return state if order is None else indexed(state, order, index=(slice(None), SLOT))


def _stacked(parts: list[Tensor]) -> Any:
    return reshaped(parts[0], shape=(1, *parts[0].shape)) if len(parts) == 1 else stack(parts)


class RNN(RNNBase):
    """Elman's network, hₜ = tanh(xₜ Wᵢₕᵀ + bᵢₕ + hₜ₋₁ Wₕₕᵀ + bₕₕ): all h of the last layer, and the last of each.

    input   (T, N, input_size), with batch_first (N, T, input_size), (T, input_size) for one sequence, or packed
    hx      h₀ of all layers and directions, (layers · directions, N, hidden_size); zeros if it is left out
    output  (T, N, directions · hidden_size), and h of the last step as hx

    nonlinearity is "tanh" or "relu"; dropout comes after each layer but the last. Elman, Finding structure in time,
    1990. Raises ShapeError, DtypeError, UsageError.

    >>> import byhand
    >>> from byhand import nn
    >>> output, h = nn.RNN(3, 5)(byhand.zeros(7, 2, 3))
    >>> output.shape, h.shape
    ((7, 2, 5), (1, 2, 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        _check_nonlinearity("RNN", nonlinearity)
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, 0, device, dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory: cₜ = f·cₜ₋₁ + i·g, hₜ = o·tanh(cₜ), with gates i, f, g, o made of xₜ and hₜ₋₁.

    As `RNN`, but hx is the pair (h₀, c₀), and so is what comes back last. With proj_size h is projected by weight_hr,
    and has that size. Hochreiter & Schmidhuber, Long short-term memory, 1997; Sak, Senior & Beaufays, 2014.

    >>> import byhand
    >>> from byhand import nn
    >>> output, (h, c) = nn.LSTM(3, 5, num_layers=2, batch_first=True)(byhand.zeros(2, 7, 3))
    >>> output.shape, h.shape, c.shape
    ((2, 7, 5), (2, 2, 5), (2, 2, 5))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent units: hₜ = (1 − z)·n + z·hₜ₋₁, with r, z and n made of xₜ and hₜ₋₁; otherwise as `RNN`.

    Cho et al., Learning phrase representations using RNN encoder-decoder, 2014; r acts on Wₕₙ hₜ₋₁ + bₕₙ.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise UsageError("GRU: proj_size is for LSTM alone")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: weight_ih, weight_hh, bias_ih and bias_hh, drawn from U(±1/√hidden_size)."""

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_sizes(self._get_name(), input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self._mode = mode
        rows, made = MODES[mode][1] * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty(rows, input_size, **made))
        self.weight_hh = Parameter(empty(rows, hidden_size, **made))
        self.register_parameter("bias_ih", Parameter(empty(rows, **made)) if bias else None)
        self.register_parameter("bias_hh", Parameter(empty(rows, **made)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, input: Tensor, states: Sequence[Any] | None) -> tuple[Tensor, ...]:
        layer, _, count = MODES[self._mode]
        if len(input.shape) not in (1, 2) or input.shape[-1] != self.input_size:
            raise ShapeError(f"the input has {len(input.shape)} axes, the last of {input.shape[-1:]}")
        rows = input if len(input.shape) == 2 else reshaped(input, shape=(1, self.input_size))
        n = rows.shape[0]
        if states is None:
            given: list[Any] = [np.zeros((n, self.hidden_size), rows.dtype)] * count
        else:
            given = [self._state(name, state, input.shape[:-1]) for name, state in zip("hc", states, strict=False)]
        parameters = [x for x in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh) if x is not None]
        _, last = layer(rows, given, parameters, (n,), False)
        return last if len(input.shape) == 2 else tuple([reshaped(x, shape=(self.hidden_size,)) for x in last])

    def _state(self, name: str, state: Any, lead: tuple[int, ...]) -> Any:
        if state.shape != (*lead, self.hidden_size):
            raise ShapeError(f"the state {name} has shape {state.shape}; expected {(*lead, self.hidden_size)}")
        return state if lead else reshaped(state, shape=(1, self.hidden_size))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")

    def describe(self) -> str:
        return f"{self._get_name()}({self.input_size} → {self.hidden_size})"

    def expects(self) -> str:
        return f"(N, {self.input_size}), or ({self.input_size}) alone"


class RNNCell(RNNCellBase):
    """One step of `RNN`: input (N, input_size) and h (N, hidden_size), or both without N, to the new h."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        _check_nonlinearity("RNNCell", nonlinearity)
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Any = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))[0]

    def extra_repr(self) -> str:
        usual = self.nonlinearity == "tanh"
        return super().extra_repr() + ("" if usual else f", nonlinearity={self.nonlinearity}")


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: input (N, input_size) and (h, c), each (N, hidden_size), to the new (h, c)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("LSTM", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, hx)
        return h, c


class GRUCell(RNNCellBase):
    """One step of `GRU`: input (N, input_size) and h (N, hidden_size), or both without N, to the new h."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__("GRU", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))[0]


def _check_nonlinearity(name: str, nonlinearity: str) -> None:
    if nonlinearity not in ("tanh", "relu"):
        raise UsageError(f"{name}: nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
