"""PyTorch's functions, asked with the samples that it tests itself with (`op_db`). Called by the tests and a shell."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

import byhand
from byhand import nn
from byhand.tensor import Tensor
from parity.databases.comparison import DiffersError, derivatives, same, same_tensor
from parity.databases.conversion import UnconvertibleError, leaves, ours
from parity.databases.outcome import Outcome
from parity.databases.refusals import REFUSED

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.opinfo.core import SampleInput

SAMPLES, SECOND = 16, 6  # of each entry; of those, how many are differentiated twice
LARGEST = 4_000  # values in a sample
RANDOM = {
    "bernoulli", "multinomial", "normal", "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d",
    "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout", "rand_like", "randn_like", "randint_like",
    "randint", "randn", "rand", "exponential", "uniform", "cauchy", "geometric", "log_normal", "nn.functional.rrelu",
    "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d", "empty", "empty_like", "new_empty",
    "nn.functional.gumbel_softmax",
}  # fmt: skip
IN_PLACE = ("cauchy", "exponential", "geometric", "log_normal", "uniform")  # the methods cauchy_ and so on
Call = Callable[..., Any]
ORDERS: dict[str, Callable[[Call], Call]] = {  # where the database gives the operands in an order of its own
    "where": lambda function: lambda x, condition, y: function(condition, x, y),
    "einsum": lambda function: lambda operands, equation: function(equation, *operands),
    **dict.fromkeys(
        ("nn.functional.embedding", "nn.functional.embedding_bag"),
        lambda function: lambda weight, places, **kwargs: function(places, weight, **kwargs),
    ),
    "linalg.lstsq/grad_oriented": lambda function: lambda *args, **kwargs: function(*args, **kwargs)[:2],
    "linalg.pinv/singular": lambda function: lambda a, b: function(a @ b.mT),
    **dict.fromkeys(("polygamma", "special.polygamma"), lambda function: lambda x, n: function(n, x)),
    **dict.fromkeys(
        (*IN_PLACE, "zero_"),
        lambda function: lambda x, *args, **kwargs: function(x.clone(), *args, **kwargs),
    ),
}


STRUCTURED: dict[str, tuple[int, Call]] = {  # operands of which only a part counts: which, and how to get that part
    "cholesky_inverse": (0, lambda x, upper=False: x.triu() if upper else x.tril()),
    "cholesky_solve": (1, lambda x, upper=False: x.triu() if upper else x.tril()),
    "linalg.pinv/hermitian": (0, lambda x, **_: x + x.mT),
}
DROPOUT = {"nn.functional.multi_head_attention_forward": 10}  # where dropout_p stands


def key(entry: Any) -> str:
    """The name and the variant."""
    return f"{entry.name}/{entry.variant_test_name}" if entry.variant_test_name else entry.name


def entries() -> dict[str, Any]:
    """The entries of op_db by name and variant."""
    return {key(e): e for e in op_db}


def counterpart(name: str) -> Callable[..., Any] | None:
    """Our function of this name."""
    *path, last = name.split(".")
    places = {(): byhand, ("nn", "functional"): nn.functional}
    place: Any = places.get(tuple(path))
    if place is None and len(path) == 1:
        place = getattr(byhand, path[0], None)
    found = getattr(place, last, None) if place is not None else None
    if not path and (last in IN_PLACE or not callable(found)):  # a method, or a dtype that shares its name with one
        found = getattr(Tensor, f"{last}_", None) if last in IN_PLACE else getattr(Tensor, last, None)
    if isinstance(found, property):
        found = found.fget
    return found if callable(found) else None


def ask(entry: Any) -> Outcome:
    """What became of one entry."""
    if entry.name in REFUSED:
        return Outcome("refused", REFUSED[entry.name])
    function = Tensor.normal_ if entry.variant_test_name == "in_place" else counterpart(entry.name)
    if function is None:
        return Outcome("missing", f"there is no {entry.name}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _asked(entry, ORDERS.get(key(entry), ORDERS.get(entry.name, lambda f: f))(function))
    except DiffersError as error:
        return Outcome("differs", str(error))
    except Exception as error:
        return Outcome("differs", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def _asked(entry: Any, function: Callable[..., Any]) -> Outcome:
    done = unconvertible = 0
    for sample, twice in samples(entry):
        try:
            _compare(entry, function, sample, twice)
        except UnconvertibleError:
            unconvertible += 1
            continue
        done += 1
    if not done:
        return Outcome("refused", "no sample without complex numbers, sparse tensors or bfloat16")
    return Outcome("pass", f"{done} samples")


def samples(entry: Any) -> list[tuple[Any, bool]]:
    """Some of the entry's samples, spread over all of them, and whether second derivatives are asked for."""
    torch.manual_seed(0)
    dtype = next((d for d in (torch.float64, torch.int64, torch.bool) if d in entry.dtypes), None)
    if dtype is None:
        return []
    differentiable = dtype is torch.float64 and entry.supports_autograd
    found = [s for s in entry.sample_inputs("cpu", dtype, requires_grad=differentiable) if _size(s) <= LARGEST]
    chosen = spread(found, SAMPLES)
    twice = set(map(id, spread(chosen, SECOND))) if differentiable and entry.supports_gradgrad else set()
    return [(sample, id(sample) in twice) for sample in chosen]


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """At most so many of the items, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def _size(sample: SampleInput) -> int:
    return sum(x.numel() for x in leaves([sample.input, sample.args, sample.kwargs], torch.Tensor))


def _compare(entry: Any, function: Callable[..., Any], sample: Any, twice: bool) -> None:
    given = [sample.input, *sample.args], sample.kwargs
    args, kwargs = ours(given[0]), ours(given[1])
    a = [x for x in leaves([args, kwargs], Tensor) if x.requires_grad]
    b = [x for x in leaves(list(given), torch.Tensor) if x.requires_grad]
    if key(entry) in STRUCTURED:
        place, part = STRUCTURED[key(entry)]
        for both in (args, given[0]):
            both[place] = part(both[place], **sample.kwargs)
    try:
        mine = function(*args, **kwargs)
    except Exception as error:
        note = ", ".join([*(_words(x) for x in args), *(f"{k}={_words(v)}" for k, v in kwargs.items())])
        raise DiffersError(f"{type(error).__name__}: {str(error).splitlines()[0][:150]} for ({note})") from error
    other = entry.op(*given[0], **given[1])
    process = sample.output_process_fn_grad
    mine, other = process(mine), process(other)
    if entry.name in RANDOM or _drops(entry.name, given[0], given[1]):
        for x, y in zip(leaves(mine, Tensor), leaves(other, torch.Tensor), strict=True):
            same_tensor(byhand.zeros_like(x), torch.zeros_like(y), "the value")
        return
    same(mine, other, "the value")
    if b:
        derivatives(mine, other, a, b, twice)


def _drops(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether dropout makes the result random."""
    return bool(kwargs.get("dropout_p") or (name in DROPOUT and args[DROPOUT[name]]))


def _words(x: Any) -> str:
    return f"{x.dtype}{list(x.shape)}" if isinstance(x, Tensor) else repr(x)[:60]
