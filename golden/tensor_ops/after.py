"""Sequences summed up by their last step, their mean and their spread."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

SCALE = 2.0
x_train = np.random.default_rng(0).normal(size=(400, 10, 8)).astype("float32")
y_train = np.random.default_rng(1).integers(0, 3, 400)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(24, 16)
        self.dense2 = nn.Linear(16, 3)
        self.apply(init_weights)

    def forward(self, inputs):
        last = inputs[:, -1]
        middle = inputs[:, 2:8].mean(dim=1)
        spread = ((inputs - middle.unsqueeze(1)).square().mean(dim=1) + 1e-6).sqrt()
        x = torch.cat([last, middle * SCALE, spread], -1)
        x = self.dense1(x)
        x = x.clamp(min=0.0) + x**2 / 10
        gate = (x > 0.1).float()
        return self.dense2(x * gate)  # logits: the softmax is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=3)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


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


model = Model()
history = History()
trainer = L.Trainer(
    max_epochs=2,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, batch_size=16, shuffle=True))

print("classes:", np.bincount(y_train))
print("last loss:", history.history["loss"][-1])
predictions = torch.cat(trainer.predict(model, make_loader(x_train[:5]))).numpy()
print("most likely:", predictions.argmax(axis=1))
