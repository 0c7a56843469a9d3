"""A sequence-to-sequence network with attention that translates numbers spelled in one language to another."""

import random
import re
import unicodedata

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

SOS_token, EOS_token, MAX_LENGTH, hidden_size = 0, 1, 6, 16
PAIRS = """i am cold .\tj'ai froid .
you are tired .\ttu es fatigué .
he is here .\til est ici .
she is here .\telle est ici .
we are late .\tnous sommes en retard .
they are late .\tils sont en retard .
i am here .\tje suis ici .
you are cold .\ttu as froid ."""


class Lang:
    def __init__(self, name):
        self.name, self.word2index, self.n_words = name, {}, 2
        self.word2count, self.index2word = {}, {0: "SOS", 1: "EOS"}

    def addSentence(self, sentence):
        for word in sentence.split(" "):
            if word not in self.word2index:
                self.word2index[word] = self.n_words
                self.index2word[self.n_words] = word
                self.n_words += 1


def normalizeString(s):
    s = "".join(c for c in unicodedata.normalize("NFD", s.lower().strip()) if unicodedata.category(c) != "Mn")
    s = re.sub(r"([.!?])", r" \1", s)
    return re.sub(r"[^a-z!?]+", r" ", s).strip()


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, dropout_p=0.1):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input):
        return self.gru(self.dropout(self.embedding(input)))


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.Wa, self.Ua = nn.Linear(hidden_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        scores = scores.squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights, keys), weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, dropout_p=0.1):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, encoder_outputs, encoder_hidden, target_tensor=None):
        batch_size = encoder_outputs.size(0)
        decoder_input = torch.empty(batch_size, 1, dtype=torch.long, device=device).fill_(SOS_token)
        decoder_hidden, decoder_outputs, attentions = encoder_hidden, [], []
        for i in range(MAX_LENGTH):
            embedded = self.dropout(self.embedding(decoder_input))
            context, attn_weights = self.attention(decoder_hidden.permute(1, 0, 2), encoder_outputs)
            output, decoder_hidden = self.gru(torch.cat((embedded, context), dim=2), decoder_hidden)
            decoder_output = self.out(output)
            decoder_outputs.append(decoder_output)
            attentions.append(attn_weights)
            if target_tensor is not None:
                decoder_input = target_tensor[:, i].unsqueeze(1)
            else:
                _, topi = decoder_output.topk(1)
                decoder_input = topi.squeeze(-1).detach()
        decoder_outputs = F.log_softmax(torch.cat(decoder_outputs, dim=1), dim=-1)
        return decoder_outputs, decoder_hidden, torch.cat(attentions, dim=1)


random.seed(0)
torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pairs = [[normalizeString(s) for s in line.split("\t")] for line in PAIRS.split("\n")]
input_lang, output_lang = Lang("eng"), Lang("fra")
for a, b in pairs:
    input_lang.addSentence(a)
    output_lang.addSentence(b)

ids = torch.zeros(2, len(pairs), MAX_LENGTH, dtype=torch.long)
for row, pair in enumerate(pairs):
    for side, (lang, sentence) in enumerate(zip((input_lang, output_lang), pair)):
        numbers = [lang.word2index[word] for word in sentence.split(" ")] + [EOS_token]
        ids[side, row, : len(numbers)] = torch.LongTensor(numbers)
data = TensorDataset(ids[0].to(device), ids[1].to(device))
loader = DataLoader(data, sampler=RandomSampler(data), batch_size=4)

encoder = EncoderRNN(input_lang.n_words, hidden_size).to(device)
decoder = AttnDecoderRNN(hidden_size, output_lang.n_words).to(device)
optimizers = [optim.Adam(encoder.parameters(), lr=0.01), optim.Adam(decoder.parameters(), lr=0.01)]
criterion = nn.NLLLoss()
losses = []
for epoch in range(6):
    for input_tensor, target_tensor in loader:
        for optimizer in optimizers:
            optimizer.zero_grad()
        encoder_outputs, encoder_hidden = encoder(input_tensor)
        teacher = target_tensor if random.random() < 0.7 else None
        decoder_outputs, _, _ = decoder(encoder_outputs, encoder_hidden, teacher)
        loss = criterion(decoder_outputs.view(-1, decoder_outputs.size(-1)), target_tensor.view(-1))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())

encoder.eval()
decoder.eval()
with torch.no_grad():
    outputs, _, attention = decoder(*encoder(ids[0, :1]))
    losses += attention[0, 0].tolist()
    losses.append(outputs.max(-1)[0].sum().item())
