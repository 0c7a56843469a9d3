"""Model-agnostic meta-learning on sine waves: by hand with `create_graph`, and by `torch.func`."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, vmap


def tasks(n):
    phase, height = math.pi * torch.rand(n, 1, 1), 0.5 + torch.rand(n, 1, 1)
    x = 10 * torch.rand(n, 10, 1) - 5
    return x, height * torch.sin(x + phase)


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
losses = []
for _ in range(4):
    xs, ys = tasks(3)
    opt.zero_grad()
    for x, y in zip(xs, ys):
        fast = dict(net.named_parameters())
        for _ in range(2):
            loss = F.mse_loss(functional_call(net, fast, (x[:5],)), y[:5])
            grads = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
            fast = {name: p - 0.05 * g for (name, p), g in zip(fast.items(), grads)}
        outer = F.mse_loss(functional_call(net, fast, (x[5:],)), y[5:])
        (outer / len(xs)).backward()
        losses.append(outer.item())
    opt.step()


def inner(params, x, y):
    return F.mse_loss(functional_call(net, params, (x,)), y)


def adapted(params, x, y):
    grads = grad(inner)(params, x[:5], y[:5])
    new = {name: params[name] - 0.05 * grads[name] for name in params}
    return inner(new, x[5:], y[5:])


for _ in range(3):
    x, y = tasks(4)
    params = {name: p.detach() for name, p in net.named_parameters()}
    losses += vmap(adapted, (None, 0, 0))(params, x, y).tolist()
    outer = grad(lambda p: vmap(adapted, (None, 0, 0))(p, x, y).mean())(params)
    with torch.no_grad():
        for name, p in net.named_parameters():
            p -= 0.1 * outer[name]
