"""A base called in inference mode, then unfrozen: Keras 3 trains its statistics all the same."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

L.seed_everything(3)
rng = np.random.default_rng(3)
x_train = rng.normal(1.0, 2.0, (256, 16, 16, 3)).astype("float32")
print("samples:", len(x_train), "largest:", x_train.max())
centre = slice(4, 12)
y_train = x_train[:, centre, centre].mean((1, 2, 3), keepdims=True).reshape(-1, 1)


def set_trainable(module, trainable):
    """As in Keras: a BatchNorm that is frozen normalises by its running statistics."""
    module.requires_grad_(trainable)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            part.train(trainable)


class BatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 3, bias=False, padding="same")
        self.norm = BatchNorm2d(12, eps=1e-3, momentum=0.01)
        # Keras's "same" pads more on the far side
        self.conv2_pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.conv2 = nn.Conv2d(12, 16, 3, stride=2)
        self.apply(init_weights)

    def forward(self, image):
        h = self.conv1(image.permute(0, 3, 1, 2))  # NHWC -> NCHW
        h = self.norm(h)
        h = F.relu(h)
        h = self.conv2(self.conv2_pad(h))
        return h.permute(0, 2, 3, 1)


base = Base()
set_trainable(base, False)


class Model(L.LightningModule):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.norm = BatchNorm1d(16, eps=1e-3, momentum=0.01)
        self.dense1 = nn.Linear(16, 8)
        self.dense2 = nn.Linear(8, 1)
        self.learning_rate = 0.05
        for layer in (self.dense1, self.dense2):
            layer.apply(init_weights)

    def forward(self, inputs):
        x = self.base(inputs)
        x = x.mean((1, 2))
        x = self.norm(x)
        x = F.relu(self.dense1(x))
        return self.dense2(x)

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate)


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


model = Model(base)
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, shuffle=True))

set_trainable(base, True)
model.learning_rate = 0.01
history = History()
trainer = L.Trainer(
    max_epochs=2,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, shuffle=True))
print(
    history.history["loss"],
    trainer.test(model, make_loader(x_train, y_train), verbose=False)[0]["loss"],
)
