"""`Module`: what every layer and network is. Called by users, who subclass it, and by all of `byhand.nn`.

Three parts stand below: `tree` (what a module owns), `state` (saving and loading), `hooks` (functions around the call).
Here is the call itself, with errors that name the module's path, the modes, the casts and the printed form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from byhand.core.capture import entered, slot
from byhand.core.errors import ByhandError, ShapeError, UsageError
from byhand.core.tape import no_grad
from byhand.nn.hooks import Hookable, call_with_hooks
from byhand.nn.state import ModuleState
from byhand.nn.tree import did_you_mean
from byhand.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from byhand.nn.summary import Summary


class Module(ModuleState, Hookable):
    """The base of all layers and networks: define `forward`, assign parameters and other modules to attributes.

    As `torch.nn.Module`, whose names, orders and defaults it keeps.

    >>> import byhand
    >>> from byhand.nn.module import Module
    >>> from byhand.nn.parameter import Parameter
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = Parameter(byhand.tensor(2.0))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Scale()(byhand.tensor(3.0)).item()
    6.0

    A layer may override `extra_repr` (the arguments in its printed form), `describe` (one short line for errors and
    tables) and `expects` (what its input must look like, for errors).
    """

    def __init__(self) -> None:
        super().__init__()

    forward: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if slot.tracer is not None:
            entered(self)
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return call_with_hooks(self, args, kwargs)
        except Exception as error:
            _locate(error, self, (*args, *kwargs.values()))
            raise

    # Modes.

    def train(self, mode: bool = True) -> Self:
        """Training mode for this module and all below it: dropout drops, batch normalisation learns its statistics."""
        if not isinstance(mode, (bool, np.bool_)):
            raise UsageError(f"train(mode) takes True or False, got {mode!r}; to train a model, see byhand.train.fit")
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Evaluation mode; the same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether gradients gather for the parameters; False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: None, or zeros in place."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.detach().zero_()

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module, children first, this one last: to initialise weights, say."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # Casts. There is one device, the CPU.

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the values of every parameter, gradient and buffer; the objects stay the same, for optimisers."""
        with no_grad():
            for parameter in self.parameters(recurse):
                grad, parameter.grad = parameter.grad, None
                parameter.data = fn(parameter.detach())
                if grad is not None:
                    parameter.grad = fn(grad.detach())
            for buffer in self.buffers(recurse):
                buffer.data = fn(buffer.detach())
        return self

    def to(self, *args: Any, device: Any = None, dtype: DTypeLike | None = None, **ignored: Any) -> Self:
        """Cast floating-point parameters and buffers: `to(dtype)`, `to("cpu")`, `to("cpu", dtype)`, `to(tensor)`.

        `non_blocking` and `memory_format` are accepted and change nothing.

        Raises `UsageError` for a device other than the CPU, TypeError for an integer dtype.
        """
        for argument in args:
            if isinstance(argument, bool):  # PyTorch's positional non_blocking
                continue
            if isinstance(argument, Tensor):
                dtype = argument.dtype
            elif _is_device(argument):
                device = argument
            elif argument is not None:
                dtype = argument
        if device is not None and str(device).split(":")[0] != "cpu":
            raise UsageError(
                f"there is no device {str(device)!r}: byhand computes on the CPU; leave .to({device!r}) out"
            )
        if dtype is None:
            return self
        wanted = np.dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(f"to() casts parameters to a floating-point dtype, got {wanted}")
        return self._apply(lambda t: t.to(wanted) if t.dtype.kind == "f" else t)

    def type(self, dst_type: DTypeLike) -> Self:
        """Cast all parameters and buffers, integers too."""
        return self._apply(lambda t: t.to(np.dtype(dst_type)))

    def float(self) -> Self:
        """Cast floating-point parameters and buffers to float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Cast floating-point parameters and buffers to float64."""
        return self.to(np.float64)

    def half(self) -> Self:
        """Cast floating-point parameters and buffers to float16: half the memory, but NumPy computes it slowly."""
        return self.to(np.float16)

    def bfloat16(self) -> Self:
        """Refused: NumPy has no such dtype."""
        raise UsageError("NumPy has no bfloat16; use .float(), or .half() to save memory")

    def to_empty(self, *, device: Any = None, recurse: bool = True) -> Self:
        """This module: PyTorch gives up its values here, to move it between devices."""
        return self.to(device=device)

    def share_memory(self) -> Self:
        """This module: its memory is that of the one process."""
        return self

    def cpu(self) -> Self:
        """This module: it is there already."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Refused: byhand computes on the CPU."""
        raise UsageError("there is no device 'cuda': byhand computes on the CPU; leave .cuda() out")

    # Printed forms.

    def extra_repr(self) -> str:
        """The arguments in the printed form, as `in_features=784, out_features=30`; layers override it."""
        return ""

    def describe(self) -> str:
        """One short line for errors and tables, as `Linear(784 → 30)`; layers with a better one override it."""
        extra = self.extra_repr()
        if "\n" in extra or len(extra) > 60:
            extra = "…"
        return f"{self._get_name()}({extra})" if extra or not any(self.children()) else self._get_name()

    def expects(self) -> str:
        """What forward takes, as `x of shape (…, 784)`: an error of shapes in forward will say it."""
        return ""

    def _explained(self, error: ByhandError) -> bool:
        """Whether the error names this module by itself, so that only its path need be put in front of it."""
        return False

    def summary(self, input_size: Any = None, *, example: Any = None, dtype: DTypeLike = np.float32) -> Summary:
        """The table of all modules with their output shapes and parameter counts: see `byhand.nn.summary.summary`."""
        from byhand.nn.summary import summary  # 1.5 ms, for its dataclasses

        return summary(self, input_size, example=example, dtype=dtype)

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({label}): {_indented(text)}" for label, text in self._child_reprs()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        body = "".join(f"\n  {line}" for line in lines + children)
        return f"{self._get_name()}({body}\n)" if body else f"{self._get_name()}()"

    def _child_reprs(self) -> Iterator[tuple[str, str]]:
        """Label and printed form of each child."""
        for name, child in self._modules.items():
            yield name, repr(child)


