"""Simple MNIST convnet, after the Keras code example (fchollet, 2015)."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST

# Model / data parameters
num_classes = 10
input_shape = (28, 28, 1)


def load_mnist():
    """(x, y) of train and of test: images (n, 28, 28) and digits (n,), uint8."""
    splits = [MNIST("data", train=train, download=True) for train in (True, False)]
    return [
        (split.data.numpy(), split.targets.numpy().astype("uint8")) for split in splits
    ]


# Load the data and split it between train and test sets
(x_train, y_train), (x_test, y_test) = load_mnist()

# a part is enough here
x_train, y_train = x_train[:700], y_train[:700]
x_test, y_test = x_test[:150], y_test[:150]

# Scale images to the [0, 1] range
x_train = x_train.astype("float32") / 255
x_test = x_test.astype("float32") / 255
# Make sure images have shape (28, 28, 1)
x_train = np.expand_dims(x_train, -1)
x_test = np.expand_dims(x_test, -1)
print("x_train shape:", x_train.shape)
print(x_train.shape[0], "train samples")
print(x_test.shape[0], "test samples")

# convert class vectors to binary class matrices
y_train = np.eye(num_classes, dtype="float32")[y_train]
y_test = np.eye(num_classes, dtype="float32")[y_test]


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, (3, 3)),
            nn.ReLU(),
            nn.MaxPool2d((2, 2)),
            nn.Conv2d(8, 16, (3, 3)),
            nn.ReLU(),
            nn.MaxPool2d((2, 2)),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(5 * 5 * 16, num_classes),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)  # logits: the softmax is in the loss

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

batch_size = 32
epochs = 3

split = int(len(x_train) * (1 - 0.1))
trainer = L.Trainer(
    max_epochs=epochs,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x_train[:split], y_train[:split], batch_size=batch_size, shuffle=True),
    make_loader(x_train[split:], y_train[split:], batch_size=batch_size),
)

score = trainer.test(model, make_loader(x_test, y_test), verbose=False)
score = list(score[0].values())
print("Test loss:", score[0])
print("Test accuracy:", score[1])
