"""Three classes of uneven size from numbers, with a dense network."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

BATCH_SIZE = 32
EPOCHS = 3

L.seed_everything(1)
rng = np.random.default_rng(0)
x = rng.normal(scale=0.02, size=(360, 8)).astype("float32")
y = np.digitize(x[:, 0] + x[:, 1], [-0.03, 0.02])
x_train, y_train, x_test, y_test = x[:260], y[:260], x[260:], y[260:]


def init_weights(module):
    """Keras's defaults: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 24),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(24, 3),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=3)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x_train, y_train, batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x_test, y_test, batch_size=BATCH_SIZE),
)
loss, accuracy = trainer.test(model, make_loader(x_test, y_test), verbose=False)[0].values()
probabilities = torch.cat(trainer.predict(model, make_loader(x_test))).numpy()
