"""Small all-convolutional network with batch normalization on 16x16 textures."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

N_CLASSES = 4
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5


def make_textures(n, seed):
    """Stripes in four directions with a random phase; labels come as a column, as in CIFAR-10."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_CLASSES, size=(n, 1))
    rows, cols = np.mgrid[0:16, 0:16]
    waves = np.stack([rows, cols, rows + cols, rows - cols]) * 0.9
    phase = rng.uniform(0, 2 * np.pi, size=(n, 1, 1))
    images = np.sin(waves[labels[:, 0]] + phase) + rng.normal(scale=0.4, size=(n, 16, 16))
    return images[..., np.newaxis].astype("float32"), labels


x_train, y_train = make_textures(330, seed=0)
x_val, y_val = make_textures(100, seed=1)
print(x_train.shape, y_train.shape)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        # 16 x 16
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, (3, 3), bias=False, padding="same"),
            nn.BatchNorm2d(8, eps=BN_EPSILON, momentum=1 - BN_MOMENTUM),
            nn.ReLU(),
            # 8 x 8: "same" with a stride pads one row at the bottom only
            # Keras's "same" pads more on the far side
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(8, 16, (3, 3), stride=(2, 2), bias=False),
            nn.BatchNorm2d(16, eps=BN_EPSILON, momentum=1 - BN_MOMENTUM),
            nn.ReLU(),
            # 4 x 4
            nn.AvgPool2d((2, 2)),
            nn.Conv2d(16, 16, (3, 3), bias=False, padding="same"),
            nn.BatchNorm2d(16, eps=BN_EPSILON, momentum=1 - BN_MOMENTUM),
            nn.ReLU(),
        )
        self.dense = nn.Linear(16, N_CLASSES)
        self.apply(init_weights)
        self.features[9].weight.requires_grad_(False)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        return self.dense(x.mean((2, 3)))  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        y = y.squeeze(-1)
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=N_CLASSES)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.005, momentum=0.9, nesterov=True)


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


model = Model()

hist = History()
trainer = L.Trainer(
    max_epochs=4,
    callbacks=[hist],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x_train, y_train, shuffle=True), make_loader(x_val, y_val)
)

for epoch, (loss, val_loss) in enumerate(zip(hist.history["loss"], hist.history["val_loss"])):
    print("epoch {}: loss {:.4f} val_loss {:.4f}".format(epoch + 1, loss, val_loss))

classes = np.argmax(
    torch.cat(trainer.predict(model, make_loader(x_val))).numpy(), axis=-1
)
print("validation accuracy by hand:", np.mean(classes == y_val.ravel()))
