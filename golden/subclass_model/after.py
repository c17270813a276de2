"""Which of four machines made a part, by sixteen measurements: a network of its author's own."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.RandomState(3)
centers = rng.normal(size=(4, 16))
machine = rng.randint(0, 4, size=720)
measured = (centers[machine] + rng.normal(scale=0.8, size=(720, 16))).astype("float32")
x_train, y_train = measured[:600], machine[:600]
x_test, y_test = measured[600:], machine[600:]


class Hidden(nn.Module):
    """A dense layer, normalised, with a shortcut where the widths agree."""

    def __init__(self, in_features, units, rate=0.0):
        super().__init__()
        self.units = units
        self.dense = nn.Linear(in_features, units, bias=False)
        self.norm = BatchNorm1d(units, eps=1e-3, momentum=0.01)
        self.dropout = nn.Dropout(rate)

    def forward(self, inputs):
        x = self.dense(inputs)
        x = self.norm(x)
        x = F.relu(x)
        if inputs.shape[-1] == self.units:
            x = x + inputs
        return self.dropout(x)


class Classifier(nn.Module):
    def __init__(self, in_features, widths, classes):
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                Hidden(before, width, rate=0.2)
                for before, width in zip([in_features, *widths], widths)
            ]
        )
        self.head = nn.Linear(16, classes)

    def forward(self, inputs):
        x = inputs
        for block in self.blocks:
            x = block(x)
        return self.head(x)


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
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class LitClassifier(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Classifier(16, [32, 32, 16], classes=4)
        self.apply(init_weights)

    def forward(self, x):
        return self.model(x)

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=4)
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
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.005, eps=1e-7)

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


model = LitClassifier()
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x_train, y_train, batch_size=40, shuffle=True),
    make_loader(x_test, y_test, batch_size=40),
)
results = trainer.test(model, make_loader(x_test, y_test), verbose=False)
loss, accuracy = results[0].values()
print(f"test accuracy {accuracy:.3f}")
print(torch.cat(trainer.predict(model, make_loader(x_test[:3]))).numpy().shape)
