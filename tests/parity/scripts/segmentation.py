"""A small U-Net that finds discs in noise, by cross-entropy and Dice, with the switches of mixed precision; pruned."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import prune

dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}["float32"]
device = "cuda" if torch.cuda.is_available() else "cpu"


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(2, out_channels),
            nn.LeakyReLU(0.1, inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear):
        super().__init__()
        if bilinear:
            self.up = nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
                nn.Conv2d(in_channels, out_channels, 1),
            )
        else:
            self.up = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
        self.conv = DoubleConv(2 * out_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diffY, diffX = x2.size()[2] - x1.size()[2], x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diffX // 2, diffX - diffX // 2, diffY // 2, diffY - diffY // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inc = DoubleConv(1, 4)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8))
        self.down2 = nn.Sequential(nn.AvgPool2d(2), DoubleConv(8, 8))
        self.up1, self.up2 = Up(8, 8, False), Up(8, 4, True)
        self.outc = nn.Conv2d(4, 1, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x = self.up1(self.down2(x2), x2)
        return self.outc(self.up2(x, x1))


def dice_loss(logits, target, smooth=1.0):
    probs = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    inter = (probs * target).sum(dim=1)
    return (1 - (2 * inter + smooth) / (probs.sum(1) + target.sum(1) + smooth)).mean()


def batch(n, size=13):
    ys, xs = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centre, radius = 3 + 6 * torch.rand(n, 2, 1, 1), 2 + 2 * torch.rand(n, 1, 1)
    masks = ((ys - centre[:, 0]) ** 2 + (xs - centre[:, 1]) ** 2 <= radius**2).to(dtype)
    return (masks + 0.3 * torch.randn(n, size, size)).unsqueeze(1), masks.unsqueeze(1)


torch.manual_seed(0)
model = UNet().to(device=device)
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3, weight_decay=1e-8, momentum=0.9, foreach=True)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=1)
grad_scaler = torch.amp.GradScaler(device, enabled=False)
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))
losses = []
for step in range(6):
    images, masks = batch(3)
    images = images.to(device=device, dtype=torch.float32, memory_format=torch.contiguous_format)
    with torch.autocast(device, enabled=False):
        pred = model(images)
        loss = criterion(pred, masks) + dice_loss(pred, masks)
    optimizer.zero_grad(set_to_none=True)
    grad_scaler.scale(loss).backward()
    grad_scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    grad_scaler.step(optimizer)
    grad_scaler.update()
    scheduler.step(1 - loss.item())
    losses.append(loss.item())

layers = [(m, "weight") for m in model.modules() if isinstance(m, nn.Conv2d)]
prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.3)
zeros = sum(int((m.weight == 0).sum()) for m, _ in layers) / sum(m.weight.nelement() for m, _ in layers)
losses += [zeros, float(prune.is_pruned(model))]
for m, name in layers:
    prune.remove(m, name)
model.eval()
with torch.inference_mode():
    losses.append(dice_loss(model(images), masks).item())
