"""Which half of a sequence weighs more: attention over the steps of a recurrent network."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader


class Attention(nn.Module):
    def __init__(self, input_shape):
        super().__init__()
        self.W = nn.Parameter(
            nn.init.normal_(torch.empty(input_shape[-1], 1), 0.0, 0.05)
        )
        self.b = nn.Parameter(torch.zeros(input_shape[1], 1))

    def forward(self, x):
        et = (x @ self.W + self.b).tanh().squeeze(-1)
        at = et.softmax(-1)
        at = at.unsqueeze(-1)
        output = x * at
        return output.sum(dim=1)


rng = np.random.RandomState(0)
x = rng.randint(1, 50, size=(320, 12))
y = (np.sum(x[:, :6], 1) > np.sum(x[:, 6:], 1)).astype("float32")


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
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.lstm = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.attention = Attention((None, 12, 2 * 6))
        self.dense = nn.Linear(2 * 6, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        h = self.embedding(inputs)
        h = self.lstm(h)[0]
        h = self.attention(h)
        return self.dense(h)  # logits: the sigmoid is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {"loss": loss, "accuracy": accuracy}
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
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x, y, shuffle=True))
