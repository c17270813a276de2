"""The torch classes of the models in `kinds.py`."""

import torch
from torch import nn


class Attention(nn.Module):
    """Keras's attention with a width of its own for the heads: 2 heads of 3."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(5, 6) for _ in range(3))
        self.output = nn.Linear(6, 5)

    def forward(self, x):
        projections = (self.query, self.key, self.value)
        heads = [p(x).unflatten(2, (2, 3)).transpose(1, 2) for p in projections]
        x = nn.functional.scaled_dot_product_attention(*heads)
        return self.output(x.transpose(1, 2).flatten(2))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.z_first = nn.Linear(5, 5)
        self.blocks = nn.ModuleList([nn.Linear(5, 5), nn.Linear(5, 5)])
        self.norm = nn.BatchNorm1d(5, eps=1e-3)
        self.attention = Attention()
        self.a_last = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 2))

    def forward(self, x):
        x = self.z_first(x)
        for block in self.blocks:
            x = x + block(x)
        x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return self.a_last(x + self.attention(x))


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-3), nn.PReLU(4)
        )
        self.separable = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 6, 1))
        self.depthwise = nn.Conv2d(6, 12, 3, groups=6)
        self.up = nn.ConvTranspose2d(12, 3, 2)
        self.norm = nn.LayerNorm(3, eps=1e-3)
        self.shared = nn.Linear(3, 3)
        self.before = nn.Linear(3, 3)
        self.dense = nn.Linear(3, 2)

    def forward(self, x):
        x = self.stem(x.permute(0, 3, 1, 2))
        x = self.up(self.depthwise(self.separable(x)))
        x = self.norm(x.permute(0, 2, 3, 1)).mean((1, 2))
        return self.dense(self.before(self.shared(self.shared(x))))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.lstm2 = nn.LSTM(8, 4, batch_first=True)
        self.inner = nn.Linear(4, 8)
        self.gru = nn.GRU(8, 4, batch_first=True, bidirectional=True)
        self.gru2 = nn.GRU(8, 5, batch_first=True, bias=False)
        self.rnn = nn.RNN(5, 3, batch_first=True)
        self.answer = nn.Linear(3, 2)

    def forward(self, x):
        x = self.lstm2(self.lstm(self.embedding(x))[0])[0]
        x = self.gru2(self.gru(self.inner(x))[0])[0]
        return self.answer(self.rnn(x)[0][:, -1])


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.short = nn.Linear(4, 4)
        self.long = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(torch.cat([self.short(x), self.long(x)], 1))
