"""Two models from one builder: does a wider network with less dropout pay off?"""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

SEED = 99
EPOCHS = 5


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    """A compiled classifier for 2-D points."""

    def __init__(self, n_classes, hidden=32, dropout=0.2):
        super().__init__()
        self.n_classes = n_classes
        self.layers = nn.Sequential(
            nn.Linear(2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, n_classes),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=self.n_classes)
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
        return torch.optim.Adam(
            self.parameters(), lr=0.01, betas=(0.8, 0.999), eps=1e-7
        )

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


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


def make_spirals(n_classes, n, seed=SEED):
    """n points on n_classes spiral arms."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, n_classes, n)
    radius = rng.uniform(0.1, 1, n)
    angle = 2.0 * radius + 2 * np.pi * label / n_classes + rng.normal(scale=0.1, size=n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points.astype("float32"), label


# three arms, the default network
x3, y3 = make_spirals(3, 330)
small = Model(3)
split = int(len(x3) * (1 - 0.1))
small_history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[small_history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    small,
    make_loader(x3[:split], y3[:split], shuffle=True),
    make_loader(x3[split:], y3[split:]),
)

# four arms need more
x4, y4 = make_spirals(4, 400, seed=SEED + 1)
large = Model(n_classes=4, hidden=48, dropout=0.1)
split = int(len(x4) * (1 - 0.1))
large_history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[large_history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    large,
    make_loader(x4[:split], y4[:split], shuffle=True),
    make_loader(x4[split:], y4[split:]),
)

for name, history in [("small", small_history), ("large", large_history)]:
    print(name)
    for key, values in sorted(history.history.items()):
        print("   ", key, np.round(values, 3).tolist())

print(
    "parameters:",
    sum(p.numel() for p in small.parameters()),
    sum(p.numel() for p in large.parameters()),
)
print(
    "small:", list(trainer.test(small, make_loader(x3, y3), verbose=False)[0].values())
)
print(
    "large:", list(trainer.test(large, make_loader(x4, y4), verbose=False)[0].values())
)
