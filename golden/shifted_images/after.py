"""Rings and crosses, shifted and mirrored at random: an old script with fit_generator."""

from __future__ import print_function

from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

size = 10
batch_size = 16
data_augmentation = True


def shapes(n, seed):
    rng = np.random.RandomState(seed)
    crossed = rng.randint(0, 2, n)
    across, down = np.mgrid[:size, :size] - (size - 1) / 2
    ring = np.abs(np.hypot(across, down) - 3) < 0.8
    cross = (np.abs(across) < 1) | (np.abs(down) < 1)
    images = np.where(crossed[:, None, None], cross, ring) + rng.normal(0, 0.5, (n, size, size))
    return images[..., None].astype('float32'), np.eye(2, dtype="float32")[crossed]


x_train, y_train = shapes(200, 1)
x_test, y_test = shapes(80, 2)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, (3, 3)),
            nn.ReLU(),
            nn.Dropout(0.25),
        )
        self.dense = nn.Linear(8 * 8 * 6, 2)
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y.argmax(1), task="multiclass", num_classes=2)
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
        return torch.optim.SGD(self.parameters(), lr=0.01)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


def draw_motion(ranges, h, w):
    """One image's random motion: a matrix, a shift, and whether it is flipped in x and in y."""

    def draw(limit):
        return np.random.uniform(-limit, limit) if limit else 0.0

    def draw_shift(limit, size):
        if limit and not isinstance(limit, float):  # whole pixels, or a list of them
            return np.random.choice(limit) * np.random.choice([-1, 1])
        return draw(limit) * (size if limit < 1 else 1)

    angle = np.deg2rad(draw(ranges.rotation_range))
    shift = [draw_shift(ranges.height_shift_range, h)]
    shift += [draw_shift(ranges.width_shift_range, w)]
    shear = np.deg2rad(draw(ranges.shear_range))
    limits = ranges.zoom_range
    low, high = limits if np.ndim(limits) else (1 - limits, 1 + limits)
    zoom = np.random.uniform(low, high, 2) if (low, high) != (1, 1) else 1
    flips = (np.random.random(2) < 0.5) & (ranges.horizontal_flip, ranges.vertical_flip)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, -np.sin(shear)], [0, np.cos(shear)]]) * zoom
    return turn @ slant, turn @ shift, flips


def draw_places(ranges, h, w):
    """Where in the old image the pixels of a new one come from: (h, w, 2), x and y."""
    matrix, shift, (flip_x, flip_y) = draw_motion(ranges, h, w)
    x = np.arange(w)[:: -1 if flip_x else 1]
    y = np.arange(h)[:: -1 if flip_y else 1]
    middle = np.array([h, w]) / 2 - 0.5  # tf.keras reads it as x, y; the shift too
    places = np.stack(np.meshgrid(x, y), -1)
    return places @ matrix.T + (shift + middle - matrix @ middle)


def pick(images, places, fill_mode, cval):
    """The images (n, h, w, c) between their pixels; beyond their edges as fill_mode says."""
    last = np.array(images.shape[2:0:-1]) - 1  # of x and y
    outside = (places < 0) | (places > last)
    if fill_mode == "wrap":
        places = np.where(outside, places % last, places)
    grid = torch.from_numpy((2 * places + 1) / (last + 1) - 1)
    pixels = torch.from_numpy(images).double().permute(0, 3, 1, 2)
    padding = "reflection" if fill_mode == "reflect" else "border"
    picked = F.grid_sample(pixels, grid, padding_mode=padding, align_corners=False)
    picked = picked.permute(0, 2, 3, 1).float()
    if fill_mode == "constant":
        picked[torch.from_numpy(outside.any(-1))] = cval
    return picked


@dataclass
class ImageDataGenerator:
    """Images in memory that are moved and flipped at random, anew for every batch."""

    rotation_range: float = 0
    width_shift_range: float = 0.0
    height_shift_range: float = 0.0
    shear_range: float = 0.0
    zoom_range: float = 0.0
    fill_mode: str = "nearest"
    cval: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rescale: float | None = None

    def flow(self, x, y, batch_size=32, shuffle=True):
        """A DataLoader that cuts its batches out of the arrays."""

        def cut(rows):
            return self.transform(x[rows]), torch.as_tensor(y[rows])

        return DataLoader(range(len(x)), batch_size, shuffle, collate_fn=cut)

    def transform(self, images):
        images = np.asarray(images, dtype="float32")
        places = np.stack([draw_places(self, *image.shape[:2]) for image in images])
        images = pick(images, places, self.fill_mode, self.cval)
        return images * self.rescale if self.rescale else images


model = Model()

if not data_augmentation:
    trainer = L.Trainer(
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        model, make_loader(x_train, y_train, batch_size=batch_size, shuffle=True)
    )
else:
    datagen = ImageDataGenerator(
        # randomly shift images horizontally (fraction of total width)
        width_shift_range=0.2,
        # randomly shift images vertically (whole pixels)
        height_shift_range=3,
        horizontal_flip=True,  # randomly flip images
        vertical_flip=True,
    )

    # Fit the model on the batches generated by datagen.flow().
    trainer = L.Trainer(
        max_epochs=3,
        limit_train_batches=len(x_train) // batch_size,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        model,
        datagen.flow(x_train, y_train, batch_size=batch_size),
        make_loader(x_test, y_test),
    )

scores = trainer.test(model, make_loader(x_test, y_test), verbose=False)
scores = list(scores[0].values())
print('Test loss:', scores[0])
print('Test accuracy:', scores[1])
