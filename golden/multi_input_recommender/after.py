"""Ratings of films: an embedding for each user and each film, and a small network on both."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

N_USERS = 60
N_FILMS = 40
DIM = 8
BATCH_SIZE = 32
EPOCHS = 4

# synthetic tastes
rng = np.random.default_rng(0)
tastes = rng.normal(size=(N_USERS, 3))
genres = rng.normal(size=(N_FILMS, 3))
users = rng.integers(0, N_USERS, 500)
films = rng.integers(0, N_FILMS, 500)
year = rng.normal(size=(500, 1))
ratings = ((tastes[users] * genres[films]).sum(axis=1) > 0).astype("float32")


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Recommender(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.users = nn.Embedding(N_USERS, DIM)
        self.films = nn.Embedding(N_FILMS, DIM)
        self.dense1 = nn.Linear(DIM + DIM + DIM + 1, 16)
        self.dense2 = nn.Linear(16, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        user, film, release = inputs
        user_vector = self.users(user).flatten(1)
        film_vector = self.films(film).flatten(1)
        # how well they go together, and what else is known
        match = user_vector * film_vector
        x = torch.cat([match, user_vector, film_vector, release], 1)
        x = F.relu(self.dense1(x))
        return self.dense2(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).sigmoid()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    n = len(parts[0][0] if isinstance(parts[0], (list, tuple)) else parts[0])
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Recommender()

split = int(len(users) * (1 - 0.2))
history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        [users[:split, None], films[:split, None], year.astype("float32")[:split]],
        ratings[:split],
        batch_size=BATCH_SIZE,
        shuffle=True,
    ),
    make_loader(
        [users[split:, None], films[split:, None], year.astype("float32")[split:]],
        ratings[split:],
        batch_size=BATCH_SIZE,
    ),
)
print("last val_loss:", history.history["val_loss"][-1])

results = trainer.test(
    model,
    make_loader([users[:, None], films[:, None], year.astype("float32")], ratings),
    verbose=False,
)
loss, accuracy = results[0].values()
print(f"loss {loss:.4f}, accuracy {accuracy:.4f}")

# the best films for the first user
candidates = np.arange(N_FILMS)
scores = torch.cat(
    trainer.predict(
        model,
        make_loader(
            [
                np.zeros(N_FILMS).astype("int64")[:, None],
                candidates[:, None],
                np.zeros((N_FILMS, 1)).astype("float32"),
            ]
        ),
    )
).numpy()
print("best:", scores[:, 0].argsort()[::-1][:5])
