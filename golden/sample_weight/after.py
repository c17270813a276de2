"""Learn from labels of mixed quality: every example has its own weight."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

L.seed_everything(1234)

num_classes = 5
num_features = 12
weight_decay = 0.02
l2_strength = 1e-3

centers = np.random.default_rng(0).normal(size=(num_classes, num_features)) * 1.2


def annotate(n, seed, careless):
    """Features, one-hot labels and the trust in each label; careless annotators guess."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=n)
    features = centers[labels] + rng.normal(size=(n, num_features))
    guessed = rng.random(n) < careless
    labels[guessed] = rng.integers(num_classes, size=guessed.sum())
    trust = np.where(guessed, 0.2, 1.5)
    return (
        features.astype("float32"),
        np.eye(num_classes, dtype="float32")[labels],
        trust,
    )


x_train, y_train, w_train = annotate(420, seed=1, careless=0.3)
x_val, y_val, _ = annotate(120, seed=2, careless=0.0)


def he_normal_(weight):
    """Keras's he_normal: variance 2 / fan_in, cut off at two deviations."""
    std = (2 / weight[0].numel()) ** 0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def init_weights(module):
    """Keras's initial values: He normal kernels, zero biases."""
    if isinstance(module, nn.Linear):
        he_normal_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(num_features, 32),
            nn.ReLU(),
            nn.Linear(32, 16),
            nn.ReLU(),
            # logits
            nn.Linear(16, num_classes),
        )
        self.apply(init_weights)
        nn.init.xavier_uniform_(self.layers[4].weight)

    def forward(self, x):
        return self.layers(x)

    def penalty(self):
        return (
            l2_strength * self.layers[0].weight.square().sum()
            + l2_strength * self.layers[2].bias.square().sum()
            + 2 * l2_strength * self.layers[2].weight.square().sum()
        )

    def step(self, batch, prefix=""):
        x, y, *weights = batch
        logits = self(x)
        losses = F.cross_entropy(logits, y, reduction="none", label_smoothing=0.1)
        loss = (
            (losses * weights[0]).mean() if weights else losses.mean()
        ) + self.penalty()
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

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.AdamW(
            self.parameters(), lr=3e-3, eps=1e-7, weight_decay=weight_decay
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


model = Model()  # logits

history = History()
trainer = L.Trainer(
    max_epochs=5,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        x_train,
        y_train,
        np.asarray(w_train, dtype="float32"),
        batch_size=50,
        shuffle=True,
    ),
    make_loader(x_val, y_val, batch_size=50),
)

print("loss:", ["%.4f" % v for v in history.history["loss"]])
print("val_accuracy:", ["%.3f" % v for v in history.history["val_accuracy"]])

results = trainer.test(model, make_loader(x_val, y_val), verbose=False)
val_loss, val_acc = results[0].values()
print("validation loss %.4f, accuracy %.3f" % (val_loss, val_acc))

logits = torch.cat(trainer.predict(model, make_loader(x_val))).numpy()
probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
print("mean probability of the true class: %.3f" % (probabilities * y_val).sum(axis=1).mean())
