"""Depth from hyperparameters: the layers are stacked in loops."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn
from torch.utils.data import DataLoader

# ------------------------------------------------------------------ hyperparameters
params = {
    "lr": 2e-3,
    "batch_size": 40,
    "epochs": 5,
}
n_features = 8
n_classes = 3
n_layers = 3       # layers of equal width after the funnel
tail_units = 16
use_dropout = True
drop_rate = 0.15
verbose = False

# ------------------------------------------------------------------ data: three rings
rng = np.random.default_rng(8)
y = rng.integers(0, n_classes, size=500)
x = rng.normal(size=(500, n_features))
x *= ((y + 1) * 1.0 / np.linalg.norm(x, axis=1))[:, None]
x += rng.normal(scale=0.05, size=x.shape)
x = x.astype("float32")
x_train, y_train, x_test, y_test = x[:380], y[:380], x[380:], y[380:]


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        layers = []
        in_features = n_features
        for units in [64, 32, 16]:
            layers += [
                nn.Linear(in_features, units),
                nn.ReLU(),
            ]
            if use_dropout:
                layers.append(nn.Dropout(drop_rate))
            in_features = units
        for i in range(n_layers):
            layers += [
                nn.Linear(in_features, tail_units),
                nn.Tanh(),
            ]
            in_features = tail_units
        layers.append(nn.Linear(in_features, n_classes))
        self.layers = nn.Sequential(*layers)
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=n_classes)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.NAdam(
            self.parameters(), lr=params["lr"], eps=1e-7, momentum_decay=1.0
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


# output
# ------------------------------------------------------------------ model
model = Model()

if verbose:
    print(ModelSummary(model))

result = History()
trainer = L.Trainer(
    max_epochs=params["epochs"],
    callbacks=[result],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x_train, y_train, batch_size=params["batch_size"], shuffle=True),
    make_loader(x_test, y_test, batch_size=params["batch_size"]),
)

best = int(np.argmin(result.history["val_loss"]))
print("best epoch:", best + 1, "val_loss: %.4f" % result.history["val_loss"][best])
print("last accuracy: %.4f" % result.history["accuracy"][-1])
