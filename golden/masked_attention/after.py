"""Which of two words comes first? Attention that leaves padding out, its weights a second output."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader

WORDS = 25
LENGTH = 8
WIDTH = 12

rng = np.random.RandomState(17)
x = rng.randint(3, WORDS, size=(320, LENGTH))
lengths = rng.randint(3, LENGTH + 1, size=320)
x[np.arange(LENGTH) >= lengths[:, None]] = 0
y = rng.randint(0, 2, size=320)
for row, length, first in zip(x, lengths, y):
    one, other = sorted(rng.choice(length, 2, replace=False))
    row[one], row[other] = (1, 2) if first else (2, 1)


class Reader(nn.Module):
    """Looks from every word at those that are there."""

    def __init__(self, heads, width):
        super().__init__()
        self.attention = MaskedMultiHeadAttention(12, heads, width, bias=False)
        self.norm = nn.LayerNorm(12, eps=1e-3)

    def forward(self, inputs):
        words, there = inputs
        seen = there[:, None, :]
        read, weights = self.attention(
            query=words, value=words, attention_mask=seen, return_attention_scores=True
        )
        return self.norm(words + read), weights


class MultiHeadAttention(nn.Module):
    """Keras's MultiHeadAttention over (batch, time, features); each head has key_dim features.

    features is the width of the queries and of the output, value_features that of the rest.
    """

    def __init__(
        self,
        features,
        num_heads,
        key_dim,
        value_dim=None,
        value_features=None,
        output_features=None,
        dropout=0.0,
        bias=True,
    ):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        values, width = value_features or features, num_heads * key_dim
        value_width = num_heads * (value_dim or key_dim)
        self.query = nn.Linear(features, width, bias)
        self.key = nn.Linear(values, width, bias)
        self.value = nn.Linear(values, value_width, bias)
        self.output = nn.Linear(value_width, output_features or features, bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Keras's Glorot uniform kernels and zero biases."""
        for part in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)

    def forward(self, query, value, key=None, use_causal_mask=False):
        q = self.split(self.query(query))
        k = self.split(self.key(value if key is None else key))
        v = self.split(self.value(value))
        dropout = self.dropout if self.training else 0.0
        x = F.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=use_causal_mask
        )
        return self.output(x.transpose(1, 2).flatten(2))

    def split(self, x):
        """(batch, time, heads * size) to (batch, heads, time, size)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class MaskedMultiHeadAttention(MultiHeadAttention):
    """With a mask (batch, queries, keys), true where a query sees a key, and scores on request.

    A query that sees nothing gets the mean of all values; with zero_empty it gets zeros.
    """

    def __init__(self, *sizes, zero_empty=False, **options):
        super().__init__(*sizes, **options)
        self.zero_empty = zero_empty

    def forward(
        self,
        query,
        value,
        key=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        q = self.split(self.query(query))
        k = self.split(self.key(value if key is None else key))
        v = self.split(self.value(value))
        scores = q @ k.mT / q.shape[-1] ** 0.5
        mask = torch.ones_like(scores[:, 0], dtype=torch.bool)
        mask = mask.tril() if use_causal_mask else mask
        mask = (
            mask if attention_mask is None else mask & attention_mask.bool()
        ).unsqueeze(1)
        scores = scores.masked_fill(~mask, -1e9).softmax(-1)
        scores = scores * mask.any(-1, keepdim=True) if self.zero_empty else scores
        x = F.dropout(scores, self.dropout, self.training) @ v
        x = self.output(x.transpose(1, 2).flatten(2))
        return (x, scores) if return_attention_scores else x


def glorot_by_heads_(attention):
    """The Glorot uniform kernels of tf.keras: they have an axis for the heads, part of the fans."""
    heads = attention.num_heads
    for part in (attention.query, attention.key, attention.value, attention.output):
        size, outer = part.out_features // heads, part.in_features
        if part is attention.output:
            size, outer = part.in_features // heads + part.out_features - heads, heads
        limit = (6 / (outer * (heads + size))) ** 0.5
        nn.init.uniform_(part.weight, -limit, limit)
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def skip_padding(rnn, x, mask, states=None):
    """Run a recurrent layer over the steps where the mask (batch, time) is true, as in Keras.

    A step left out repeats the output before it (zeros at first), or gives zeros if there are two
    directions; a row without any keeps its first states.
    """
    count = mask.cumsum(1)
    order = (~mask).int().argsort(dim=1, stable=True)  # padding to the end, for packing
    x = x.gather(1, order.unsqueeze(2).expand_as(x))
    lengths = count[:, -1].clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, last = rnn(packed, states)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    seen = mask if rnn.bidirectional else count > 0
    place = (count - 1).clamp(min=0).unsqueeze(2).expand_as(outputs)
    outputs = outputs.gather(1, place) * seen.unsqueeze(2)
    some = mask.any(1).unsqueeze(1)
    if not isinstance(last, tuple):
        return outputs, torch.where(some, last, 0 if states is None else states)
    return outputs, tuple(
        torch.where(some, s, f) for s, f in zip(last, states or (0, 0))
    )


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.LSTM):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
                nn.init.ones_(p.chunk(4)[1])
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, MultiHeadAttention):
        glorot_by_heads_(module)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding1 = nn.Embedding(WORDS, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        # the mask goes with the sequence, into the attention and through it
        self.multi_head_attention = MaskedMultiHeadAttention(
            WIDTH, 2, 6, dropout=0.1, bias=False
        )
        self.norm = nn.LayerNorm(WIDTH, eps=1e-3)
        self.embedding2 = nn.Embedding(WORDS, WIDTH)
        self.reader = Reader(2, 5)
        self.dense = nn.Linear(WIDTH + 12, 1)
        self.apply(init_weights)

    def forward(self, tokens):
        mask = tokens != 0
        places = self.embedding1(tokens)
        h = skip_padding(self.lstm, places, mask)[0]
        seen = self.multi_head_attention(
            h,
            h,
            use_causal_mask=True,
            attention_mask=mask.unsqueeze(2) & mask.unsqueeze(1),
        )
        h = self.norm(h + seen)
        pooled = (h * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True)
        plain = self.embedding2(tokens)
        read, _ = self.reader([plain, tokens != 0])
        h = torch.cat([pooled, read.amax(1)], 1)
        return self.dense(h)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.float().view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:256], y[:256], batch_size=16, shuffle=True),
    make_loader(x[256:], y[256:], batch_size=16),
)
print(
    "accuracy: %.3f"
    % list(
        trainer.test(model, make_loader(x[256:], y[256:]), verbose=False)[0].values()
    )[1]
)
