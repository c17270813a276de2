"""Classifies photographs with a small head on the convolutions of VGG16."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models import vgg16

IMAGE_SIZE = 48
NUM_CLASSES = 4


def preprocess_input(images):
    """BGR, less the mean of ImageNet."""
    return np.asarray(images, dtype="float32")[..., ::-1] - np.float32(
        [103.939, 116.779, 123.68]
    )


rng = np.random.default_rng(0)
labels = rng.integers(0, NUM_CLASSES, 96)
images = rng.uniform(0, 255, (96, IMAGE_SIZE, IMAGE_SIZE, 3))
images[np.arange(96), 8 * labels] = 255  # a bright row for each class
train_images, test_images = preprocess_input(images[:80]), preprocess_input(images[80:])


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class ConvBase(nn.Module):
    def __init__(self):
        super().__init__()
        # only the head and the last block are trained
        self.vgg16 = vgg16().features
        self.apply(init_weights)

    def forward(self, x):
        x = self.vgg16(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        return x.permute(0, 2, 3, 1)


# only the head and the last block are trained
conv_base = ConvBase()
conv_base.vgg16[:22].requires_grad_(False)


class Model(L.LightningModule):
    def __init__(self, conv_base):
        super().__init__()
        self.conv_base = conv_base
        self.classifier = nn.Sequential(
            nn.Linear(512, 32),
            nn.ReLU(),
            nn.Linear(32, NUM_CLASSES),
        )
        self.classifier.apply(init_weights)

    def forward(self, x):
        x = self.conv_base(x)
        return self.classifier(x.flatten(1))  # logits: the softmax is in the loss

    def step(self, batch):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=NUM_CLASSES)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-4, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model(conv_base)
history = History()
trainer = L.Trainer(
    max_epochs=4,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(train_images, labels[:80], batch_size=16, shuffle=True))
print(history.history["loss"])
print(
    list(
        trainer.test(model, make_loader(test_images, labels[80:]), verbose=False)[
            0
        ].values()
    )
)
