"""Patterns on a grid of patches: an MLP-Mixer, its blocks layers of their own."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

PATCH = 4
CLASSES = 4


class Patches(nn.Module):
    """Cuts images into patches, one after the other in a sequence."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, images):
        batch = images.shape[0]
        rows, columns, channels = images.shape[1:]
        high, wide = rows // self.size, columns // self.size
        x = images.reshape(batch, high, self.size, wide, self.size * channels)
        x = x.permute(0, 1, 3, 2, 4)
        return x.reshape(batch, high * wide, self.size * self.size * channels)


class MixerBlock(nn.Module):
    """Mixes what is at one place of all patches, then what is in each patch."""

    def __init__(self, in_features, patches, width, hidden, rate=0.1):
        super().__init__()
        self.norm1 = nn.LayerNorm(in_features, eps=1e-6)
        self.norm2 = nn.LayerNorm(in_features, eps=1e-6)
        self.across = nn.Sequential(
            nn.Linear(16, hidden),
            nn.GELU(),
            nn.Dropout(rate),
            nn.Linear(hidden, patches),
        )
        self.within = nn.Sequential(
            nn.Linear(in_features, hidden),
            nn.GELU(),
            nn.Dropout(rate),
            nn.Linear(hidden, width),
        )

    def forward(self, inputs):
        x = self.norm1(inputs).permute(0, 2, 1)
        x = self.across(x)
        x = inputs + x.permute(0, 2, 1)
        return x + self.within(self.norm2(x))


rng = np.random.RandomState(0)
kind = rng.randint(0, CLASSES, size=420)
images = rng.uniform(0, 0.6, size=(420, 16, 16, 3)).astype("float32")
for number in range(CLASSES):
    row, column = divmod(number, 2)
    images[kind == number, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 0.2


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.patches = Patches(PATCH)
        self.dense1 = nn.Linear(48, 24)
        mixer_blocks = []
        for _ in range(2):
            mixer_blocks.append(MixerBlock(24, 16, 24, hidden=32))
        self.mixer_blocks = nn.Sequential(*mixer_blocks)
        self.norm = nn.LayerNorm(24, eps=1e-6)
        self.dense2 = nn.Linear(24, CLASSES)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.patches(inputs)
        x = self.dense1(x)
        x = self.mixer_blocks(x)
        x = self.norm(x)
        x = x.mean(1)
        return self.dense2(x)  # logits: the softmax is in the loss

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
        return torch.optim.Adam(self.parameters(), lr=0.003, eps=1e-7)

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


model = Model()
split = int(len(images[:360]) * (1 - 0.1))
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(images[:360][:split], kind[:360][:split], batch_size=30, shuffle=True),
    make_loader(images[:360][split:], kind[:360][split:], batch_size=30),
)
print(
    "test:",
    list(
        trainer.test(model, make_loader(images[360:], kind[360:]), verbose=False)[
            0
        ].values()
    ),
)
