"""All who can run a network's training step, and a race between them. `compiled` makes its table of it.

Some take seconds to be built, and some are not installed everywhere: the race goes on without those, and says why.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from byhand.bench.networks import Network, Step, by_hand_step, compiled_step, is_installed, library_step
from byhand.bench.products import products_alone
from byhand.bench.rivals import compiled_by_pytorch, forget_pytorchs_code, jitted_by_jax
from byhand.bench.steps import Fresh
from byhand.bench.timing import Timings, take_turns
from byhand.program.lowering import lower
from byhand.program.passes import optimise

OURS = ("by hand", "planned", "loops", "products")
"""Those that need nothing but byhand and what it requires: the others are rivals."""


@dataclass(frozen=True)
class Contender:
    """One way to run a network's step.

    make      builds it, at new places in memory
    package   what must be installed for it
    kept      whether it is built once, since that takes seconds, and not before each of its turns
    calls     how many steps are run before it counts as built
    threads   of PyTorch
    """

    make: Callable[[], Step]
    package: str = "numpy"
    kept: bool = False
    calls: int = 1
    threads: int = 0

    def built(self) -> Step:
        """The step, after the calls that compile it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's compiler warns of PyTorch's own code
            step = self.make()
            for _ in range(self.calls):
                step()
        return step


def contenders(network: Network, quick: bool = False) -> dict[str, Contender]:
    """Everybody by name, rivals by family and number of threads; `quick` leaves the other compilers out."""
    found = {
        "by hand": Contender(partial(by_hand_step, network)),
        "planned": Contender(partial(compiled_step, network, "planned"), calls=3),
        "loops": Contender(partial(compiled_step, network, "loops"), "llvmlite", calls=3),
        "products": Contender(partial(products_step, network)),
    }
    for threads in (1, 2):
        found[f"PyTorch {threads}"] = Contender(partial(library_step, "torch", network), "torch", threads=threads)
    if quick:
        return found
    for threads in (1, 2):
        make = partial(compiled_by_pytorch, network)
        found[f"torch.compile {threads}"] = Contender(make, "torch", kept=True, calls=5, threads=threads)
    return found | {"JAX": Contender(partial(jitted_by_jax, network), "jax", calls=3)}


def products_step(network: Network) -> Step:
    """The matrix products of the network's compiled step, those inside of a recurrence too."""
    step: Any = compiled_step(network, "planned")
    for _ in range(3):
        step()
    return products_alone(optimise(lower(step.func.program, longest=sys.maxsize)))


def race(entrants: Mapping[str, Contender], rounds: int, **options: Any) -> tuple[Timings, dict[str, str]]:
    """The contenders by turns; and of those that cannot run here, why."""
    absent = {name: f"{e.package} not installed" for name, e in entrants.items() if not is_installed(e.package)}
    torch: Any = import_module("torch") if any(e.threads for n, e in entrants.items() if n not in absent) else None
    usual = torch.get_num_threads() if torch else 0
    steps: dict[str, Fresh] = {}

    def ready(name: str) -> None:
        if entrants[name].threads:
            torch.set_num_threads(entrants[name].threads)
        if name not in steps:
            steps[name] = Fresh(entrants[name].built)
            steps[name].renew()
        elif not entrants[name].kept:
            steps[name].renew()

    try:
        for name in [name for name in entrants if name not in absent]:
            try:
                ready(name)
            except Exception as error:  # a rival that does not run here: torch.compile without a C++ compiler
                if name in OURS:
                    raise
                del steps[name]
                absent[name] = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"[:200]
        return take_turns(steps, rounds, before={name: partial(ready, name) for name in steps}, **options), absent
    finally:
        if torch:
            torch.set_num_threads(usual)
            forget_pytorchs_code()


@contextmanager
def scratch_caches() -> Iterator[None]:
    """Let PyTorch's compiler keep its files in a folder that goes away, so that every run starts alike."""
    name = "TORCHINDUCTOR_CACHE_DIR"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ[name] = folder
        try:
            yield
        finally:
            del os.environ[name]
            if before is not None:
                os.environ[name] = before
