"""A small residual network on CIFAR-10, against a network of two linear layers with the same training.

Run it: python examples/resnet.py       (the same as: byhand train resnet cifar10)
"""

from __future__ import annotations

import byhand
from byhand import nn, optim
from byhand.data import DataLoader, datasets
from byhand.models import ResNet  # the whole network: byhand/models/resnet.py

EPOCHS = 15


def flipped(images):
    """Each image mirrored with probability ½: the cheapest way to have twice as many."""
    mirrored = byhand.rand(len(images), 1, 1, 1) < 0.5
    return byhand.where(mirrored, images.flip(3), images)


def accuracy(model, data):
    model.eval()
    with byhand.no_grad():
        right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in DataLoader(data, 500))
    return right / len(data)


def trained(model, train, test, lr):
    loader = DataLoader(train, batch_size=64, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=EPOCHS * len(loader))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    @byhand.compile
    def step(images, labels):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    for epoch in range(1, EPOCHS + 1):
        model.train()
        for images, labels in loader:
            loss = step(flipped(images), labels)
            scheduler.step()
        print(f"epoch {epoch}: last loss {loss.item():.3f}, test accuracy {accuracy(model, test):.4f}", flush=True)
    return accuracy(model, test)


def main():
    byhand.manual_seed(0)
    train, test = datasets.cifar10()
    print("two linear layers")
    plain = trained(nn.Sequential(nn.Flatten(), nn.Linear(3072, 50), nn.ReLU(), nn.Linear(50, 10)), train, test, 1e-3)
    print("residual network")
    residual = trained(ResNet(widths=(16, 32, 64)), train, test, 1e-2)
    print(f"{plain:.4f} and {residual:.4f}: {100 * (residual - plain):.1f} points more")


if __name__ == "__main__":
    main()
