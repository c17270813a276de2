"""Small shapes of four colours: a residual network whose blocks are classes."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader


class ResBlock(nn.Module):
    def __init__(self, in_features, filters, strides=1, project=False):
        super().__init__()
        self.project = project
        self.conv1 = SameConv2d(in_features, filters, 3, stride=strides, bias=False)
        self.bn1 = BatchNorm2d(filters, eps=1e-3, momentum=0.01)
        self.conv2 = nn.Conv2d(filters, filters, 3, bias=False, padding="same")
        self.bn2 = BatchNorm2d(filters, eps=1e-3, momentum=0.01)
        if project:
            self.shortcut = nn.Conv2d(in_features, filters, 1, stride=strides)

    def forward(self, inputs):
        x = F.relu(self.bn1(self.conv1(inputs.permute(0, 3, 1, 2))).permute(0, 2, 3, 1))
        x = self.bn2(self.conv2(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        if self.project:
            inputs = self.shortcut(inputs.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return F.relu(x + inputs)


class ResNet(nn.Module):
    def __init__(self, in_features, num_classes):
        super().__init__()
        self.stem = nn.Conv2d(in_features, 8, 3, padding="same")
        self.blocks = nn.ModuleList()
        before = 8
        for filters, strides, project in [(8, 1, False), (16, 2, True), (16, 1, False)]:
            self.blocks.append(ResBlock(before, filters, strides, project))
            before = filters
        self.head = nn.Linear(16, num_classes)

    def forward(self, x):
        x = self.stem(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((1, 2)))


rng = np.random.RandomState(1)
colour = rng.randint(0, 4, 240)
x = rng.uniform(0, 0.5, size=(240, 16, 16, 3)).astype("float32")
palette = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
for image, label in zip(x, colour):
    row, column = rng.randint(0, 10, 2)
    image[row : row + 6, column : column + 6] += 0.5 * palette[label]


class SameConv2d(nn.Conv2d):
    """Conv2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)
        h, w = [max((k - 1) * d + 1 - s + -n % s, 0) for n, k, s, d in sizes]
        return super().forward(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2)))


class BatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class LitResNet(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = ResNet(3, 4)
        self.apply(init_weights)

    def forward(self, x):
        return self.model(x)

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=4)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = LitResNet()
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:200], colour[:200], batch_size=25, shuffle=True),
    make_loader(x[200:], colour[200:], batch_size=25),
)
