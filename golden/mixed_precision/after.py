"""Handwriting-sized pictures of bars, upright or lying, classified in mixed precision."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(1)


def bars(n, size=12):
    """Pictures with one bright bar, and how it lies: 0 upright, 1 flat, 2 both."""
    images = rng.normal(scale=0.4, size=(n, size, size, 1)).astype("float32")
    labels = rng.integers(0, 3, n)
    for image, label in zip(images, labels):
        if label != 1:
            image[:, rng.integers(size)] += 1.5
        if label != 0:
            image[rng.integers(size)] += 1.5
    return images, labels


x_train, y_train = bars(320)
x_test, y_test = bars(96)


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
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.max_pooling = nn.MaxPool2d((2, 2))
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.dense_logits = nn.Linear(16, 3)
        self.apply(init_weights)

    def forward(self, inputs):
        x = F.relu(self.conv1(inputs.permute(0, 3, 1, 2)))  # NHWC -> NCHW
        x = self.max_pooling(x)
        x = F.relu(self.conv2(x))
        x = x.amax((2, 3))
        # the softmax in single precision, so that it is numerically stable
        return self.dense_logits(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=3)
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
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return RMSprop(self.parameters(), lr=3e-3, alpha=0.9, eps=1e-7)


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
split = int(len(x_train) * (1 - 0.2))
history = History()
trainer = L.Trainer(
    max_epochs=4,
    callbacks=[history],
    precision="16-mixed",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x_train[:split], y_train[:split], shuffle=True),
    make_loader(x_train[split:], y_train[split:]),
)
print("losses:", history.history["loss"])

results = trainer.test(model, make_loader(x_test, y_test), verbose=False)
loss, accuracy = results[0].values()
probabilities = (
    torch.cat(trainer.predict(model, make_loader(x_test[:4]))).float().numpy()
)
print(f"test: {loss:.3f}, {accuracy:.3f}", probabilities.sum(axis=1))
