"""A translation-like task with nn.Transformer layers: masks, positional encoding, warm-up by LambdaLR."""

import math

import torch
import torch.nn as nn
from torch import Tensor


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.1, max_len=50):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pe[: x.size(0)]
        return self.dropout(x)


class Seq2Seq(nn.Module):
    def __init__(self, vocab, d_model=16, nhead=4, d_hid=32, nlayers=2, dropout=0.1):
        super().__init__()
        self.d_model = d_model
        self.embed = nn.Embedding(vocab, d_model, padding_idx=0)
        self.pos = PositionalEncoding(d_model, dropout)
        self.transformer = nn.Transformer(d_model, nhead, nlayers, nlayers, d_hid, dropout=0.0)
        self.out = nn.Linear(d_model, vocab)

    def forward(self, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(0))
        padding = (src == 0).transpose(0, 1)
        src = self.pos(self.embed(src) * math.sqrt(self.d_model))
        tgt = self.pos(self.embed(tgt) * math.sqrt(self.d_model))
        memory = self.transformer(
            src, tgt, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
        )
        return self.out(memory)


torch.manual_seed(0)
model = Seq2Seq(12)
for p in model.parameters():
    if p.dim() > 1:
        nn.init.xavier_uniform_(p)
optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lr_lambda=lambda step: 16**-0.5 * min((step + 1) ** -0.5, (step + 1) * 20**-1.5)
)
criterion = nn.CrossEntropyLoss(ignore_index=0)
src = torch.randint(1, 12, (7, 5))
src[5:, :2] = 0
tgt = torch.cat([torch.ones(1, 5, dtype=torch.long), src.flip(0)])
losses = []
for _ in range(5):
    model.train()
    output = model(src, tgt[:-1])
    loss = criterion(output.reshape(-1, 12), tgt[1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
