"""Which of three springs a noisy oscillation belongs to: a bottleneck with noise of its own."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader


class Sampling(nn.Module):
    """Draws a code around its mean."""

    def __init__(self, seed=None):
        super().__init__()

    def forward(self, inputs):
        mean, log_var = inputs
        noise = torch.randn_like(mean)
        return mean + (0.5 * log_var).exp() * noise


class Bottleneck(nn.Module):
    """Few numbers say it all; in training they are not exact."""

    def __init__(self, in_features, units, activation="tanh"):
        super().__init__()
        self.mean = nn.Linear(in_features, units)
        self.log_var = nn.Linear(in_features, units)
        self.sampling = Sampling(seed=3)

    def forward(self, inputs):
        mean = self.mean(inputs).tanh()
        log_var = self.log_var(inputs) - 4.0
        if self.training:
            mean = self.sampling([mean, log_var])
        return mean


class Net(nn.Module):
    def __init__(self, in_features, units, classes):
        super().__init__()
        self.hidden = nn.Linear(in_features, 24)
        self.bottleneck = Bottleneck(24, units)
        self.classify = nn.Linear(4, classes)

    def forward(self, inputs):
        x = F.relu(self.hidden(inputs))
        if self.training:
            x = F.dropout(x, 0.1)
        x = self.bottleneck(x)
        return self.classify(x).softmax(-1)


rng = np.random.RandomState(6)
spring = rng.randint(0, 3, size=480)
t = np.linspace(0, 6, 30)
phase = rng.uniform(0, 6, size=(480, 1))
waves = np.sin((1 + spring[:, None]) * t + phase) + 0.2 * rng.normal(size=(480, 30))


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class LitNet(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Net(30, units=4, classes=3)
        self.apply(init_weights)
        for module in self.modules():
            if isinstance(module, Bottleneck):
                nn.init.zeros_(module.log_var.weight)

    def forward(self, x):
        return self.model(x)

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        loss = F.nll_loss(y_pred.clamp(1e-7, 1 - 1e-7).log(), y)
        accuracy = tm.accuracy(y_pred, y, task="multiclass", num_classes=3)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

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


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


model = LitNet()
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
        waves[:400].astype("float32"), spring[:400], batch_size=40, shuffle=True
    ),
)
print("first:", predict(model, waves[:2].astype("float32")).shape)
print(
    "test:",
    list(
        trainer.test(
            model,
            make_loader(waves[400:].astype("float32"), spring[400:]),
            verbose=False,
        )[0].values()
    ),
)
