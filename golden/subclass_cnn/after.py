"""Textures in small images: a convolutional network as a class, with attention over channels."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader


class SqueezeExcite(nn.Module):
    """Channels are weighted by what is in the whole image."""

    def __init__(self, in_features, ratio=4):
        super().__init__()
        self.ratio = ratio
        channels = in_features
        self.squeeze = nn.Linear(in_features, channels // self.ratio)
        self.excite = nn.Linear(channels // self.ratio, channels)

    def forward(self, x):
        return (
            x
            * self.excite(F.relu(self.squeeze(x.mean((1, 2), keepdim=True)))).sigmoid()
        )


class Textures(nn.Module):
    def __init__(self, in_features, filters=8, classes=3):
        super().__init__()
        self.conv1 = nn.Conv2d(in_features, filters, 3, padding="same")
        self.attend = SqueezeExcite(filters)
        self.pool = nn.MaxPool2d((2, 2))
        self.conv2 = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(filters, 2 * filters, 3, stride=2)
        )
        self.norm = BatchNorm2d(2 * filters, eps=1e-3, momentum=0.01)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(3 * 3 * 2 * filters, classes)

    def forward(self, inputs):
        x = F.relu(self.conv1(inputs.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        x = self.attend(x)
        x = self.pool(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = F.relu(self.norm(self.conv2(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1))
        x = self.dropout(x.flatten(1))
        return self.head(x)


rng = np.random.RandomState(1)
kind = rng.randint(0, 3, size=360)
images = rng.uniform(size=(360, 12, 12, 1)).astype("float32")
images[kind == 1, ::2] += 0.5
images[kind == 2, :, ::3] += 0.5


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
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class LitTextures(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Textures(1)
        self.apply(init_weights)
        self.model.eval()  # as Keras 3 trains it: its call takes no training

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=3)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

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


model = LitTextures()
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(images, kind, batch_size=30, shuffle=True))
