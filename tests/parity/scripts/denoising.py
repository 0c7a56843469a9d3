"""A network that takes noise out of tones: a mask on the spectrogram, by short-time Fourier transforms."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

N_FFT, HOP, LENGTH = 32, 8, 128


class MaskNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT))
        self.conv = nn.Sequential(
            nn.Conv1d(N_FFT // 2 + 1, 24, 3, padding="same", padding_mode="replicate"),
            nn.PReLU(24),
            nn.Conv1d(24, 24, 3, padding=2, dilation=2, groups=2),
            nn.GLU(dim=1),
            nn.Conv1d(12, N_FFT // 2 + 1, 1),
        )

    def forward(self, wave):
        spec = torch.stft(wave, N_FFT, HOP, window=self.window, return_complex=True)
        mask = torch.sigmoid(self.conv(torch.log1p(spec.abs())))
        return torch.istft(spec * mask, N_FFT, HOP, window=self.window, length=wave.shape[-1])


def tones(n):
    pitch, phase = 0.1 + 0.3 * torch.rand(n, 1), 2 * math.pi * torch.rand(n, 1)
    return torch.sin(2 * math.pi * pitch * torch.arange(LENGTH) + phase)


torch.manual_seed(0)
net = MaskNet()
opt = torch.optim.RAdam(net.parameters(), lr=1e-2)
sched = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=3)
losses = []
for step in range(6):
    clean = tones(4)
    out = net(clean + 0.5 * torch.randn(4, LENGTH))
    spectral = F.l1_loss(torch.fft.rfft(out).abs(), torch.fft.rfft(clean).abs())
    loss = F.mse_loss(out, clean) + 0.1 * spectral
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    losses.append(loss.item())
losses += torch.kaiser_window(4).tolist()
