"""Small images, with Lambda layers between the convolutions."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

x_train = np.random.default_rng(0).normal(size=(200, 12, 12, 3)).astype("float32")
y_train = np.random.default_rng(1).integers(0, 3, 200)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same")
        self.conv2 = nn.Conv2d(2, 8, 3)
        self.dense = nn.Linear(8, 3)
        self.apply(init_weights)

    def forward(self, x):
        x = self.conv((x / 2.0 - 0.1).permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x * x.sigmoid()
        # the strongest of each pixel beside its mean
        x = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], 1)
        x = self.conv2(x)
        return self.dense(x.mean(dim=(2, 3)))  # logits: the softmax is in the loss

    def step(self, batch):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=3)
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, batch_size=16, shuffle=True))

print("images of each kind:", np.bincount(y_train))
results = trainer.test(model, make_loader(x_train, y_train), verbose=False)
loss, accuracy = results[0].values()
print(f"loss {loss:.4f}")
print(f"accuracy {accuracy:.4f}")
