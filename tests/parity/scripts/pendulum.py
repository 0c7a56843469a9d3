"""A network that solves a differential equation: derivatives of its output are its loss; u'' = −u, u(0) = 0, u'(0) = 1."""

import torch
from torch import nn


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(x)


torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), Sine(), nn.Linear(16, 1))
for layer in net:
    if isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
omega = nn.Parameter(torch.tensor(0.5))
t = torch.linspace(0, 3, 20).view(-1, 1).requires_grad_(True)
t0 = torch.zeros(1, 1, requires_grad=True)
measured = torch.sin(t.detach())[::5]


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


def objective():
    u = net(t)
    residual = derivative(derivative(u, t), t) + omega**2 * u
    u0 = net(t0)
    start = u0.pow(2).sum() + (derivative(u0, t0) - 1).pow(2).sum()
    return residual.pow(2).mean() + start + nn.functional.huber_loss(u[::5], measured)


losses = []
adam = torch.optim.Adam([*net.parameters(), omega], lr=1e-2)
for _ in range(5):
    adam.zero_grad()
    loss = objective()
    loss.backward()
    adam.step()
    losses.append(loss.item())

lbfgs = torch.optim.LBFGS([*net.parameters(), omega], max_iter=4, line_search_fn="strong_wolfe")


def closure():
    lbfgs.zero_grad()
    loss = objective()
    loss.backward()
    losses.append(loss.item())
    return loss


lbfgs.step(closure)
losses.append(omega.item())
torch.set_default_dtype(torch.float32)
