"""House prices (made up) with a residual MLP, functional API."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

L.seed_everything(1)

# --------------------------------------------------------------------------------------
# data: everything stays float64 until Keras casts it
# --------------------------------------------------------------------------------------
rng = np.random.default_rng(11)
n_samples, n_features = 450, 6
X = rng.normal(loc=3.0, scale=2.0, size=(n_samples, n_features))
price = X @ np.array([1.5, -2.0, 0.7, 0.0, 1.1, 0.4]) + np.sin(X[:, 3]) * X[:, 0]
price += rng.normal(scale=0.3, size=n_samples)

X = (X - X.mean(axis=0)) / X.std(axis=0)
scale = price.std()
y = (price - price.mean()) / scale

X_train, X_test = X[:350], X[350:]
y_train, y_test = y[:350], y[350:]
assert X_train.dtype == np.float64 and y_train.ndim == 1


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class ResidualMlp(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(n_features, 32)
        self.dense1 = nn.Linear(32, 32)
        self.dense2 = nn.Linear(32, 32)
        self.dense3 = nn.Linear(32, 32)
        self.dense4 = nn.Linear(32, 32)
        self.price = nn.Linear(32, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        residual = F.relu(self.stem(inputs))
        x = F.relu(self.dense1(residual))
        x = self.dense2(x)
        x = x + residual
        residual = F.relu(x)
        x = F.relu(self.dense3(residual))
        x = self.dense4(x)
        x = x + residual
        x = F.relu(x)
        return self.price(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        y = y.float().view_as(y_pred)
        loss = F.mse_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {f"{prefix}loss": loss, f"{prefix}mae": mae}
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
        return torch.optim.Adam(self.parameters(), lr=0.002, eps=1e-7)

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


model = ResidualMlp()

split = int(len(X_train) * (1 - 0.2))
history = History()
trainer = L.Trainer(
    max_epochs=5,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(X_train.astype("float32")[:split], y_train[:split], shuffle=True),
    make_loader(X_train.astype("float32")[split:], y_train[split:]),
)
print("train mae by epoch:     ", np.round(history.history["mae"], 4))
print("validation mae by epoch:", np.round(history.history["val_mae"], 4))

results = trainer.test(
    model, make_loader(X_test.astype("float32"), y_test), verbose=False
)
results = dict(sorted(results[0].items()))
for name, value in results.items():
    print(f"test {name}: {value:.5f}")

predicted = torch.cat(
    trainer.predict(model, make_loader(X_test.astype("float32")))
).numpy()[:, 0]
print("r2:", 1 - np.sum((predicted - y_test) ** 2) / np.sum((y_test - y_test.mean()) ** 2))
print("largest error in money:", scale * np.abs(predicted - y_test).max())
