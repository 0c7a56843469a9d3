"""A normalising flow of coupling layers on two moons, and a mixture of Gaussians beside it."""

import math

import torch
from torch import distributions as D
from torch import nn, optim


class Coupling(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)
        self.net = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 4))

    def forward(self, x):
        s, t = self.net(x * self.mask).chunk(2, dim=-1)
        s = torch.tanh(s) * (1 - self.mask)
        return x * s.exp() + t * (1 - self.mask), s.sum(-1)


class Flow(nn.Module):
    def __init__(self, layers=4):
        super().__init__()
        masks = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
        self.layers = nn.ModuleList(Coupling(masks[i % 2]) for i in range(layers))
        self.register_buffer("loc", torch.zeros(2))
        self.register_buffer("cov", torch.eye(2))

    def log_prob(self, x):
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        return D.MultivariateNormal(self.loc, self.cov).log_prob(x) + total


def moons(n):
    angle = math.pi * torch.rand(n)
    upper = torch.rand(n) < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    return torch.stack([x, y], 1) + 0.1 * torch.randn(n, 2)


torch.manual_seed(0)
flow = Flow()
optimizer = optim.NAdam(flow.parameters(), lr=5e-3)
losses = []
for _ in range(6):
    loss = -flow.log_prob(moons(32)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

logits = nn.Parameter(torch.zeros(3))
means, log_scales = nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.zeros(3, 2))
optimizer = optim.Adamax([logits, means, log_scales], lr=0.05)
for _ in range(5):
    parts = D.Independent(D.Normal(means, log_scales.exp()), 1)
    mixture = D.MixtureSameFamily(D.Categorical(logits=logits), parts)
    loss = -mixture.log_prob(moons(32)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

squashed = D.TransformedDistribution(D.Normal(means[0], 1.0), [D.AffineTransform(0.1, 0.5), D.TanhTransform()])
losses += squashed.log_prob(torch.tensor([[0.3, -0.4]])).detach().flatten().tolist()
losses.append(D.kl_divergence(D.Gamma(2.0, 1.0), D.Gamma(3.0, 0.5)).item())
losses.append(D.kl_divergence(D.Beta(torch.tensor(2.0), 1.5), D.Beta(torch.tensor(1.0), 3.0)).item())
