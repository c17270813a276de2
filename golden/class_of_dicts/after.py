import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

class Ranker(nn.Module):
    """The score of an item for a user, and whether it will be clicked."""

    def __init__(self, users, items, width=8):
        super().__init__()
        self.user = nn.Embedding(users, width)
        self.item = nn.Embedding(items, width)
        self.hidden = nn.Linear(17, 16)
        self.score = nn.Linear(16, 1)
        self.click = nn.Linear(16, 1)

    def forward(self, inputs):
        u = self.user(inputs["user"])
        v = self.item(inputs["item"])
        x = torch.cat([u, v, inputs["price"]], -1)
        x = F.relu(self.hidden(x))
        return self.score(x), self.click(x).sigmoid()

rng = np.random.default_rng(0)
data = {
    "user": rng.integers(0, 50, 480),
    "item": rng.integers(0, 80, 480),
    "price": rng.random((480, 1)).astype("float32"),
}
score = rng.random((480, 1)).astype("float32")
click = rng.integers(0, 2, (480, 1)).astype("float32")


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class LitRanker(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Ranker(50, 80)
        self.apply(init_weights)

    def forward(self, inputs):
        return self.model(inputs)

    def training_step(self, batch, batch_idx):
        x, y = batch
        output_1, output_2 = self(x)
        output_1_true = y[0]
        output_2_true = y[1]
        mse_loss = F.mse_loss(output_1, output_1_true)
        binary_crossentropy_loss = F.binary_cross_entropy(
            output_2.clamp(1e-7, 1 - 1e-7), output_2_true
        )
        loss = 1.0 * mse_loss + 0.2 * binary_crossentropy_loss
        mae = F.l1_loss(output_1, output_1_true)
        accuracy = ((output_2 > 0.5) == output_2_true).float().mean()
        logs = {"loss": loss, "mae": mae, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the plain mean of the batches
        parts = {
            "mse_loss": mse_loss,
            "binary_crossentropy_loss": binary_crossentropy_loss,
        }
        self.log_dict(parts, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: dicts, lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, dict):
            return {k: cut(rows, inner) for k, inner in part.items()}
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    first = parts[0]
    while isinstance(first, (dict, list, tuple)):
        first = next(iter(first.values() if isinstance(first, dict) else first))
    return DataLoader(range(len(first)), batch_size, shuffle, collate_fn=cut)


model = LitRanker()
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(data, [score, click], batch_size=64, shuffle=True))
scores, clicks = [
    torch.cat(output).numpy()
    for output in zip(*trainer.predict(model, make_loader(data)))
]
print(scores[:3], clicks[:3])
