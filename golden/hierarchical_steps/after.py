"""Short films classified: every frame by a convolutional net, the frames by an LSTM."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

FRAMES, SIZE, CLASSES = 6, 12, 4
BATCH_SIZE = 32
EPOCHS = 4


def make_films(n, seed):
    """A bar that moves up, down, left or right."""
    rng = np.random.default_rng(seed)
    films = rng.normal(scale=0.1, size=(n, FRAMES, SIZE, SIZE, 1)).astype("float32")
    labels = rng.integers(0, CLASSES, size=n)
    for film, label, start in zip(films, labels, rng.integers(0, SIZE, size=n)):
        for t, frame in enumerate(film):
            place = (start + (1 if label % 2 else -1) * t) % SIZE
            bar = frame[place] if label < 2 else frame[:, place]
            bar += 1.0
    return films, labels


x_train, y_train = make_films(256, seed=0)
x_test, y_test = make_films(64, seed=1)


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.GRU):
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


class Look(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.max_pooling = nn.MaxPool2d((2, 2))
        self.dense = nn.Linear(5 * 5 * 8, 16)
        self.apply(init_weights)

    def forward(self, frame):
        x = F.relu(self.conv(frame.permute(0, 3, 1, 2)))  # NHWC -> NCHW
        x = self.max_pooling(x)
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return F.relu(self.dense(x))


look = Look()


class Model(L.LightningModule):
    def __init__(self, look):
        super().__init__()
        self.look = look
        self.gru = nn.GRU(SIZE, 8, batch_first=True)
        self.lstm = nn.LSTM(16 + 8, 16, batch_first=True)
        self.dense = nn.Linear(16, CLASSES)
        for layer in (self.gru, self.lstm, self.dense):
            layer.apply(init_weights)

    def forward(self, films):
        seen = self.look(films.flatten(0, 1)).unflatten(0, (-1, FRAMES))
        rows = films.flatten(1).unflatten(1, (FRAMES, SIZE, SIZE))
        rows = self.gru(rows.flatten(0, 1))[0][:, -1].unflatten(0, (-1, FRAMES))
        x = torch.cat([seen, rows], 2)
        x = self.lstm(x)[0][:, -1]
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
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


model = Model(look)

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
results = trainer.test(model, make_loader(x_test, y_test), verbose=False)
loss, accuracy = results[0].values()
print(f"accuracy: {accuracy:.3f}")
