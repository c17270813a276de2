"""Does a sequence hold a token twice? Attention blocks as layers of the script's own, and a look back."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

LENGTH = 10
TOKENS = 30
WIDTH = 16
HEADS = 2
BLOCKS = 2


class Tokens(nn.Module):
    """A token and where it stands."""

    def __init__(self, length, tokens, width):
        super().__init__()
        self.token = nn.Embedding(tokens, width)
        self.place = nn.Embedding(length, width)

    def forward(self, x):
        length = x.shape[-1]
        places = torch.arange(length, device=x.device)
        return self.token(x) + self.place(places)


class Block(nn.Module):
    """Attention, then two dense layers, each with a way around it."""

    def __init__(self, in_features, width, heads, rate=0.1):
        super().__init__()
        self.attention = MultiHeadAttention(in_features, heads, width // heads)
        self.dense = nn.Sequential(
            nn.Linear(in_features, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.norm1 = nn.LayerNorm(in_features, eps=1e-6)
        self.norm2 = nn.LayerNorm(in_features, eps=1e-6)
        self.dropout = nn.Dropout(rate)

    def forward(self, x):
        attended = self.attention(x, x)
        x = self.norm1(x + self.dropout(attended))
        return self.norm2(x + self.dense(x))


rng = np.random.default_rng(0)
x = rng.integers(0, TOKENS, (320, LENGTH))
y = np.array([len(set(row)) < LENGTH - 1 for row in x]).astype("int64")


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


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, MultiHeadAttention):
        module.reset_parameters()
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.tokens = Tokens(LENGTH, TOKENS, WIDTH)
        blocks = []
        for _ in range(BLOCKS):
            blocks.append(Block(16, WIDTH, HEADS))
        self.blocks = nn.Sequential(*blocks)
        # each place looks back, at what was there before it
        self.multi_head_attention1 = MultiHeadAttention(
            16, HEADS, 5, value_dim=6, dropout=0.1
        )
        self.norm = nn.LayerNorm(16, eps=1e-3)
        self.dense1 = nn.Linear(16, 24)
        self.multi_head_attention2 = MultiHeadAttention(
            16, HEADS, 4, value_features=24, bias=False
        )
        self.dense2 = nn.Linear(16, 2)
        self.apply(init_weights)

    def forward(self, inputs):
        features = self.tokens(inputs)
        features = self.blocks(features)
        seen = self.multi_head_attention1(features, features, use_causal_mask=True)
        seen = self.norm(seen)
        memory = self.dense1(seen)
        answer = self.multi_head_attention2(features, memory)
        pooled = answer.amax(1)
        return self.dense2(pooled)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        y = y.flatten()
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=2)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

split = int(len(x) * (1 - 0.1))
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], shuffle=True),
    make_loader(x[split:], y[split:]),
)
print(torch.cat(trainer.predict(model, make_loader(x[:5]))).numpy())
