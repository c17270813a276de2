"""Waves that are read in pieces: the network remembers what came before a piece."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

WAVES = 6  # side by side: row i of a batch goes on where row i of the batch before has ended
STEPS = 8
PIECES = 20
TRAINED = 15

rng = np.random.default_rng(3)
time = np.arange(PIECES * STEPS + 1)[:, None]
pace = rng.uniform(0.05, 0.2, WAVES)
waves = np.sin(pace * time + rng.uniform(0, 6, WAVES)).astype("float32")
pieces = waves[:-1].reshape(PIECES, STEPS, WAVES, 1).swapaxes(1, 2).reshape(-1, STEPS, 1)
values = waves[STEPS::STEPS].reshape(-1, 1)
x_train, x_test = pieces[: TRAINED * WAVES], pieces[TRAINED * WAVES :]
y_train, y_test = values[: TRAINED * WAVES], values[TRAINED * WAVES :]


class StartAnew(L.Callback):
    """The waves begin again with each epoch."""

    def on_train_epoch_start(self, trainer, module):
        reset_states(module)


class Stateful(nn.Module):
    """A recurrent layer that goes on from batch to batch, as with Keras's stateful=True.

    Row i of a batch starts with the states in which row i of the batch before has ended: in
    training, validation and prediction, until reset_states(). No gradient goes back that far.
    """

    def __init__(self, rnn, stateful=True):
        super().__init__()
        self.rnn = rnn
        self.stateful = stateful
        self.register_buffer("states", None, persistent=False)

    def reset_states(self):
        self.states = None

    def forward(self, x):
        if not self.stateful:
            return self.rnn(x)
        before = None
        if self.states is not None:  # (1 or 2, 1, batch, units): h, or h and c
            before = self.states.clone()  # validation makes them in inference mode
            before = before[0] if len(before) == 1 else tuple(before)
        outputs, after = self.rnn(x, before)
        self.states = torch.stack(
            after if isinstance(after, tuple) else (after,)
        ).detach()
        return outputs, after


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


def reset_states(model):
    """The stateful layers of a model start the next batch with zeros."""
    for module in model.modules():
        if isinstance(module, Stateful):
            module.reset_states()


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.LSTM):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
                nn.init.ones_(p.chunk(4)[1])
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, nn.GRU):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            else:
                nn.init.zeros_(p)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.lstm = Stateful(nn.LSTM(1, 16, batch_first=True))
        self.gru = Stateful(nn.GRU(16, 8, batch_first=True))
        self.dense = nn.Linear(8, 1)
        self.apply(init_weights)

    def forward(self, x):
        x = self.lstm(x)[0]
        x = self.gru(x)[0][:, -1]
        return self.dense(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
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
        # fitted again, the model goes on with the same optimizer
        if not hasattr(self, "optimizer"):
            self.optimizer = RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
        return self.optimizer


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

# every wave is followed through all of its pieces, into those that are held out
trainer = L.Trainer(
    max_epochs=3,
    callbacks=[StartAnew()],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(np.asarray(x_train, dtype="float32"), y_train, batch_size=WAVES),
    make_loader(np.asarray(x_test, dtype="float32"), y_test, batch_size=WAVES),
)

for _ in range(2):
    reset_states(model)
    trainer = L.Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        model,
        make_loader(np.asarray(x_train, dtype="float32"), y_train, batch_size=WAVES),
    )
results = trainer.test(
    model,
    make_loader(np.asarray(x_test, dtype="float32"), y_test, batch_size=WAVES),
    verbose=False,
)
loss, mae = results[0].values()
print(f"going on: {mae:.4f}")

model.lstm.reset_states()
guessed = torch.cat(
    trainer.predict(
        model, make_loader(np.asarray(x_test, dtype="float32"), batch_size=WAVES)
    )
).numpy()
print(f"half of it forgotten: {np.abs(guessed - y_test).mean():.4f}")
