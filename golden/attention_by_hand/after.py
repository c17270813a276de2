"""Which of two kinds a row of tokens is: attention of several heads, written out."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader


def scaled_dot_product_attention(q, k, v, mask):
    matmul_qk = q @ k.mT
    dk = float(k.shape[-1])
    scaled_attention_logits = matmul_qk / dk ** 0.5
    if mask is not None:
        scaled_attention_logits = scaled_attention_logits + (mask * -1e9)
    attention_weights = scaled_attention_logits.softmax(-1)
    output = attention_weights @ v
    return output


class SelfAttention(nn.Module):
    def __init__(self, in_features, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.d_model = d_model
        self.depth = d_model // num_heads
        self.wq = nn.Linear(in_features, d_model)
        self.wk = nn.Linear(in_features, d_model)
        self.wv = nn.Linear(in_features, d_model)
        self.dense = nn.Linear(16, d_model)

    def split_heads(self, x, batch_size):
        x = x.reshape(batch_size, -1, self.num_heads, self.depth)
        return x.permute(0, 2, 1, 3)

    def forward(self, x):
        batch_size = x.shape[0]
        seq_len = x.shape[1]
        q = self.split_heads(self.wq(x), batch_size)
        k = self.split_heads(self.wk(x), batch_size)
        v = self.split_heads(self.wv(x), batch_size)
        mask = 1 - torch.ones(seq_len, seq_len, device=x.device).tril()
        attention = scaled_dot_product_attention(q, k, v, mask)
        attention = attention.permute(0, 2, 1, 3)
        concat = attention.reshape(batch_size, -1, self.d_model)
        return self.dense(concat)


class PositionalEmbedding(nn.Module):
    def __init__(self, maxlen, vocab, dim):
        super().__init__()
        self.token_emb = nn.Embedding(vocab, dim)
        self.pos_emb = nn.Embedding(maxlen, dim)

    def forward(self, x):
        maxlen = x.shape[-1]
        positions = torch.arange(maxlen, device=x.device)
        return self.token_emb(x) + self.pos_emb(positions)


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.positional_embedding = PositionalEmbedding(10, 50, 16)
        self.self_attention = SelfAttention(16, 16, 4)
        self.dense = nn.Linear(16, 2)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.positional_embedding(inputs)
        x = x + self.self_attention(x)
        x = x.mean(1)
        return self.dense(x)  # logits: the softmax is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        y = y.long()
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
rng = np.random.default_rng(0)
x_train = rng.integers(0, 50, (160, 10)).astype("int32")
y_train = (x_train[:, 0] > x_train[:, -1]).astype("int32")
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, batch_size=16, shuffle=True))
