"""A small residual network for small photographs. Called by `byhand train resnet` and users."""

from __future__ import annotations

from collections.abc import Sequence

from byhand import nn
from byhand.tensor import Tensor


class ResidualBlock(nn.Module):
    """relu(x + f(x)), f = two convolutions of 3 × 3 with batch normalisation; x by a 1 × 1 convolution where f halves.

    He et al., Deep residual learning for image recognition, 2016.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(out)) + self.shortcut(x)).relu()  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """A convolution, residual blocks that halve the image and widen, the mean over the image, a linear layer.

    images (N, channels, height, width) → scores (N, classes); one block for each of `widths`.
    """

    def __init__(self, channels: int = 3, classes: int = 10, widths: Sequence[int] = (16, 32, 64)) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        pairs = zip((widths[0], *widths), widths, strict=False)
        self.blocks = nn.Sequential(*[ResidualBlock(n, m, 1 if i == 0 else 2) for i, (n, m) in enumerate(pairs)])
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.norm(self.stem(x)).relu())
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]
