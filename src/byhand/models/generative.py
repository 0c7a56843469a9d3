"""`GenerativeModel`: what networks have in common that make things up. Called by `byhand sample`."""

from __future__ import annotations

from collections.abc import Sequence

from byhand import nn
from byhand.core.generator import Generator
from byhand.core.tape import no_grad
from byhand.creation import randn
from byhand.tensor import Tensor


class GenerativeModel(nn.Module):
    """A network that turns codes (N, `latent`), drawn from N(0, 1), into samples (N, *`shape`) by `decode`."""

    def __init__(self, shape: Sequence[int], latent: int) -> None:
        super().__init__()
        self.shape, self.latent = tuple(shape), latent

    def decode(self, code: Tensor) -> Tensor:
        """The samples (N, *shape) of codes (N, latent)."""
        raise NotImplementedError

    @no_grad()
    def generate(self, count: int, generator: Generator | None = None) -> Tensor:
        """`count` samples made up, (count, *shape)."""
        was_training = self.training
        self.eval()
        made = self.decode(randn(count, self.latent, generator=generator))
        self.train(was_training)
        return made
