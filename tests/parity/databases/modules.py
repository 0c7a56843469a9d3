"""PyTorch's modules, asked with the inputs that it tests itself with (`module_db`). Called by the tests and a shell."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from byhand import nn
from byhand.tensor import Tensor
from parity.databases.comparison import DiffersError, derivatives, same
from parity.databases.conversion import UnconvertibleError, leaves, ours
from parity.databases.functions import spread
from parity.databases.outcome import Outcome
from parity.databases.refusals import REFUSED

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_modules import module_db

SAMPLES, SECOND = 24, 6
RANDOM = {
    "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "RReLU",
    "FractionalMaxPool2d", "FractionalMaxPool3d",
}  # fmt: skip


THROUGH: dict[str, Any] = {  # PyTorch's gradient is the true one only for what comes out of this
    "CTCLoss": lambda x: x.log_softmax(-1),
}


def entries() -> dict[str, Any]:
    """The entries of module_db by class name; a class that stands there twice has a number behind its name."""
    found: dict[str, Any] = {}
    for entry in module_db:
        name = entry.name.removeprefix("nn.")
        found[name if name not in found else f"{name}/2"] = entry
    return found


def ask(entry: Any) -> Outcome:
    """What became of one entry, in training and in evaluation."""
    if entry.module_cls.__name__ in REFUSED:
        return Outcome("refused", REFUSED[entry.module_cls.__name__])
    made = getattr(nn, entry.module_cls.__name__, None)
    if made is None:
        return Outcome("missing", f"there is no nn.{entry.module_cls.__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _asked(entry, made)
    except DiffersError as error:
        return Outcome("differs", str(error))
    except Exception as error:
        return Outcome("differs", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def _asked(entry: Any, made: Any) -> Outcome:
    done = 0
    for training in (True, False) if entry.train_and_eval_differ else (True,):
        torch.manual_seed(0)
        inputs = entry.module_inputs_func(
            entry, device="cpu", dtype=torch.float64, requires_grad=True, training=training
        )
        chosen = spread([i for i in inputs if i.forward_input is not None], SAMPLES)
        twice = set(map(id, spread(chosen, SECOND)))
        for given in chosen:
            try:
                done += _compare(entry, made, given, training, entry.supports_gradgrad and id(given) in twice)
            except UnconvertibleError:
                continue
    return Outcome("pass", f"{done} samples") if done else Outcome("refused", "no sample that can be converted")


def _compare(entry: Any, made: Any, given: Any, training: bool, twice: bool) -> bool:
    words = f"({given.desc or ''} {given.constructor_input.args} {given.constructor_input.kwargs})"
    built = given.constructor_input
    theirs = entry.module_cls(*built.args, **built.kwargs).to(torch.float64).train(training)
    try:
        mine = made(*ours(built.args), **ours(built.kwargs)).to(ours(torch.float64)).train(training)
        if any(isinstance(x, torch.nn.parameter.UninitializedTensorMixin) for x in theirs.parameters()):
            theirs(*given.forward_input.args, **given.forward_input.kwargs)  # a lazy layer learns its sizes
            mine(*ours(given.forward_input.args), **ours(given.forward_input.kwargs))
        state = {key: ours(value.detach()) for key, value in theirs.state_dict().items()}
        mine.load_state_dict(state)
    except UnconvertibleError:
        raise
    except Exception as error:
        raise DiffersError(f"{type(error).__name__}: {str(error).splitlines()[0][:150]} {words[:200]}") from error
    theirs_args, kwargs = [_leaf(x) for x in given.forward_input.args], ours(given.forward_input.kwargs)
    args = ours(theirs_args)
    through = THROUGH.get(type(mine).__name__, lambda x: x)
    try:
        y = mine(*map(through, args[:1]), *args[1:], **kwargs)
        z = theirs(*map(through, theirs_args[:1]), *theirs_args[1:], **given.forward_input.kwargs)
        if type(mine).__name__ in RANDOM and training:
            return True
        same(y, z, "the value")
        a = [x for x in leaves([args, kwargs], Tensor) if x.requires_grad] + list(mine.parameters())
        b = [x for x in leaves([theirs_args, given.forward_input.kwargs], torch.Tensor) if x.requires_grad]
        derivatives(y, z, a, b + list(theirs.parameters()), twice)
    except Exception as error:
        kind = "" if isinstance(error, DiffersError) else f"{type(error).__name__}: "
        raise DiffersError(f"{kind}{str(error).splitlines()[0][:150]} {words[:200]}") from error
    return True


def _leaf(x: Any) -> Any:
    """A tensor of its own, of which no other argument is a part."""
    return x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x
