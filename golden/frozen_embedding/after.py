"""Sentences on random word vectors that stay as they are, until the rest knows what to do."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

WORDS = 50
LENGTH = 12

rng = np.random.default_rng(0)
sentences = rng.integers(1, WORDS, size=(256, LENGTH))
labels = ((sentences % 7 == 0).sum(axis=1) > 1).astype("float32")


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Classifier(L.LightningModule):
    def __init__(self, units):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.features = nn.Sequential(
            nn.Conv1d(16, units, 3),
            nn.ReLU(),
        )
        self.dense = nn.Linear(units, 1)
        self.learning_rate = 0.1
        self.apply(init_weights)
        self.embedding.requires_grad_(False)
        self.features[0].requires_grad_(False)

    def forward(self, x):
        x = self.embedding(x)
        x = self.features(x.transpose(1, 2))  # NLC -> NCL
        return self.dense(x.amax(2))  # logits: the sigmoid is in the loss

    def step(self, batch):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Classifier(24)
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(sentences, labels, shuffle=True))

model.embedding.requires_grad_(True)
model.learning_rate = 0.05
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(sentences, labels, shuffle=True))
print(trainer.test(model, make_loader(sentences, labels), verbose=False)[0]["loss"])
