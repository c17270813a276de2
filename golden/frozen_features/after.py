"""Features learned on one task serve another: they are frozen, and the head is trained anew."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

BATCH_SIZE = 32
EPOCHS = 2

rng = np.random.default_rng(0)
images = rng.random((320, 12, 12, 1)).astype("float32")
bright = (images.mean(axis=(1, 2, 3)) > 0.5).astype("float32")
tilted = (images[:, :6].mean(axis=(1, 2, 3)) > images[:, 6:].mean(axis=(1, 2, 3))).astype("float32")


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.ReLU(),
            nn.BatchNorm2d(8, eps=1e-3, momentum=0.01),
            nn.MaxPool2d((2, 2)),
            nn.Conv2d(8, 8, 3),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(3 * 3 * 8, 16),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(16, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
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
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


def set_trainable(module, trainable):
    """As in Keras: a BatchNorm that is frozen normalises by its running statistics."""
    module.requires_grad_(trainable)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            part.train(trainable)


model = Model()


def train(labels):
    """Compiled anew, the model trains what is not frozen."""
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
        make_loader(images[:256], labels[:256], batch_size=BATCH_SIZE, shuffle=True),
        make_loader(images[256:], labels[256:], batch_size=BATCH_SIZE),
    )
    results = trainer.test(
        model, make_loader(images[256:], labels[256:]), verbose=False
    )
    loss, accuracy = results[0].values()
    print(f"loss {loss:.4f}, accuracy {accuracy:.3f}")


train(bright)

# the convolutions stay as they are
set_trainable(model.features, False)
train(tilted)

# at last everything learns, but the statistics of the first task are kept
model.features[0].requires_grad_(True)
model.features[4].requires_grad_(True)
model.classifier.requires_grad_(True)
train(tilted)
