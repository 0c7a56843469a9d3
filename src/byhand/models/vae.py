"""A variational autoencoder for small images. Called by `byhand train vae` and users."""

from __future__ import annotations

import math

from byhand import nn
from byhand.creation import randn_like
from byhand.models.generative import GenerativeModel
from byhand.nn import functional as F
from byhand.tensor import Tensor


class VAE(GenerativeModel):
    """Images (N, *image) in [0, 1] → a normal distribution over `latent` numbers → images again.

    Kingma & Welling, Auto-encoding variational Bayes, 2014.
    """

    def __init__(self, image: tuple[int, ...] = (1, 28, 28), hidden: int = 400, latent: int = 20) -> None:
        super().__init__(image, latent)
        pixels = math.prod(image)
        self.encoder = nn.Linear(pixels, hidden)
        self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the pixels, and mean and log-variance of the code; the code is drawn so that gradients pass it."""
        h = self.encoder(x.flatten(1)).relu()
        mean, log_variance = self.mean(h), self.log_variance(h)
        code = mean + randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(code), mean, log_variance

    def decode(self, code: Tensor) -> Tensor:
        return self.decoder(code).sigmoid().reshape(-1, *self.shape)  # type: ignore[no-any-return]

    @staticmethod
    def loss(logits: Tensor, mean: Tensor, log_variance: Tensor, x: Tensor) -> Tensor:
        """The negative evidence bound a sample: −log p(x | code) + KL(code ‖ N(0, 1))."""
        rebuilt = F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="sum")
        divergence = -0.5 * (1 + log_variance - mean * mean - log_variance.exp()).sum()
        return (rebuilt + divergence) / len(x)  # type: ignore[no-any-return]
