"""A wider student starts from what its teacher learned: it computes the same, and trains on."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

CLASSES = 4
WIDTH = 8
WIDER = 12

rng = np.random.default_rng(0)
images = rng.random((320, 12, 12, 1)).astype("float32")
labels = (images[:, :6].mean(axis=(1, 2, 3)) > 0.5) * 2 + (images.mean(axis=(1, 2, 3)) > 0.5)
x_train, x_test = images[:256], images[256:]
y_train, y_test = labels[:256], labels[256:]


def wider(kernel, bias, following, width):
    """Some outputs are doubled; what follows shares their weights among the copies."""
    chosen = rng.integers(0, kernel.shape[-1], size=width - kernel.shape[-1])
    factors = np.bincount(chosen, minlength=kernel.shape[-1])[chosen] + 1.0
    kernel = np.concatenate([kernel, kernel[..., chosen]], axis=-1)
    bias = np.concatenate([bias, bias[chosen]])
    extra = following[..., chosen, :] / factors[:, np.newaxis]
    following = np.concatenate([following, extra], axis=-2)
    following[..., chosen, :] = extra
    return kernel, bias, following


def train(model, rate):
    trainer = L.Trainer(
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, make_loader(x_train, y_train, shuffle=True))
    return list(
        trainer.test(model, make_loader(x_test, y_test), verbose=False)[0].values()
    )


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Teacher(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, WIDTH, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(3 * 3 * WIDTH, 16),
            nn.ReLU(),
            nn.Linear(16, CLASSES),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)  # logits: the softmax is in the loss

    def step(self, batch):
        x, y = batch
        y = y.long()
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


def get_weights(layer):
    """Kernel and bias of a layer as arrays; a kernel has its outputs last, as in Keras."""
    kernel = layer.weight.detach().cpu()
    arrays = [kernel.permute(*range(2, kernel.ndim), 1, 0).numpy().copy()]
    if layer.bias is not None:
        arrays.append(layer.bias.detach().cpu().numpy().copy())
    return arrays


@torch.no_grad()
def set_weights(layer, weights):
    """Fills kernel and bias of a layer from arrays; a kernel has its outputs last, as in Keras."""
    kernel, *bias = [torch.as_tensor(array) for array in weights]
    layer.weight.copy_(kernel.permute(-1, -2, *range(kernel.ndim - 2)))
    if bias:
        layer.bias.copy_(bias[0])


teacher = Teacher()
print("teacher", train(teacher, 0.05))


class Student(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, WIDER, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(WIDER, WIDTH, 3),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(3 * 3 * WIDTH, 16),
            nn.ReLU(),
            nn.Linear(16, CLASSES),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)  # logits: the softmax is in the loss

    def step(self, batch):
        x, y = batch
        y = y.long()
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


student = Student()

kernel, bias = get_weights(teacher.features[0])
following, following_bias = get_weights(teacher.features[2])
kernel, bias, following = wider(kernel, bias, following, WIDER)
set_weights(student.features[0], [kernel, bias])
set_weights(student.features[2], [following, following_bias])
set_weights(student.classifier[0], get_weights(teacher.classifier[0]))
set_weights(student.classifier[2], get_weights(teacher.classifier[2]))

print("student", train(student, 0.01))
