"""Lazy layers: those that learn from their first input how large they are. Called by users.

A lazy layer is the layer it will become, with a size of 0 and uninitialised parameters. Its first call, or a state that
is loaded into it, settles the size: it makes an ordinary layer of that size, takes over its parameters and its class.
"""

from __future__ import annotations

from typing import Any, ClassVar

from byhand.core.capture import slot, structure
from byhand.core.errors import ShapeError, UsageError
from byhand.nn.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from byhand.nn.linear import Linear
from byhand.nn.module import Module
from byhand.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from byhand.nn.parameter import UninitializedBuffer, UninitializedParameter
from byhand.tensor import Tensor


class LazyModuleMixin(Module):
    """What makes a layer lazy: `becomes` is the ordinary one, whose first argument the first input settles."""

    becomes: ClassVar[Any]
    _options: dict[str, Any]

    def _defer(self, **options: Any) -> None:
        """Make the layer with a size of 0, and remember the options for when the size is known."""
        self.becomes.__init__(self, 0, **options)
        self._options = options
        for name, parameter in self._parameters.items():
            if parameter is not None:
                setattr(self, name, UninitializedParameter(parameter.requires_grad, dtype=parameter.dtype))
        for name, buffer in self._buffers.items():
            if buffer is not None and buffer.ndim:
                setattr(self, name, UninitializedBuffer(dtype=buffer.dtype))
        self.register_load_state_dict_pre_hook(_settle_by_state)

    def reset_parameters(self) -> None:
        """Nothing: there are no values yet."""

    def has_uninitialized_params(self) -> bool:
        """Whether the size is still unknown."""
        return isinstance(self, LazyModuleMixin)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Settle the size by an input, without a call."""
        if slot.tracer is not None:
            raise UsageError(f"{self._get_name()} has no parameters yet: call the model once before it is compiled")
        self._settle(self._size_of(args[0]))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.initialize_parameters(*args, **kwargs)
        return self.forward(*args, **kwargs)  # that of the class it now is

    def _settle(self, size: int) -> None:
        made = self.becomes(size, **self._options)
        mine = dict(self.__dict__)
        del self.__dict__["_options"]
        self.__class__ = self.becomes
        for name, value in made.__dict__.items():
            if isinstance(value, Tensor) and isinstance(mine[name], UninitializedParameter | UninitializedBuffer):
                mine[name]._hold(value.array.astype(mine[name].dtype, copy=False))
            elif not isinstance(value, Tensor) and name not in ("training", "_state_hooks"):
                self.__dict__[name] = value
        structure.version += 1

    def _size_of(self, input: Tensor) -> int:
        """What the first input says."""
        raise NotImplementedError

    def _size_in(self, state: dict[str, tuple[int, ...]]) -> int:
        """What the shapes of a state say."""
        raise NotImplementedError


def _settle_by_state(module: Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Before a state is loaded: take the size from it."""
    if not isinstance(module, LazyModuleMixin):
        return
    shapes = {
        name: tuple(state[prefix + name].shape)
        for name, value in module.__dict__.items()
        if isinstance(value, Tensor)
        and prefix + name in state
        and not isinstance(state[prefix + name], UninitializedParameter | UninitializedBuffer)
    }
    if any(shapes.values()):
        module._settle(module._size_in(shapes))


class LazyLinear(LazyModuleMixin, Linear):
    """`Linear` whose in_features is the size of the last axis of its first input.

    >>> import byhand
    >>> from byhand import nn
    >>> layer = nn.LazyLinear(4)
    >>> layer(byhand.zeros(2, 3)).shape, layer
    ((2, 4), Linear(in_features=3, out_features=4, bias=True))
    """

    becomes = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        self._defer(out_features=out_features, bias=bias, device=device, dtype=dtype)

    def _size_of(self, input: Tensor) -> int:
        return input.shape[-1]

    def _size_in(self, state: dict[str, tuple[int, ...]]) -> int:
        return state["weight"][1]


class _LazyNorm(LazyModuleMixin):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        self._defer(
            eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats, device=device,
            dtype=dtype, bias=bias,
        )  # fmt: skip

    def _size_of(self, input: Tensor) -> int:
        return _channels(self, input, self.becomes.ndims)

    def _size_in(self, state: dict[str, tuple[int, ...]]) -> int:
        return next(shape[0] for shape in state.values() if shape)


def _channels(layer: Module, input: Tensor, ndims: tuple[int, ...]) -> int:
    """The size of the channels' axis, the second, or of one input without its batch the first."""
    if input.ndim in ndims:
        return input.shape[1]
    if input.ndim + 1 in ndims and not isinstance(layer, BatchNorm1d | BatchNorm2d | BatchNorm3d):
        return input.shape[0]
    raise ShapeError(f"{layer._get_name()}: the input has shape {input.shape}; expected {ndims[-1]} axes")


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """`BatchNorm1d` with as many features as its first input has channels."""

    becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """`BatchNorm2d` with as many features as its first input has channels."""

    becomes = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """`BatchNorm3d` with as many features as its first input has channels."""

    becomes = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """`InstanceNorm1d` with as many features as its first input has channels."""

    becomes = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """`InstanceNorm2d` with as many features as its first input has channels."""

    becomes = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """`InstanceNorm3d` with as many features as its first input has channels."""

    becomes = InstanceNorm3d


class _LazyConv(LazyModuleMixin):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._defer(
            out_channels=out_channels, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, padding_mode=padding_mode, device=device, dtype=dtype,
        )  # fmt: skip

    def _size_of(self, input: Tensor) -> int:
        return _channels(self, input, (self.becomes.ndim + 2,))

    def _size_in(self, state: dict[str, tuple[int, ...]]) -> int:
        groups: int = self._options["groups"]
        return state["weight"][1] * groups


class _LazyConvTranspose(_LazyConv):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        self._defer(
            out_channels=out_channels, kernel_size=kernel_size, stride=stride, padding=padding,
            output_padding=output_padding, groups=groups, bias=bias, dilation=dilation, padding_mode=padding_mode,
            device=device, dtype=dtype,
        )  # fmt: skip

    def _size_in(self, state: dict[str, tuple[int, ...]]) -> int:
        return state["weight"][0]


class LazyConv1d(_LazyConv, Conv1d):
    """`Conv1d` with as many input channels as its first input has."""

    becomes = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """`Conv2d` with as many input channels as its first input has."""

    becomes = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """`Conv3d` with as many input channels as its first input has."""

    becomes = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """`ConvTranspose1d` with as many input channels as its first input has."""

    becomes = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """`ConvTranspose2d` with as many input channels as its first input has."""

    becomes = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """`ConvTranspose3d` with as many input channels as its first input has."""

    becomes = ConvTranspose3d
