"""LeNet: the network that most people build after their first perceptron. Called by `byhand train lenet` and users."""

from __future__ import annotations

from byhand import nn
from byhand.core.errors import ShapeError
from byhand.tensor import Tensor


class LeNet(nn.Module):
    """Two convolutions of 5 × 5, each with ReLU and a max pool of 2 × 2, then three linear layers.

    images (N, channels, height, width) → scores (N, classes). With ReLU and max pooling in the place of tanh and
    averages. LeCun et al., Gradient-based learning applied to document recognition, 1998.

    Raises ShapeError for images too small to be halved twice.
    """

    def __init__(self, image: tuple[int, int, int] = (1, 28, 28), classes: int = 10, dropout: float = 0.0) -> None:
        super().__init__()
        channels, height, width = image
        if min(height, width) < 8:
            raise ShapeError(
                f"LeNet halves images twice; {height} × {width} are too small for that, use at least 8 × 8"
            )
        self.conv1 = nn.Conv2d(channels, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, padding=2)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(32 * (height // 4) * (width // 4), 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.conv1(x).relu())
        x = self.pool(self.conv2(x).relu())
        x = self.dropout(self.fc1(x.flatten(1)).relu())
        return self.fc3(self.fc2(x).relu())  # type: ignore[no-any-return]
