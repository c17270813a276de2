"""Are two sensor traces of the same machine? Distances learnt with a contrastive loss."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

N_MACHINES = 6
LENGTH = 20
MARGIN = 1.0


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self, base_network):
        super().__init__()
        self.base_network = base_network

    def forward(self, inputs):
        input_a, input_b = inputs
        a = self.base_network(input_a)
        b = self.base_network(input_b)
        sum_square = (a - b).square().sum(dim=1, keepdim=True)
        return sum_square.clamp(min=1e-7).sqrt()

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        y = y.view_as(y_pred)
        loss = contrastive_loss(y, y_pred)
        pair_accuracy_value = pair_accuracy(y, y_pred)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the plain mean of the batches
        parts = {f"{prefix}pair_accuracy": pair_accuracy_value}
        self.log_dict(parts, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    n = len(parts[0][0] if isinstance(parts[0], (list, tuple)) else parts[0])
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


def contrastive_loss(y_true, y_pred):
    """Hadsell et al. 2006: equal pairs are pulled together, others pushed apart."""
    square_pred = y_pred.square()
    # only pairs nearer than the margin are pushed
    margin_square = (MARGIN - y_pred).clamp(min=0).square()
    return (y_true * square_pred + (1 - y_true) * margin_square).mean()


def pair_accuracy(y_true, y_pred):
    return (y_true == (y_pred < 0.5).to(y_true.dtype)).float().mean()


def compute_accuracy(y_true, distances):
    """The same by hand, for arrays."""
    return np.mean((distances.ravel() < 0.5) == y_true)


def make_pairs(n, seed):
    rng = np.random.default_rng(seed)
    traces = np.random.default_rng(7).normal(size=(N_MACHINES, LENGTH))
    first = rng.integers(N_MACHINES, size=n)
    second = np.where(rng.random(n) < 0.5, first, rng.integers(N_MACHINES, size=n))
    pairs = traces[np.stack([first, second], axis=1)] + rng.normal(scale=0.4, size=(n, 2, LENGTH))
    return pairs.astype("float32"), (first == second).astype("float32")


pairs_train, same_train = make_pairs(320, seed=0)
pairs_test, same_test = make_pairs(80, seed=1)


class BaseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(LENGTH, 16)
        self.dense2 = nn.Linear(16, 8)
        self.apply(init_weights)

    def forward(self, inputs):
        x = F.relu(self.dense1(inputs))
        return self.dense2(x)


base_network = BaseNetwork()

model = Model(base_network)

trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        [pairs_train[:, 0], pairs_train[:, 1]], same_train, batch_size=48, shuffle=True
    ),
    make_loader([pairs_test[:, 0], pairs_test[:, 1]], same_test, batch_size=48),
)

distances = torch.cat(
    trainer.predict(model, make_loader([pairs_test[:, 0], pairs_test[:, 1]]))
).numpy()
print("accuracy on the test pairs: %.3f" % compute_accuracy(same_test, distances))
