"""A Wasserstein GAN with gradient penalty: the gradient of the critic is part of what it learns from."""

import torch
import torch.nn as nn
from torch import autograd, optim


def weights_init(m):
    if m.__class__.__name__.find("Linear") != -1:
        m.weight.data.normal_(0.0, 0.2)
        m.bias.data.fill_(0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, 16), nn.ReLU(True), nn.Linear(16, 16), nn.ELU(), nn.Linear(16, 2))

    def forward(self, noise):
        return self.main(noise)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, inputs):
        return self.main(inputs).view(-1)


def calc_gradient_penalty(netD, real_data, fake_data):
    alpha = torch.rand(real_data.size(0), 1).expand(real_data.size())
    interpolates = (alpha * real_data + (1 - alpha) * fake_data).requires_grad_(True)
    disc = netD(interpolates)
    gradients = autograd.grad(
        outputs=disc,
        inputs=interpolates,
        grad_outputs=torch.ones(disc.size()),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * 0.1


torch.manual_seed(1)
netG, netD = Generator(), Discriminator()
netG.apply(weights_init)
netD.apply(weights_init)
optimizerD = optim.Adam(netD.parameters(), lr=1e-3, betas=(0.5, 0.9))
optimizerG = optim.RMSprop(netG.parameters(), lr=1e-3)
one = torch.tensor(1.0)
mone = one * -1
losses = []
for iteration in range(6):
    for p in netD.parameters():
        p.requires_grad = True
    for _ in range(2):
        angle = 6.2832 * torch.rand(16)
        real = torch.stack([angle.cos(), angle.sin()], 1)
        netD.zero_grad()
        D_real = netD(real).mean()
        D_real.backward(mone)
        with torch.no_grad():
            noise = torch.randn(16, 2)
        fake = netG(noise).detach()
        D_fake = netD(fake).mean()
        D_fake.backward(one)
        gradient_penalty = calc_gradient_penalty(netD, real, fake)
        gradient_penalty.backward()
        Wasserstein_D = D_real - D_fake
        optimizerD.step()
        losses += [Wasserstein_D.item(), gradient_penalty.item()]
    for p in netD.parameters():
        p.requires_grad = False
    netG.zero_grad()
    G = netD(netG(torch.randn(16, 2))).mean()
    G.backward(mone)
    optimizerG.step()
    losses.append(G.item())
