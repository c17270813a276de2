"""A regression trained batch by batch in a loop of its own, which stops when it has had enough."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BATCH_SIZE = 32

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 12))
y = np.tanh(x[:, :3]).sum(axis=1)
x_val, y_val = x[200:], y[200:]
x, y = x[:200], y[:200]


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Linear(12, 24)
        self.dense = nn.Linear(24, 1)
        self.apply(init_weights)
        # the features stay as they were drawn
        self.optimizer = torch.optim.SGD(self.dense.parameters(), lr=0.05, momentum=0.9)

    def forward(self, inputs):
        features = F.relu(self.features(inputs))
        return self.dense(features)

    def penalty(self):
        return 1e-3 * self.dense.weight.square().sum()

    def values(self, x, y):
        """The loss and the mae of a batch."""
        x = torch.as_tensor(x, device=self.device)
        y = torch.as_tensor(y, device=self.device)
        y_pred = self(x)
        y = y.float().view_as(y_pred)
        loss = F.mse_loss(y_pred, y) + self.penalty()
        mae = F.l1_loss(y_pred, y)
        return loss, mae

    @torch.no_grad()
    def evaluate(self, x, y, batch_size=32):
        """The loss and the mae of all rows, in inference mode."""
        self.eval()
        parts = [slice(i, i + batch_size) for i in range(0, len(x), batch_size)]
        sizes = [len(x[part]) for part in parts]
        values = [
            [value.item() for value in self.values(x[part], y[part])] for part in parts
        ]
        return np.average(values, axis=0, weights=sizes).tolist()

    @torch.no_grad()
    def predict(self, x):
        """The outputs for x, in inference mode."""
        self.eval()
        x = torch.as_tensor(x, device=self.device)
        return self(x).cpu().numpy()

    def train_on_batch(self, x, y):
        """One step of the optimizer; the loss and the mae of the batch."""
        self.train()
        loss, mae = self.values(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return [loss.item(), mae.item()]


model = Model()

best = float("inf")
for epoch in range(6):
    losses = []
    for start in range(0, len(x), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        loss, mae = model.train_on_batch(x[rows].astype("float32"), y[rows])
        losses.append(loss)
    val_loss, val_mae = model.evaluate(x_val.astype("float32"), y_val, batch_size=64)
    print(f"epoch {epoch}: {np.mean(losses):.4f}, validation {val_loss:.4f} ({val_mae:.4f})")
    best = min(best, val_loss)

predictions = model.predict(x_val[:10].astype("float32"))
print(best, predictions[:, 0])
