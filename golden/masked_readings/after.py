"""Readings of sensors that start and stop: what is missing is -1 throughout."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader

STEPS = 8
SENSORS = 3
MISSING = -1.0

rng = np.random.RandomState(2)
readings = rng.normal(size=(240, STEPS, SENSORS)).astype("float32")
level = np.cumsum(readings[..., 0] * readings[..., 1], axis=1)[..., None].astype("float32")
# gaps anywhere, and devices that stop for good
gaps = rng.rand(240, STEPS) < 0.15
stopped = np.arange(STEPS) >= rng.randint(2, STEPS + 1, size=(240, 1))
readings[gaps | stopped] = MISSING


def skip_padding(rnn, x, mask, states=None):
    """Run a recurrent layer over the steps where the mask (batch, time) is true, as in Keras.

    A step left out repeats the output before it (zeros at first), or gives zeros if there are two
    directions; a row without any keeps its first states.
    """
    count = mask.cumsum(1)
    order = (~mask).int().argsort(dim=1, stable=True)  # padding to the end, for packing
    x = x.gather(1, order.unsqueeze(2).expand_as(x))
    lengths = count[:, -1].clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, last = rnn(packed, states)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    seen = mask if rnn.bidirectional else count > 0
    place = (count - 1).clamp(min=0).unsqueeze(2).expand_as(outputs)
    outputs = outputs.gather(1, place) * seen.unsqueeze(2)
    some = mask.any(1).unsqueeze(1)
    if not isinstance(last, tuple):
        return outputs, torch.where(some, last, 0 if states is None else states)
    return outputs, tuple(
        torch.where(some, s, f) for s, f in zip(last, states or (0, 0))
    )


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
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(SENSORS, 8, batch_first=True)
        self.rnn = nn.RNN(8, 8, batch_first=True, nonlinearity="relu")
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.dense = nn.Linear(8, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        mask = (inputs != MISSING).any(-1)
        x = inputs * mask.unsqueeze(-1)
        x, state = skip_padding(self.gru, x, mask)
        y = skip_padding(self.rnn, x, mask, state)[0]
        x = x + y
        x = skip_padding(self.lstm, x.flip(1), mask.flip(1))[0]
        return self.dense(x)

    def step(self, batch, prefix=""):
        x, y = batch
        # padding counts neither in the loss nor in the metrics
        mask = (x != MISSING).any(-1)
        y_pred, y = self(x)[mask], y[mask]
        loss = F.mse_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the mean over all steps that count
        parts = {f"{prefix}mae": mae}
        self.log_dict(
            parts, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(y)
        )
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
split = int(len(readings[:200]) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=5,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        readings[:200][:split], level[:200][:split], batch_size=25, shuffle=True
    ),
    make_loader(readings[:200][split:], level[:200][split:], batch_size=25),
)
scores = trainer.test(model, make_loader(readings[200:], level[200:]), verbose=False)
scores = list(scores[0].values())
print("loss %.4f, mean absolute error %.4f" % tuple(scores))
