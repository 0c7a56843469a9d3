"""Learn to write like a text, character by character, with an LSTM, a GRU or a GPT.

Run it: python examples/characters.py lstm      (the same as: byhand train lstm tiny_shakespeare; byhand sample RUN)
        python examples/characters.py gpt 120   (two minutes)
"""

from __future__ import annotations

import sys
import time

import byhand
from byhand import nn, optim
from byhand.data import datasets
from byhand.models import GPT, CharacterRNN  # the whole networks: byhand/models/characters.py

KIND = sys.argv[1] if len(sys.argv) > 1 else "lstm"
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 300
LENGTH, BATCH, PEAK = 64, 32, 3e-3

byhand.manual_seed(0)
train, valid = datasets.tiny_shakespeare(block_size=LENGTH).split(0.9)
size = len(train.vocabulary)
model = GPT(size, LENGTH) if KIND == "gpt" else CharacterRNN(size, KIND, hidden=256)
optimizer = optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.01)
criterion = nn.CrossEntropyLoss()


@byhand.compile
def step(text, following):
    optimizer.zero_grad()
    loss = criterion(model(text), following)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss


def batch(data, starts):
    """The windows of a text that begin at these places, and the characters that follow on each."""
    return data.fetch(starts.numpy())


@byhand.no_grad()
def held_out():
    """Nats a character on the last tenth of the text, in windows side by side."""
    model.eval()
    starts = byhand.arange(0, len(valid), LENGTH)
    losses = [criterion(model(x), y).item() * len(x) for x, y in (batch(valid, s) for s in starts.split(128))]
    model.train()
    return sum(losses) / len(starts)


begin, number, told = time.perf_counter(), 0, 0.0
while (spent := time.perf_counter() - begin) < SECONDS:
    share = spent / SECONDS  # of the time: up in a twentieth of it, then down to a tenth of the peak
    for group in optimizer.param_groups:
        group["lr"] = PEAK * min(1.0, 20 * share + 0.02) * (1 - 0.9 * share)
    loss = step(*batch(train, byhand.randint(0, len(train), (BATCH,))))
    number += 1
    if spent >= told:
        print(f"{spent:4.0f} s, step {number}: loss {loss.item():.3f}, held out {held_out():.3f}", flush=True)
        told += SECONDS / 10
print(f"{SECONDS:4.0f} s, step {number}: held out {held_out():.3f} nats a character")
print(train.decode(model.generate(train.encode("ROMEO:\n"), 400, temperature=0.8)))
