"""Which way do the stripes run? Images that are turned, moved and normalized as they are drawn."""

from dataclasses import dataclass

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

SIZE = 12
BATCH = 24
EPOCHS = 4


def stripes(n, seed):
    """Bright and dark stripes, upright or lying, somewhere between 0 and 255."""
    rng = np.random.default_rng(seed)
    lying = rng.integers(0, 2, n)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    waves = np.where(lying[:, None, None], rows, columns) + rng.integers(0, 6, (n, 1, 1))
    images = 128 + 80 * np.sin(1.2 * waves) + rng.normal(scale=25, size=(n, SIZE, SIZE))
    return images[..., None].clip(0, 255).astype("uint8"), lying.astype("float32")


x_train, y_train = stripes(240, seed=1)
x_test, y_test = stripes(96, seed=2)


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
    """Images in memory that are transformed at random and normalized, anew for every batch."""

    featurewise_center: bool = False
    samplewise_center: bool = False
    featurewise_std_normalization: bool = False
    samplewise_std_normalization: bool = False
    zca_whitening: bool = False
    zca_epsilon: float = 1e-6
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
    preprocessing_function: object = None

    def fit(self, x):
        """Takes from images what they are normalized by."""
        x = np.asarray(x, dtype="float32") * (self.rescale or 1)
        self.mean, self.std = x.mean((0, 1, 2)), 1
        x = x - self.mean
        if self.featurewise_std_normalization and not self.zca_whitening:
            self.std = x.std((0, 1, 2)) + 1e-6
        if self.zca_whitening:
            u, s, _ = np.linalg.svd(x.reshape(len(x), -1).T, full_matrices=False)
            whitening = (u * np.sqrt(len(x)) / (s + self.zca_epsilon)) @ u.T
            self.whitening = whitening.astype("float32")

    def flow(self, x, y, batch_size=32, shuffle=True):
        """A DataLoader that cuts its batches out of the arrays."""

        def cut(rows):
            return self.transform(x[rows]), torch.as_tensor(y[rows])

        return DataLoader(range(len(x)), batch_size, shuffle, collate_fn=cut)

    def transform(self, images):
        images = np.asarray(images, dtype="float32")
        places = np.stack([draw_places(self, *image.shape[:2]) for image in images])
        images = pick(images, places, self.fill_mode, self.cval).numpy()
        if self.preprocessing_function:
            images = np.stack([self.preprocessing_function(image) for image in images])
        images = images * np.float32(self.rescale or 1)
        if self.samplewise_center or self.samplewise_std_normalization:
            images = images - images.mean((1, 2, 3), keepdims=True)
        if self.samplewise_std_normalization:
            images = images / (images.std((1, 2, 3), keepdims=True) + 1e-6)
        centered = self.featurewise_center or self.featurewise_std_normalization
        if centered or self.zca_whitening:
            images = (images - self.mean) / self.std
        if self.zca_whitening:
            images = (images.reshape(len(images), -1) @ self.whitening).reshape(
                images.shape
            )
        return torch.from_numpy(images)


train_gen = ImageDataGenerator(
    rescale=1.0 / 255,
    featurewise_center=True,
    featurewise_std_normalization=True,
    rotation_range=15,  # degrees
    width_shift_range=0.1,
    height_shift_range=0.2,
    shear_range=5.0,
    zoom_range=[0.9, 1.2],
    horizontal_flip=True,
    fill_mode="constant",
    cval=128.0,
)
test_gen = ImageDataGenerator(
    rescale=1.0 / 255,
    featurewise_center=True,
    featurewise_std_normalization=True,
)
train_gen.fit(x_train)
test_gen.fit(x_train)
test_flow = test_gen.flow(x_test, y_test, batch_size=BATCH, shuffle=False)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.ReLU(),
            nn.MaxPool2d((2, 2)),
            nn.Conv2d(8, 8, 3),
            nn.ReLU(),
        )
        self.dense = nn.Linear(8, 1)
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        return self.dense(x.mean((2, 3)))  # logits: the sigmoid is in the loss

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

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model()

history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, train_gen.flow(x_train, y_train, batch_size=BATCH), test_flow)
print(history.history["val_loss"])

loss, accuracy = trainer.test(model, test_flow, verbose=False)[0].values()
print(f"{accuracy:.0%} of the test images are told apart")
