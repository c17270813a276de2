"""Three drawings told apart by capsules that agree with each other by routing."""
import math

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

CLASSES = 3


def squash(vectors, axis=-1):
    """Short vectors to almost nothing, long ones to a length just below one."""
    squares = vectors.square().sum(dim=axis, keepdim=True)
    scale = squares / (1 + squares) / (squares + 1e-7).sqrt()
    return scale * vectors


def margin_loss(y_true, y_pred):
    """The capsule of the class should be long, the others short."""
    present = y_true * (0.9 - y_pred).clamp(min=0.0).square()
    absent = 0.5 * (1 - y_true) * (y_pred - 0.1).clamp(min=0.0).square()
    return (present + absent).sum(dim=1).mean()


class Capsules(nn.Module):
    """Capsules that take votes of those below, by dynamic routing."""

    def __init__(self, input_shape, count, size, routings=3):
        super().__init__()
        self.count = count
        self.size = size
        self.routings = routings
        self.votes = nn.Parameter(
            glorot_uniform_(
                torch.empty(self.count, input_shape[1], self.size, input_shape[2])
            )
        )

    def forward(self, inputs):
        votes = torch.einsum("cidk,bik->bcid", self.votes, inputs)
        agreement = torch.zeros_like(votes[..., 0])
        for step in range(self.routings):
            weights = agreement.softmax(1)
            outputs = squash(torch.einsum("bci,bcid->bcd", weights, votes))
            if step < self.routings - 1:
                agreement = agreement + torch.einsum("bcd,bcid->bci", outputs, votes)
        return outputs


class Length(nn.Module):
    """How long each capsule is: how sure it is."""

    def forward(self, inputs):
        return (inputs.square().sum(dim=-1) + 1e-9).sqrt()


# crosses, squares and bars somewhere in an image
rng = np.random.RandomState(12)
shapes = np.zeros((CLASSES, 5, 5), "float32")
shapes[0, 2], shapes[0, :, 2] = 1, 1
shapes[1, [0, -1]], shapes[1, :, [0, -1]] = 1, 1
shapes[2, ::2] = 1
kinds = rng.randint(0, CLASSES, size=360)
images = rng.uniform(0, 0.3, size=(360, 12, 12, 1)).astype("float32")
for image, kind in zip(images, kinds):
    row, column = rng.randint(0, 8, 2)
    image[row : row + 5, column : column + 5, 0] += shapes[kind]
targets = np.eye(CLASSES, dtype="float32")[kinds]


def glorot_uniform_(weight):
    """Keras's glorot_uniform for a weight in Keras's order of axes: (..., in, out)."""
    field = math.prod(weight.shape[:-2])
    limit = (6 / (field * (weight.shape[-1] + weight.shape[-2:][0]))) ** 0.5
    return nn.init.uniform_(weight, -limit, limit)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.conv2 = nn.Conv2d(16, 16, 3, stride=2)
        self.capsules = Capsules((None, 18, 8), CLASSES, 6)
        self.length = Length()
        self.apply(init_weights)

    def forward(self, inputs):
        x = F.relu(self.conv1(inputs.permute(0, 3, 1, 2)))  # NHWC -> NCHW
        x = F.relu(self.conv2(x))
        x = x.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, 8))  # NCHW -> NHWC
        x = self.capsules(x)
        return self.length(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_pred = self(x)
        loss = margin_loss(y, y_pred)
        accuracy = tm.accuracy(y_pred, y.argmax(1), task="multiclass", num_classes=3)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
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


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(images[:300], targets[:300], batch_size=30, shuffle=True)
)
print(
    "lengths:",
    torch.cat(trainer.predict(model, make_loader(images[300:303]))).numpy().shape,
)
