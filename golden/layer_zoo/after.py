"""One network with many kinds of layers: does every one of them survive the move?"""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.modules.utils import _pair
from torch.utils.data import DataLoader

N_CLASSES = 3
SIZE = 8

# --- data: the position of a blob, with a second channel that repeats it mirrored ---
rng = np.random.default_rng(17)
y = rng.integers(0, N_CLASSES, size=420)
images = rng.normal(scale=0.3, size=(420, SIZE, SIZE, 2)).astype("float32")
for i, label in enumerate(y):
    images[i, 1 + 2 * label : 3 + 2 * label, 2:5, 0] += 1.0
    images[i, 2:5, 1 + 2 * label : 3 + 2 * label, 1] -= 1.0
x_train, y_train = images[:300], y[:300]
x_test, y_test = images[300:], y[300:]


class SameMaxPool2d(nn.MaxPool2d):
    """MaxPool2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], _pair(self.kernel_size), _pair(self.stride))
        h, w = [max(k - s + -n % s, 0) for n, k, s in sizes]
        return super().forward(
            F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2), value=-torch.inf)
        )


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases, zero slopes."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.PReLU):
        nn.init.zeros_(module.weight)


class Zoo(L.LightningModule):
    def __init__(self):
        super().__init__()
        # one row above, one column at the right
        self.pad = nn.ZeroPad2d((0, 1, 1, 0))
        self.stem = nn.Conv2d(2, 6, 3)
        self.stem_norm = nn.LayerNorm(6, eps=1e-4)
        self.stem_act = nn.LeakyReLU(0.2)
        # two views of the same features
        self.left = nn.Conv2d(6, 8, 1)
        self.left_act = nn.ELU(alpha=0.7)
        self.right = nn.Conv2d(6, 8, 3, padding="same")
        self.right_act = nn.PReLU(8)
        # down and up again
        self.down = SameMaxPool2d(3, stride=2)
        self.squeeze = nn.Conv2d(8 + 8 + 8 + 8, 12, 1)
        self.up = nn.Upsample(scale_factor=2)
        self.rows_norm = nn.LayerNorm(3, eps=1e-3)
        # on the last axis
        self.mix = nn.Linear(3, 5)
        self.scores = nn.Linear(4 * 5 + 8 + 8 + 8 + 8, N_CLASSES)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.pad(inputs.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = self.stem(x)
        x = self.stem_norm(x.permute(0, 2, 3, 1))  # NCHW -> NHWC
        x = self.stem_act(x)
        left = self.left(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        left = self.left_act(left)
        right = self.right(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        right = self.right_act(right)
        # all ways to merge them
        product = left * right
        mean = (left + right) / 2
        largest = torch.where(left >= right, left, right)
        difference = left - right
        merged = torch.cat([product, mean, largest, difference], 1)
        down = self.down(merged)
        down = F.relu(self.squeeze(down))
        up = self.up(down)
        # as a short sequence of vectors
        pooled = up.amax((2, 3))
        rows = pooled.unflatten(1, (4, 3))
        rows = self.rows_norm(rows)
        rows = self.mix(rows)
        flat = rows.flatten(1)
        context = merged.mean((2, 3))
        features = torch.cat([flat, context], 1)
        return self.scores(features)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=N_CLASSES)
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
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=2e-3, eps=1e-7)

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


model = Zoo()
print("output shape:", (None, 3))

trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x_train, y_train, shuffle=True), make_loader(x_test, y_test)
)

results = trainer.test(model, make_loader(x_test, y_test), verbose=False)
loss, accuracy = results[0].values()
print(f"test: loss {loss:.4f}, accuracy {accuracy:.4f}")
print(np.round(torch.cat(trainer.predict(model, make_loader(x_test[:4]))).numpy(), 3))
