"""Which language is a name from? An RNN fed letter by letter, and a packed GRU on all names at once."""

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

names = {"it": ["rossi", "bianchi", "ferrari"], "ja": ["sato", "suzuki", "tanaka"], "de": ["schmidt", "bauer", "wolf"]}
categories = list(names)
letters = "abcdefghijklmnopqrstuvwxyz"
n_letters = len(letters)


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        return self.softmax(self.h2o(hidden)), hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


def line_to_tensor(line):
    tensor = torch.zeros(len(line), 1, n_letters)
    for li, letter in enumerate(line):
        tensor[li][0][letters.index(letter)] = 1
    return tensor


def category_from_output(output):
    top_n, top_i = output.topk(1)
    return categories[top_i[0].item()], top_i[0].item()


torch.manual_seed(7)
rnn = RNN(n_letters, 8, len(categories))
criterion = nn.NLLLoss()
losses = []
for category, members in names.items():
    for name in members:
        category_tensor = torch.tensor([categories.index(category)], dtype=torch.long)
        line_tensor = line_to_tensor(name)
        hidden = rnn.init_hidden()
        rnn.zero_grad()
        for i in range(line_tensor.size()[0]):
            output, hidden = rnn(line_tensor[i], hidden)
        loss = criterion(output, category_tensor)
        loss.backward()
        for p in rnn.parameters():
            p.data.add_(p.grad.data, alpha=-0.05)
        losses.append(loss.item())
losses.append(category_from_output(output)[1])

lines = [torch.tensor([letters.index(c) for c in name]) for members in names.values() for name in members]
target = torch.tensor([i for i, members in enumerate(names.values()) for _ in members])
lengths = torch.tensor([len(line) for line in lines])
padded = pad_sequence(lines, batch_first=True)
embedding, gru, head = nn.Embedding(n_letters, 6), nn.GRU(6, 8, batch_first=True, bidirectional=True), nn.Linear(16, 3)
params = [*embedding.parameters(), *gru.parameters(), *head.parameters()]
optimizer = torch.optim.Adagrad(params, lr=0.1)
for _ in range(4):
    packed = pack_padded_sequence(embedding(padded), lengths, batch_first=True, enforce_sorted=False)
    out, hidden = gru(packed)
    unpacked, sizes = pad_packed_sequence(out, batch_first=True)
    assert torch.equal(sizes, lengths)
    loss = (
        nn.functional.cross_entropy(head(torch.cat([hidden[0], hidden[1]], dim=1)), target)
        + 0.01 * unpacked.pow(2).mean()
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
