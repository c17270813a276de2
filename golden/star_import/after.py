# Two targets at once from eight measurements; a tour through the activations
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

# data
np.random.seed(10)
X = np.random.uniform(-1, 1, size=(440, 8))
Y = np.column_stack([
    np.tanh(2 * X[:, 0]) + X[:, 1] * X[:, 2],
    X[:, 3] ** 2 - 0.5 * X[:, 4] + 0.3 * X[:, 0],
])
Y += np.random.normal(0, 0.02, size=Y.shape)
X_train, X_test = X[:340], X[340:]
Y_train, Y_test = Y[:340], Y[340:]


def lecun_normal_(weight):
    """Keras's lecun_normal: variance 1 / fan_in, cut off at two deviations."""
    std = weight[0].numel() ** -0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


class Adamax(torch.optim.Adamax):
    """Adamax with epsilon beside the maximum and not in it, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            one, two = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    names = ("exp_avg", "exp_inf")
                    self.state[p] = {name: torch.zeros_like(p) for name in names}
                    self.state[p]["step"] = torch.zeros(())
                state = self.state[p]
                state["step"] += 1
                average = state["exp_avg"].lerp_(p.grad, 1 - one)
                largest = torch.maximum(state["exp_inf"].mul_(two), p.grad.abs())
                state["exp_inf"] = largest
                rate = group["lr"] / (1 - one ** state["step"].item())
                p.addcdiv_(average, largest + group["eps"], value=-rate)
        return loss


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Net(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 32),
            nn.SELU(),
            nn.Linear(32, 32),
            nn.Tanh(),
            nn.Linear(32, 24),
            nn.ReLU(),
            nn.Linear(24, 24),
            nn.GELU(),
            nn.Linear(24, 16),
            nn.Softplus(),
            nn.Linear(16, 16),
            nn.ReLU(),
            nn.Linear(16, 16),
            nn.ELU(),
            nn.Linear(16, 16),
            nn.SiLU(),
            nn.Linear(16, 2),
        )
        self.apply(init_weights)
        lecun_normal_(self.layers[0].weight)
        nn.init.ones_(self.layers[2].bias)
        nn.init.kaiming_uniform_(self.layers[14].weight, nonlinearity="relu")

    def forward(self, x):
        return self.layers(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y = y.float()
        y_pred = self(x)
        loss = F.l1_loss(y_pred, y)
        mse = F.mse_loss(y_pred, y)
        logs = {f"{prefix}loss": loss, f"{prefix}mse": mse}
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
        return Adamax(self.parameters(), lr=0.004, eps=1e-7)


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


# net
net = Net()

split = int(len(X_train) * (1 - 0.15))
log = History()
trainer = L.Trainer(
    max_epochs=5,
    callbacks=[log],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    net,
    make_loader(X_train.astype("float32")[:split], Y_train[:split], shuffle=True),
    make_loader(X_train.astype("float32")[split:], Y_train[split:]),
)

for epoch in range(5):
    print(epoch, *('%s=%.4f' % (k, v[epoch]) for k, v in log.history.items()))

print(
    "test:",
    list(
        trainer.test(net, make_loader(X_test.astype("float32"), Y_test), verbose=False)[
            0
        ].values()
    ),
)
error = (
    torch.cat(trainer.predict(net, make_loader(X_test.astype("float32")))).numpy()
    - Y_test
)
print('bias of each target:', error.mean(axis=0), 'spread:', error.std(axis=0))
