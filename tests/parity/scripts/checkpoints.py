"""Saving, loading and going on: state dicts, best weights, averaged weights, a frozen backbone, early stopping."""

import copy
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
from torch.optim.swa_utils import SWALR, AveragedModel
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(3)
rng = np.random.RandomState(0)
features = torch.as_tensor(rng.randn(60, 5), dtype=torch.float32)
targets = (features @ torch.as_tensor(rng.randn(5, 1), dtype=torch.float32)).squeeze(-1)
train_set, valid_set = random_split(TensorDataset(features, targets), [48, 12])
model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Hardswish(), nn.Linear(8, 1))
for param in model[0].parameters():
    param.requires_grad_(False)
optimizer = torch.optim.AdamW(filter(lambda p: p.requires_grad, model.parameters()), lr=0.05)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", factor=0.5, patience=0)
averaged = AveragedModel(model)
criterion = nn.HuberLoss(delta=0.5)
losses, best, best_state = [], float("inf"), None
for epoch in range(4):
    model.train()
    for x, y in DataLoader(train_set, batch_size=16, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(x).squeeze(1), y)
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(float(loss))
    averaged.update_parameters(model)
    model.eval()
    with torch.no_grad():
        valid = sum(criterion(model(x).squeeze(1), y).item() * len(x) for x, y in DataLoader(valid_set, batch_size=5))
    scheduler.step(valid)
    losses += [valid, optimizer.param_groups[0]["lr"]]
    if valid < best:
        best, best_state = valid, copy.deepcopy(model.state_dict())

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "checkpoint.pt")
    torch.save(
        {
            "epoch": epoch,
            "model_state_dict": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "best": best_state,
        },
        path,
    )
    checkpoint = torch.load(path, map_location=torch.device("cpu"), weights_only=True)
fresh = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Hardswish(), nn.Linear(8, 1))
fresh.load_state_dict(checkpoint["model_state_dict"])
fresh.eval()
losses.append((fresh(features) - model(features)).abs().max().item())
losses.append(averaged(features).detach().mean().item())
losses.append(sum(p.numel() for p in model.parameters() if p.requires_grad))
