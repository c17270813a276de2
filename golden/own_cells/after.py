"""The adding problem with recurrent cells of our own: sum the two numbers that are marked."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

STEPS = 12

rng = np.random.default_rng(11)
numbers = rng.uniform(size=(360, STEPS))
marks = np.zeros((360, STEPS))
for row in marks:
    row[rng.choice(STEPS, 2, replace=False)] = 1
x = np.stack([numbers, marks], axis=-1).astype("float32")
y = (numbers * marks).sum(axis=1, keepdims=True).astype("float32")


class MinimalCell(nn.Module):
    """The cell of the Keras documentation."""

    def __init__(self, in_features, units):
        super().__init__()
        self.units = units
        self.state_size = units
        self.kernel = nn.Parameter(
            nn.init.uniform_(torch.empty(in_features, self.units), -0.05, 0.05)
        )
        self.recurrent_kernel = nn.Parameter(
            nn.init.orthogonal_(torch.empty(self.units, self.units))
        )

    def forward(self, inputs, states):
        before = states[0]
        h = inputs @ self.kernel
        output = (h + before @ self.recurrent_kernel).tanh()
        return output, [output]


class LeakyMemory(nn.Module):
    """A slow and a fast state; a gate decides how much of the fast one goes on."""

    def __init__(self, in_features, units, leak=0.1):
        super().__init__()
        self.units = units
        self.leak = leak
        self.state_size = [units, units]
        width = in_features + self.units
        self.candidate = nn.Parameter(
            nn.init.xavier_uniform_(torch.empty(width, self.units))
        )
        self.gate = nn.Parameter(
            nn.init.xavier_uniform_(torch.empty(width, self.units))
        )
        self.bias = nn.Parameter(torch.zeros(self.units))

    def forward(self, inputs, states):
        fast, slow = states
        seen = torch.cat([inputs, fast], -1)
        gate = (seen @ self.gate + self.bias).sigmoid()
        fast = gate * fast + (1 - gate) * (seen @ self.candidate).tanh()
        slow = slow + self.leak * (fast - slow)
        # what comes out is not what goes on
        return fast + slow, [fast, slow]


class RNN(nn.Module):
    """A cell over the steps of (batch, time, features): output, states = cell(step, states)."""

    def __init__(self, cell, return_sequences=False):
        super().__init__()
        self.cell, self.return_sequences = cell, return_sequences

    def forward(self, x):
        sizes = self.cell.state_size
        sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
        states = [x.new_zeros(len(x), size) for size in sizes]
        outputs = []
        for step in x.unbind(1):
            output, states = self.cell(step, states)
            outputs.append(output)
        return torch.stack(outputs, 1) if self.return_sequences else output


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn1 = RNN(MinimalCell(2, 10), return_sequences=True)
        self.memory = RNN(LeakyMemory(10, 12, leak=0.2))
        # and once from the end
        self.rnn2 = RNN(MinimalCell(2, 6))
        self.dense = nn.Linear(12 + 6, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        h = self.rnn1(inputs)
        memory = self.memory(h)
        backwards = self.rnn2(inputs.flip(1))
        h = torch.cat([memory, backwards], 1)
        return self.dense(h)

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
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:300], y[:300], batch_size=20, shuffle=True),
    make_loader(x[300:], y[300:], batch_size=20),
)
results = trainer.test(model, make_loader(x[300:], y[300:]), verbose=False)
loss, mae = results[0].values()
print(f"mean squared error {loss:.4f}, mean absolute error {mae:.4f}")
print(
    torch.cat(trainer.predict(model, make_loader(x[300:304]))).numpy().round(2).ravel(),
    y[300:304].ravel().round(2),
)
