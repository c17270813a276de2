"""Readings of eight sensors: layers of its author's own between Keras's."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

LATENT = 12


class Linear(nn.Module):
    """A dense layer by hand, with a factor that is learnt for each output."""

    def __init__(self, in_features, units):
        super().__init__()
        self.units = units
        self.kernel = nn.Parameter(he_normal_(torch.empty(in_features, self.units).T).T)
        self.bias = nn.Parameter(torch.zeros(self.units))
        # starts at one, so that the layer starts as a plain one
        self.factor = nn.Parameter(torch.ones(self.units))

    def forward(self, inputs):
        return self.factor * (inputs @ self.kernel) + self.bias


class BothSigns(nn.Module):
    """What is above the mean and what is below it, side by side."""

    def forward(self, inputs):
        inputs = inputs - inputs.mean(dim=1, keepdim=True)
        inputs = F.normalize(inputs, dim=1, eps=1e-6)
        return torch.cat([F.relu(inputs), F.relu(-inputs)], -1)


class Gate(nn.Module):
    """One tensor decides how much of another gets through."""

    def __init__(self, units, name=None):
        super().__init__()
        self.dense = nn.Linear(8, units)

    def forward(self, inputs):
        signal, control = inputs
        return signal * self.dense(control).sigmoid()


rng = np.random.RandomState(2)
x = rng.normal(size=(640, 8)).astype("float32")
y = (x[:, :4].max(axis=1) > x[:, 4:].max(axis=1)).astype("float32")


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


def he_normal_(weight):
    """Keras's he_normal: variance 2 / fan_in, cut off at two deviations."""
    std = (2 / weight[0].numel()) ** 0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.hidden = Linear(8, LATENT)
        self.both_signs = BothSigns()
        self.gate = Gate(2 * LATENT, name="gate")
        self.linear = Linear(24, 6)
        self.dense = nn.Linear(6, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        hidden = self.both_signs(self.hidden(inputs))
        gated = self.gate([hidden, inputs])
        return self.dense(self.linear(gated))  # logits: the sigmoid is in the loss

    def penalty(self):
        return 0.01 * sum(
            m.dense.weight.square().sum() for m in self.modules() if isinstance(m, Gate)
        )

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

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x[:512], y[:512], shuffle=True), make_loader(x[512:], y[512:])
)
print(
    "accuracy:",
    list(trainer.test(model, make_loader(x[512:], y[512:]), verbose=False)[0].values())[
        1
    ],
)