def _no_forward(self: Module, *args: Any, **kwargs: Any) -> Any:
    """What the module computes. Every subclass defines it."""
    own = [name for cls in type(self).__mro__ if cls is not Module for name in vars(cls) if callable(vars(cls)[name])]
    near = did_you_mean("forward", own)
    raise NotImplementedError(f'{type(self).__name__} has no method "forward"{near or "; define forward(self, x)"}')


Module.forward = _no_forward


def _locate(error: Exception, module: Module, args: tuple[Any, ...]) -> None:
    """Tell an error on its way out which module it comes from; each module that it passes completes the path.

    The library's own errors print it in front of their message. Others keep their message and get a note.
    """
    if isinstance(error, ByhandError):
        if error.module is None:
            error.module, error.module_inputs, error.path = module, args, ""
            error.explained = module._explained(error)
            wanted = _said(module.expects)
            if wanted and isinstance(error, ShapeError) and not error.explained:
                error.args = (f"expected {wanted}; {error.args[0] if error.args else ''}", *error.args[1:])
        else:
            error.path = _path(module, error.module, error.path)
        return
    innermost, path, note = getattr(error, "_byhand_place", (module, "", None))
    path = _path(module, innermost, path)
    notes = getattr(error, "__notes__", [])
    if note in notes:
        notes.remove(note)
    described = _said(innermost.describe) or type(innermost).__name__
    note = f"in {'.'.join(filter(None, ['model', path]))}: {described}"
    if isinstance(error, AttributeError) and isinstance(error.obj, Module):
        note += did_you_mean(str(error.name), dir(error.obj))
    error.add_note(note)
    error._byhand_place = innermost, path, note  # type: ignore[attr-defined]


def _said(method: Callable[[], str]) -> str:
    """What a module says of itself, nothing if it is too broken for that: the first error is the one to see."""
    try:
        return method()
    except Exception:
        return ""


def _path(module: Module, inner: Module, known: str | None) -> str:
    """The dotted path of `inner` below `module`; what was known so far if it is not registered there."""
    for path, found in module.named_modules():
        if found is inner:
            return path
    return known or ""


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _is_device(argument: Any) -> bool:
    """Whether an argument of `to` names a device rather than a dtype."""
    if isinstance(argument, str):
        return argument.split(":")[0] in {"cpu", "cuda", "mps", "xpu", "meta", "hip", "tpu", "xla"}
    return type(argument).__name__.lower() == "device"
