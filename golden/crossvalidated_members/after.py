"""Viscosity of blends from their recipe: cross-validated, then an ensemble of three sizes."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

FOLDS = 3
MEMBERS = [12, 24, 36]
EPOCHS = 4

rng = np.random.RandomState(8)
recipes = rng.dirichlet(np.ones(9), size=240).astype("float32")
effects = rng.uniform(-1, 3, size=(9,))
viscosity = recipes @ effects + 2 * recipes[:, 0] * recipes[:, 4] + 0.02 * rng.randn(240)
viscosity = viscosity.astype("float32")
train_x, train_y = recipes[:180], viscosity[:180]
test_x, test_y = recipes[180:], viscosity[180:]


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


class Blend(L.LightningModule):
    def __init__(self, units, rate=0.004):
        super().__init__()
        self.rate = rate
        self.layers = nn.Sequential(
            nn.Linear(9, units),
            nn.ReLU(),
            nn.Linear(units, units // 2),
            nn.ReLU(),
            nn.Linear(units // 2, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        y = y.view_as(y_pred)
        loss = F.mse_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {"loss": loss, "mae": mae}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return RMSprop(self.parameters(), lr=self.rate, alpha=0.9, eps=1e-7)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


# a fold is held back in turn
folds = np.arange(len(train_x)) % FOLDS
scores = []
for fold in range(FOLDS):
    held, rest = folds == fold, folds != fold
    model = Blend(MEMBERS[0])
    trainer = L.Trainer(
        max_epochs=EPOCHS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        model, make_loader(train_x[rest], train_y[rest], batch_size=20, shuffle=True)
    )
    results = trainer.test(
        model, make_loader(train_x[held], train_y[held]), verbose=False
    )
    loss, mae = results[0].values()
    scores.append(mae)
print("cross-validated mae: %.3f (%.3f)" % (np.mean(scores), np.std(scores)))

# the members of the ensemble see all of it, and are averaged
members = []
for units in MEMBERS:
    member = Blend(units)
    trainer = L.Trainer(
        max_epochs=EPOCHS,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(member, make_loader(train_x, train_y, batch_size=20, shuffle=True))
    members.append(member)

votes = np.stack(
    [
        torch.cat(trainer.predict(member, make_loader(test_x))).numpy()[:, 0]
        for member in members
    ]
)
error = np.abs(votes.mean(axis=0) - test_y).mean()
alone = [np.abs(vote - test_y).mean() for vote in votes]
print("members:", np.round(alone, 3), "ensemble: %.3f" % error)
