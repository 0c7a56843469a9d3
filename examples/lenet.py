"""LeNet on MNIST: 98.7 % of the test images and more after three passes.

Run it: python examples/lenet.py        (the same as: byhand train lenet mnist)
"""

from __future__ import annotations

import byhand
from byhand import nn, optim
from byhand.data import DataLoader, datasets
from byhand.models import LeNet  # the whole network: byhand/models/lenet.py

byhand.manual_seed(0)
train, test = datasets.mnist()
loader = DataLoader(train, batch_size=64, shuffle=True)
epochs = 3

model = LeNet()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.004)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 0.004, total_steps=epochs * len(loader))


@byhand.compile  # leave this line out and everything is the same, only slower
def step(images, labels):
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss


for epoch in range(1, epochs + 1):
    model.train()
    for images, labels in loader:
        loss = step(images, labels)
        scheduler.step()
    model.eval()
    with byhand.no_grad():
        right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in DataLoader(test, 1000))
    print(f"epoch {epoch}: last loss {loss.item():.4f}, test accuracy {right / len(test):.4f}")
