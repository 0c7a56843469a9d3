"""A siamese network: one set of weights for two images, trained to say whether they are alike."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset


class Pairs(Dataset):
    def __init__(self, seed, count=40):
        rng = np.random.RandomState(seed)
        self.labels = rng.randint(0, 3, (count, 2))
        self.images = rng.randn(count, 2, 1, 10, 10).astype(np.float32)
        self.images += self.labels[:, :, None, None, None]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        first, second = self.images[index]
        target = torch.tensor(float(self.labels[index, 0] == self.labels[index, 1]))
        return torch.from_numpy(first), torch.from_numpy(second), target


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten())
        self.fc = nn.Sequential(nn.Linear(96 * 2, 16), nn.ReLU(inplace=True), nn.Linear(16, 1))
        self.sigmoid = nn.Sigmoid()
        self.features.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward(self, input1, input2):
        output = torch.cat((self.features(input1), self.features(input2)), 1)
        return self.sigmoid(self.fc(output))


torch.manual_seed(1)
model = SiameseNetwork()
criterion = nn.BCELoss()
optimizer = optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, momentum=0.5)
losses = []
for epoch in range(2):
    for first, second, targets in DataLoader(Pairs(0), batch_size=8, shuffle=True, drop_last=True):
        optimizer.zero_grad()
        outputs = model(first, second).squeeze()
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
embed = model.features
a, b, c = (torch.randn(4, 1, 10, 10) for _ in range(3))
losses.append(nn.TripletMarginLoss(margin=1.0, p=2)(embed(a), embed(b), embed(c)).item())
losses.append(nn.CosineEmbeddingLoss()(embed(a), embed(b), torch.ones(4)).item())
