"""Feature extraction, then fine-tuning, on DenseNet121."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader
from torchvision.models import densenet121
from torchvision.transforms.v2 import Normalize

IMAGE_SHAPE = (40, 40, 3)

rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 64).astype("float32")
images = rng.uniform(0, 255, (64, *IMAGE_SHAPE)).astype("float32")
images[:, :8] += 60 * labels[:, None, None, None]


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class BaseModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.densenet121 = nn.Sequential(densenet121().features, nn.ReLU())
        self.apply(init_weights)

    def forward(self, x):
        x = self.densenet121(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        return x.permute(0, 2, 3, 1)


base_model = BaseModel()
base_model.requires_grad_(False)


class Model(L.LightningModule):
    def __init__(self, base_model):
        super().__init__()
        # its BatchNormalization stays in inference mode
        self.base_model = base_model
        self.preprocess = Normalize([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
        self.dropout = nn.Dropout(0.2)
        self.dense = nn.Linear(1024, 1)
        self.learning_rate = 1e-3
        self.dense.apply(init_weights)
        self.base_model.eval()  # called with training=False

    def forward(self, inputs):
        x = self.preprocess(inputs.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = self.base_model(x.permute(0, 2, 3, 1))
        x = x.mean((1, 2))
        x = self.dropout(x)
        return self.dense(x)  # logits: the sigmoid is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, eps=1e-7)

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


model = Model(base_model)

trainer = L.Trainer(
    max_epochs=5,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(images, labels, batch_size=16, shuffle=True))

# all of it, slowly
base_model.requires_grad_(True)
model.learning_rate = 1e-5
trainer = L.Trainer(
    max_epochs=1,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(images, labels, batch_size=16, shuffle=True))
