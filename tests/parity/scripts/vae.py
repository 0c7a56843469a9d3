"""A variational autoencoder: the reparametrisation trick, and a loss of two parts."""

import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc21 = nn.Linear(32, 4)
        self.fc22 = nn.Linear(32, 4)
        self.fc3 = nn.Linear(4, 32)
        self.fc4 = nn.Linear(32, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


torch.manual_seed(1)
device = torch.device("mps" if torch.backends.mps.is_available() else "cpu")
data = (np.random.RandomState(0).rand(96, 1, 8, 8) > 0.6).astype("float32")
loader = torch.utils.data.DataLoader(torch.from_numpy(data), batch_size=32, shuffle=True, num_workers=0)
model = VAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
losses = []
for epoch in range(3):
    model.train()
    train_loss = 0
    for batch in loader:
        batch = batch.to(device)
        optimizer.zero_grad()
        recon, mu, logvar = model(batch)
        loss = loss_function(recon, batch, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
    losses.append(train_loss / len(loader.dataset))
with torch.no_grad():
    sample = model.decode(torch.randn(4, 4).to(device)).cpu()
    losses.append(sample.view(4, 1, 8, 8).mean().item())
