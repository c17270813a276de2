"""A long wave that three layers read in pieces; how it is to go on is forgotten after each round."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

BATCH = 4
STEPS = 6
PIECES = 16
ROUNDS = 3

rng = np.random.default_rng(7)
phase = rng.uniform(0, 6, size=(1, BATCH, 1))
time = np.arange(PIECES * STEPS + 1).reshape(-1, 1, 1)
waves = np.sin(0.3 * time + phase) + 0.1 * rng.normal(size=(PIECES * STEPS + 1, BATCH, 1))
x = waves[:-1].reshape(PIECES, STEPS, BATCH, 1).swapaxes(1, 2).reshape(-1, STEPS, 1)
y = waves[STEPS::STEPS].reshape(-1, 1)
x, y = x.astype("float32"), y.astype("float32")


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


class LSTMFull(nn.LSTM):
    """One-layer LSTM, batch first, with Keras's activations, mask and dropout constant in time."""

    def __init__(
        self,
        input_size,
        hidden_size,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
        dropout=0.0,
        recurrent_dropout=0.0,
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(self, x, state=None, mask=None):
        h, c = state or x.new_zeros(2, 1, len(x), self.hidden_size)
        mask = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
        # (gate, batch, 1, features) and (gate, batch, units): each gate drops inputs of its own
        keep_x = F.dropout(
            x.new_ones(4, len(x), 1, x.shape[2]), self.dropout, self.training
        )
        keep_h = F.dropout(
            h.new_ones(4, *h.shape[1:]), self.recurrent_dropout, self.training
        )
        w_x, w_h, bias = (
            p.unflatten(0, (4, -1))
            for p in (self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0)
        )
        gates = torch.einsum("gbti,gui->tgbu", x * keep_x, w_x) + bias.unsqueeze(1)
        outputs = []
        for t, step in enumerate(gates):
            i, f, g, o = step + (h * keep_h) @ w_h.mT
            i, f, o = map(self.recurrent_activation, (i, f, o))
            c = torch.where(mask[:, t, None], f * c + i * self.activation(g), c)
            h = torch.where(mask[:, t, None], o * self.activation(c), h)
            outputs.append(h[0])
        return torch.stack(outputs, 1), (h, c)


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
    if isinstance(module, nn.GRU):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            else:
                nn.init.zeros_(p)
    elif isinstance(module, nn.LSTM):
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
    elif isinstance(module, nn.RNN):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.reader = Stateful(nn.GRU(1, 12, batch_first=True))
        self.lstm = Stateful(LSTMFull(12, 10, recurrent_dropout=0.1))
        self.rnn = Stateful(nn.RNN(2, 6, batch_first=True, nonlinearity="relu"))
        self.dense = nn.Linear(6, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        h = self.reader(inputs)[0]
        h = self.lstm(h)[0][:, -1]
        h = self.rnn(h.unflatten(1, (5, 2)))[0][:, -1]
        return self.dense(h)

    def penalty(self):
        return 0.01 * self.lstm.rnn.weight_ih_l0.square().sum()

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y) + self.penalty()
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
for number in range(ROUNDS):
    trainer = L.Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, make_loader(x, y, batch_size=BATCH))
    reset_states(model)

seen = torch.cat(
    trainer.predict(model, make_loader(x[: BATCH * 8], batch_size=BATCH))
).numpy()
print(f"error so far: {np.abs(seen - y[: BATCH * 8]).mean():.4f}")
model.reader.reset_states()
rest = slice(BATCH * 8, None)
results = trainer.test(
    model, make_loader(x[rest], y[rest], batch_size=BATCH), verbose=False
)
loss, mae = results[0].values()
print(f"going on: {mae:.4f}")
