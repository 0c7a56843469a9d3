"""Where all randomness comes from: one generator that `manual_seed` sets, and others that a user makes."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.core.capture import refuse
from byhand.core.errors import UsageError


class Generator:
    """A stream of random numbers with PyTorch's interface on NumPy's PCG64.

    >>> import byhand
    >>> g = byhand.Generator().manual_seed(0)
    >>> byhand.rand(2, generator=g).shape
    (2,)
    """

    def __init__(self, device: object = "cpu") -> None:
        self._seed: int | None = None
        self._numpy: np.random.Generator | None = None

    @property
    def numpy(self) -> np.random.Generator:
        """NumPy's generator underneath; made when first asked for, since importing `numpy.random` takes 13 ms."""
        if self._numpy is None:
            self._numpy = np.random.Generator(np.random.PCG64())
        return self._numpy

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of this seed anew."""
        refuse("seeded inside of the step, which a program would do never again; seed it outside", "a random stream")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise UsageError(f"a seed is an integer, not {seed!r}")
        self._seed = int(seed)
        # negative seeds are fine in PyTorch: it takes them modulo 2⁶⁴, and so do we
        self.numpy.bit_generator.state = np.random.PCG64(int(seed) % 2**64).state
        return self

    def seed(self) -> int:
        """Seed from the operating system, and return that seed."""
        seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed this stream started from."""
        return self.seed() if self._seed is None else self._seed

    def get_state(self) -> dict[str, Any]:
        """The state as plain integers and strings, fit for JSON."""
        return {"seed": self._seed, "bits": self.numpy.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        refuse("set inside of the step, which a program would do never again; set it outside", "a random stream")
        try:
            self.numpy.bit_generator.state = state["bits"]
            self._seed = state["seed"]
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"this is not a state of a byhand Generator: {error}") from error


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, from which everything random draws unless told otherwise."""
    return default_generator.manual_seed(seed)


def numpy_generator(generator: Generator | None = None) -> np.random.Generator:
    """NumPy's generator underneath `generator` or the default one."""
    return (default_generator if generator is None else generator).numpy
