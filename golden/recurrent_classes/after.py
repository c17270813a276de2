"""Running sums, read by an encoder and written by a decoder that goes on with its states."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

STEPS = 12

rng = np.random.default_rng(4)
x = rng.normal(size=(192, STEPS, 3)).astype("float32")
y = np.cumsum(x[:, ::-1, :1], axis=1).astype("float32") / 3


class Encoder(nn.Module):
    def __init__(self, in_features, units):
        super().__init__()
        self.lstm = LSTMWithStates(
            in_features, units, batch_first=True, return_sequences=True
        )
        self.gru = GRUWithState(units, units, batch_first=True)

    def forward(self, inputs):
        sequence, h, c = self.lstm(inputs)
        last, state = self.gru(sequence)
        return sequence, h + 0.1 * last, c, state


class Decoder(nn.Module):
    """Starts where the encoder ended."""

    def __init__(self, units):
        super().__init__()
        self.lstm = LSTMWithStates(10, units, batch_first=True, return_sequences=True)
        self.gru = GRUWithState(units, units, batch_first=True, return_sequences=True)
        self.out = nn.Linear(units, 1)

    def forward(self, sequence, h, c, state):
        x = self.lstm(sequence.flip(1), [h, c])[0]
        x, state = self.gru(x, state)
        return self.out(x) + 0.1 * state.mean(dim=-1, keepdim=True).unsqueeze(1)


class Summing(nn.Module):
    def __init__(self, in_features, units):
        super().__init__()
        self.encoder = Encoder(in_features, units)
        self.decoder = Decoder(units)

    def forward(self, inputs):
        sequence, h, c, state = self.encoder(inputs)
        return self.decoder(sequence, h, c, state)


class LSTMWithStates(nn.LSTM):
    """One-layer LSTM, batch first, that takes and gives its states as Keras's: (batch, units)."""

    def __init__(self, *sizes, return_sequences=False, **options):
        super().__init__(*sizes, **options)
        self.return_sequences = return_sequences

    def forward(self, x, states=None):
        if states is not None:
            states = tuple(state.unsqueeze(0) for state in states)
        outputs, (h, c) = super().forward(x, states)
        return outputs if self.return_sequences else h[0], h[0], c[0]


class GRUWithState(nn.GRU):
    """One-layer GRU, batch first, that takes and gives its state as Keras's: (batch, units)."""

    def __init__(self, *sizes, return_sequences=False, **options):
        super().__init__(*sizes, **options)
        self.return_sequences = return_sequences

    def forward(self, x, state=None):
        outputs, h = super().forward(x, None if state is None else state.unsqueeze(0))
        return outputs if self.return_sequences else h[0], h[0]


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


class LitSumming(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Summing(3, 10)
        self.apply(init_weights)

    def forward(self, x):
        return self.model(x)

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

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.005, eps=1e-7)

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


model = LitSumming()
split = int(len(x) * (1 - 1 / 3))
trainer = L.Trainer(
    max_epochs=6,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], shuffle=True),
    make_loader(x[split:], y[split:]),
)
print(torch.cat(trainer.predict(model, make_loader(x[:2]))).numpy()[:, -1])
