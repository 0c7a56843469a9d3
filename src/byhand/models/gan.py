"""A generative adversarial network for points and small images. Called by `byhand train gan` and users."""

from __future__ import annotations

import math
from collections.abc import Sequence

from byhand import nn
from byhand.creation import randn
from byhand.func import functional_call
from byhand.models.generative import GenerativeModel
from byhand.nn import functional as F
from byhand.tensor import Tensor


class GAN(GenerativeModel):
    """A generator, codes (N, latent) → samples, and a critic, samples (N, *shape) → scores (N, 1), above 0 for real.

    Both learn in one step: `forward` shows the critic samples that it must not change, and the generator a critic that
    it must not change, so that each part of `loss` has gradients for one of them alone.
    Goodfellow et al., Generative adversarial nets, 2014 (the loss that does not saturate).
    """

    def __init__(self, shape: Sequence[int] = (2,), width: int = 128, latent: int = 8) -> None:
        super().__init__(shape, latent)
        self.generator = _network(latent, width, math.prod(shape))
        self.critic = _network(math.prod(shape), width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Scores of the samples x, of as many made up, of these again by a frozen critic; and what was made up."""
        made = self.generator(randn(len(x), self.latent))
        frozen = {name: parameter.detach() for name, parameter in self.critic.named_parameters()}
        found, exposed = self.critic(x.flatten(1)), self.critic(made.detach())
        return found, exposed, functional_call(self.critic, frozen, made), made.reshape(x.shape)

    def decode(self, code: Tensor) -> Tensor:
        return self.generator(code).reshape(-1, *self.shape)  # type: ignore[no-any-return]

    @staticmethod
    def loss(found: Tensor, exposed: Tensor, believed: Tensor) -> Tensor:
        """−log σ(found) − log σ(−exposed), the critic's cross-entropy, and −log σ(believed), the generator's; means."""
        return F.softplus(-found).mean() + F.softplus(exposed).mean() + F.softplus(-believed).mean()


def _network(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )
