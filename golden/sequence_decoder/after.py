"""Reverses short sequences of digits: an encoder, a repeated vector, a decoder."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn
from torch.utils.data import DataLoader

DIGITS = 6
STEPS = 5
LAYERS = 2

rng = np.random.default_rng(0)
numbers = rng.integers(0, DIGITS, size=(640, STEPS))
one_hot = np.eye(DIGITS, dtype="float32")
x_train, x_test = one_hot[numbers[:512]], one_hot[numbers[512:]]
y_train, y_test = one_hot[numbers[:512, ::-1]], one_hot[numbers[512:, ::-1]]


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.LSTM):
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
        self.lstm = nn.LSTM(DIGITS, 32, batch_first=True)
        self.lstms = nn.ModuleList(
            nn.LSTM(32, 32, batch_first=True) for _ in range(LAYERS)
        )
        self.dense = nn.Linear(32, DIGITS)
        self.apply(init_weights)

    def forward(self, x):
        x = self.lstm(x)[0][:, -1]
        x = x.unsqueeze(1).repeat(1, STEPS, 1)
        for lstm in self.lstms:
            x = lstm(x)[0]
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits.flatten(0, -2), y.flatten(0, -2))
        accuracy = (logits.argmax(-1) == y.argmax(-1)).float().mean()
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(-1)

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
print(ModelSummary(model))

trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x_train, y_train, shuffle=True), make_loader(x_test, y_test)
)
results = trainer.test(model, make_loader(x_test, y_test), verbose=False)
loss, accuracy = results[0].values()
print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")
print(torch.cat(trainer.predict(model, make_loader(x_test[:1]))).numpy().argmax(-1))
