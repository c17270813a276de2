"""Do two sketches show the same kind of curve? One network looks at both of them."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

LENGTH = 24
N_KINDS = 4
FEATURES = 16
BATCH_SIZE = 32
EPOCHS = 5


def make_pairs(n, seed):
    """Pairs of noisy waves, and whether both have the same number of periods."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(1, N_KINDS + 1, size=(n, 2))
    kinds[::2, 1] = kinds[::2, 0]
    time = np.linspace(0, 2 * np.pi, LENGTH)
    waves = np.sin(kinds[..., None] * time) + rng.normal(scale=0.3, size=(n, 2, LENGTH))
    return waves.astype("float32"), (kinds[:, 0] == kinds[:, 1]).astype("float32")


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


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
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class BaseNetwork(nn.Module):
    """The network that both sketches go through."""

    def __init__(self, length):
        super().__init__()
        self.dense1 = nn.Linear(length, 32)
        self.norm = BatchNorm1d(32, eps=1e-3, momentum=0.01)
        self.dense2 = nn.Linear(32, FEATURES)
        self.apply(init_weights)

    def forward(self, inputs):
        x = F.relu(self.dense1(inputs))
        x = self.norm(x)
        return self.dense2(x).tanh()

    def penalty(self):
        return 1e-3 * self.dense2.weight.square().sum()


pairs_train, same_train = make_pairs(400, seed=0)
pairs_test, same_test = make_pairs(100, seed=1)

base_network = BaseNetwork(LENGTH)


class Siamese(L.LightningModule):
    def __init__(self, base_network):
        super().__init__()
        # the same weights for both
        self.base_network = base_network
        self.dense1 = nn.Linear(FEATURES + FEATURES, 8)
        self.dense2 = nn.Linear(8, 1)
        for layer in (self.dense1, self.dense2):
            layer.apply(init_weights)

    def forward(self, inputs):
        left, right = inputs
        features_left = self.base_network(left)
        features_right = self.base_network(right)
        difference = features_left - features_right
        product = features_left * features_right
        x = torch.cat([difference, product], 1)
        x = F.relu(self.dense1(x))
        return self.dense2(x)  # logits: the sigmoid is in the loss

    def penalty(self):
        return self.base_network.penalty()

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y) + self.penalty()
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).sigmoid()

    def configure_optimizers(self):
        return RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    n = len(parts[0][0] if isinstance(parts[0], (list, tuple)) else parts[0])
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


model = Siamese(base_network)
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        [pairs_train[:, 0], pairs_train[:, 1]],
        same_train,
        batch_size=BATCH_SIZE,
        shuffle=True,
    ),
    make_loader([pairs_test[:, 0], pairs_test[:, 1]], same_test, batch_size=BATCH_SIZE),
)

scores = torch.cat(
    trainer.predict(model, make_loader([pairs_test[:, 0], pairs_test[:, 1]]))
).numpy()
print("accuracy:", np.mean((scores[:, 0] > 0.5) == same_test))

# what the shared network makes of a sketch
features = predict(base_network, pairs_test[:, 0]).numpy()
print("mean feature:", features.mean(axis=0).round(2))
