"""Scripts in PyTorch's idiom run with only their imports changed, and give PyTorch's losses.

Both packages run the same file. While PyTorch runs it, what is random there is drawn from byhand's generator, so that
weights, batches and dropout are the same numbers.
"""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import byhand  # noqa: E402
from byhand.nn import functional as F  # noqa: E402

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


def ported(source: str) -> str:
    """The script with `byhand` in the place of `torch` in its import lines, and nowhere else."""
    rules = [
        (r"^import torch$", "import byhand as torch"),
        (r"^import torch(\.[\w.]+) as (\w+)$", r"import byhand\1 as \2"),
        (r"^import torch(\.[\w.]+)$", r"import byhand\1; import byhand as torch"),
        (r"^from torch(\.[\w.]+)? import", r"from byhand\1 import"),
    ]
    for pattern, replacement in rules:
        source = re.sub(pattern, replacement, source, flags=re.MULTILINE)
    return source


def run(path: Path, package: str) -> list[float]:
    """The list `losses` that the script leaves."""
    source = path.read_text("utf-8")
    names = {"__name__": "__main__", "__file__": str(path)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of its own schedules and optimisers
        exec(compile(ported(source) if package == "byhand" else source, str(path), "exec"), names)
    return names["losses"]


@contextmanager
def drawn_by_byhand():
    """Let PyTorch draw its random numbers from byhand's generators."""
    with pytest.MonkeyPatch.context() as patch:
        twins = {}

        def twin(given):
            if given is not None and id(given) not in twins:
                twins[id(given)] = byhand.Generator().manual_seed(given.initial_seed())
            return twins.get(id(given))

        def theirs(x):
            return torch.from_numpy(np.array(x.numpy()))

        def filled(name):
            def method(self, *args, generator=None, **kwargs):
                blank = byhand.empty(tuple(self.shape), dtype=str(self.dtype).removeprefix("torch."))
                drawn = getattr(blank, name)(*args, generator=twin(generator), **kwargs)
                with torch.no_grad():
                    return self.copy_(theirs(drawn))

            return method

        def made(name):
            def function(*args, generator=None, device=None, requires_grad=False, dtype=None, **kwargs):
                args = [tuple(x) if isinstance(x, torch.Size) else x for x in args]
                options = {} if dtype is None else {"dtype": str(dtype).removeprefix("torch.")}
                if generator is not None:
                    options["generator"] = twin(generator)
                return theirs(getattr(byhand, name)(*args, **kwargs, **options)).requires_grad_(requires_grad)

            return function

        for name in ("uniform_", "normal_"):
            patch.setattr(torch.Tensor, name, filled(name))
        for name in ("rand", "randn", "randint"):
            patch.setattr(torch, name, made(name))
        for place in (torch, torch.utils.data.dataset):
            patch.setattr(place, "randperm", lambda n, generator=None, **kw: theirs(byhand.randperm(n)))
        for name in ("rand_like", "randn_like"):
            patch.setattr(torch, name, lambda x, name=name: made(name.removesuffix("_like"))(tuple(x.shape)))

        def multinomial(x, num_samples, replacement=False, *, generator=None):
            rows = byhand.from_numpy(x.detach().numpy())
            return theirs(byhand.multinomial(rows, num_samples, replacement, generator=twin(generator)))

        def dropout(x, p=0.5, training=True, inplace=False):
            return x * theirs(F.dropout(byhand.ones(tuple(x.shape)), p)) if training and p else x

        patch.setattr(torch, "multinomial", multinomial)
        patch.setattr(torch.nn.functional, "dropout", dropout)
        patch.setattr(torch.utils.data.RandomSampler, "__iter__", lambda self: iter(torch.randperm(len(self)).tolist()))
        seed = torch.manual_seed
        patch.setattr(torch, "manual_seed", lambda n: (byhand.manual_seed(n), seed(n))[1])
        yield


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_same_losses(path, capsys):
    with drawn_by_byhand():
        expected = run(path, "torch")
    found = run(path, "byhand")
    assert len(found) == len(expected) > 3
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-5)


def test_there_are_enough_of_them():
    assert len(SCRIPTS) >= 10


def test_only_imports_are_changed():
    source = "import torch\nimport torch.nn as nn\nfrom torch import optim\nx = torch.ones(2)  # import torch\n"
    expected = "import byhand as torch\nimport byhand.nn as nn\nfrom byhand import optim\n"
    assert ported(source) == expected + "x = torch.ones(2)  # import torch\n"
