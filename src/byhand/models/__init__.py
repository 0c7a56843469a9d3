"""Networks to begin with, each short enough to read in one sitting. Called by `byhand train` and users."""

from __future__ import annotations

from byhand.models.characters import GPT, CharacterRNN
from byhand.models.forecast import Forecast
from byhand.models.gan import GAN
from byhand.models.lenet import LeNet
from byhand.models.resnet import ResNet
from byhand.models.vae import VAE

__all__ = ["GAN", "GPT", "VAE", "CharacterRNN", "Forecast", "LeNet", "ResNet"]
