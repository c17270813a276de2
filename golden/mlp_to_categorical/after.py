'''Trains a simple deep NN on 8x8 digits drawn as seven segments.

There is *a lot* of margin for parameter tuning.
'''

from __future__ import print_function

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn
from torch.utils.data import DataLoader

batch_size = 64
num_classes = 10
epochs = 5

# the segments that are lit for 0..9: top, upper left, upper right, middle, lower left,
# lower right, bottom
segments = np.array([
    [1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 1],
    [0, 1, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1, 0],
    [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 1, 1]])
strokes = np.zeros((7, 8, 8))
strokes[0, 0, 1:7] = strokes[3, 4, 1:7] = strokes[6, 7, 1:7] = 1
strokes[1, 1:4, 0] = strokes[2, 1:4, 7] = strokes[4, 5:7, 0] = strokes[5, 5:7, 7] = 1


def load_data(n_train, n_test):
    rng = np.random.RandomState(0)
    y = rng.randint(0, num_classes, n_train + n_test)
    x = 150 * np.tensordot(segments[y], strokes, 1) + rng.randint(0, 105, (len(y), 8, 8))
    x = x.astype('uint8')
    return (x[:n_train], y[:n_train]), (x[n_train:], y[n_train:])


# the data, split between train and test sets
(x_train, y_train), (x_test, y_test) = load_data(600, 200)

x_train = x_train.reshape(600, 64)
x_test = x_test.reshape(200, 64)
x_train = x_train.astype('float32')
x_test = x_test.astype('float32')
x_train /= 255
x_test /= 255
print(x_train.shape[0], 'train samples')
print(x_test.shape[0], 'test samples')

# convert class vectors to binary class matrices
y_train = np.eye(num_classes, dtype="float32")[y_train]
y_test = np.eye(num_classes, dtype="float32")[y_test]


class RMSprop(torch.optim.RMSprop):
    """RMSprop with epsilon inside the square root, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {
                        "step": torch.zeros(()),
                        "square_avg": torch.zeros_like(p),
                    }
                v = self.state[p]["square_avg"].lerp_(
                    p.grad.square(), 1 - group["alpha"]
                )
                p.addcdiv_(p.grad, (v + group["eps"]).sqrt(), value=-group["lr"])
        return loss


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(64, num_classes),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(
            logits, y.argmax(1), task="multiclass", num_classes=num_classes
        )
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
        return RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

print(ModelSummary(model))

trainer = L.Trainer(
    max_epochs=epochs,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x_train, y_train, batch_size=batch_size, shuffle=True),
    make_loader(x_test, y_test, batch_size=batch_size),
)
score = trainer.test(model, make_loader(x_test, y_test), verbose=False)
score = list(score[0].values())
print('Test loss:', score[0])
print('Test accuracy:', score[1])
