"""The next frame of films in which a square moves, by an LSTM of convolutions."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

FRAMES = 5
SIZE = 10
FILTERS = 6
BATCH_SIZE = 16
EPOCHS = 3


def make_films(n, seed):
    """Films of a square of 3 x 3 that moves one step a frame, and the frames that follow."""
    rng = np.random.default_rng(seed)
    films = np.zeros((n, FRAMES + 1, SIZE, SIZE, 1), dtype="float32")
    for film in films:
        place, step = rng.integers(0, SIZE, 2), rng.integers(-1, 2, 2)
        for t, frame in enumerate(film):
            rows, columns = ((place + t * step)[:, None] + np.arange(3)) % SIZE
            frame[np.ix_(rows, columns)] = 1.0
    return films[:, :-1], films[:, 1:]


x_train, y_train = make_films(128, seed=0)
x_test, y_test = make_films(32, seed=1)


class ConvLSTM2d(nn.Module):
    """LSTM of convolutions over frames (batch, channels, time, height, width), as in Keras."""

    conv = nn.Conv2d

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        bias=True,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
    ):
        super().__init__()
        gates = 4 * out_channels
        self.input = self.conv(
            in_channels, gates, kernel_size, stride, padding, dilation, bias=bias
        )
        self.recurrent = self.conv(
            out_channels, gates, kernel_size, padding="same", bias=False
        )
        self.activation = activation
        self.recurrent_activation = recurrent_activation

    def forward(self, x):
        gates = self.input(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(x), -1))
        h = c = torch.zeros_like(gates[:, 0].chunk(4, 1)[0])
        outputs = []
        for step in gates.unbind(1):
            i, f, g, o = (step + self.recurrent(h)).chunk(4, 1)
            i, f, o = map(self.recurrent_activation, (i, f, o))
            c = f * c + i * self.activation(g)
            h = o * self.activation(c)
            outputs.append(h)
        return torch.stack(outputs, 2)


class BatchNorm3d(nn.BatchNorm3d):
    """BatchNorm3d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, ConvLSTM2d):
        nn.init.xavier_uniform_(module.input.weight)
        nn.init.orthogonal_(module.recurrent.weight)
        nn.init.zeros_(module.input.bias)
        nn.init.ones_(module.input.bias.chunk(4)[1])
    elif isinstance(module, nn.Conv3d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        # the films may be of any length
        self.conv_lstm = ConvLSTM2d(1, FILTERS, (3, 3), padding="same")
        self.norm = BatchNorm3d(FILTERS, eps=1e-3, momentum=0.01)
        self.conv_lstm2 = ConvLSTM2d(
            FILTERS, FILTERS, (3, 3), padding="same", recurrent_activation=F.hardsigmoid
        )
        self.conv = nn.Conv3d(FILTERS, 1, (3, 3, 3), padding="same")
        self.apply(init_weights)

    def forward(self, x):
        x = self.conv_lstm(x.permute(0, 4, 1, 2, 3))  # NDHWC -> NCDHW
        x = self.norm(x)
        x = self.conv_lstm2(x)
        x = self.conv(x)
        return x.permute(
            0, 2, 3, 4, 1
        )  # NCDHW -> NDHWC; logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).sigmoid()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
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
    make_loader(x_train, y_train, batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x_test, y_test, batch_size=BATCH_SIZE),
)

# a film that goes on by itself
film = x_test[:1]
for _ in range(3):
    following = torch.cat(trainer.predict(model, make_loader(film))).numpy()[:, -1:]
    film = np.concatenate([film, following], axis=1)
print("brightness of the frames:", film.mean(axis=(0, 2, 3, 4)).round(3))
