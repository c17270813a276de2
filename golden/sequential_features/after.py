"""A small CNN, then what its inner layers make of images."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

CLASSES = 3
rng = np.random.default_rng(5)
labels = rng.integers(0, CLASSES, 320)
images = rng.normal(0, 0.3, (320, 14, 14, 1)).astype("float32")
images[np.arange(320), 3 + 4 * labels] += 1.0


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
            nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(4 * 4 * 12, 16),
            nn.ReLU(),
            nn.Linear(16, CLASSES),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)  # logits: the softmax is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
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


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


class Extractor(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.conv = model.features[0]
        self.max_pooling = model.features[2]
        self.last_conv = model.features[3]
        self.dropout = model.classifier[0]
        self.features = model.classifier[1]

    def forward(self, x):
        x = F.relu(self.conv(x.permute(0, 3, 1, 2)))  # NHWC -> NCHW
        x = (
            F.relu(self.last_conv(self.max_pooling(x))).permute(0, 2, 3, 1).flatten(1)
        )  # flattened in Keras's order
        return F.relu(self.features(self.dropout(x)))


class Maps(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.conv = model.features[0]
        self.max_pooling = model.features[2]
        self.last_conv = model.features[3]

    def forward(self, x):
        x1 = F.relu(self.conv(x.permute(0, 3, 1, 2)))  # NHWC -> NCHW
        x2 = self.max_pooling(x1)
        x3 = F.relu(self.last_conv(x2))
        return x1.permute(0, 2, 3, 1), x2.permute(0, 2, 3, 1), x3.permute(0, 2, 3, 1)


class Both(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.conv = model.features[0]
        self.max_pooling = model.features[2]
        self.last_conv = model.features[3]
        self.dropout = model.classifier[0]
        self.features = model.classifier[1]
        self.dense = model.classifier[3]

    def forward(self, x):
        x = F.relu(self.conv(x.permute(0, 3, 1, 2)))  # NHWC -> NCHW
        x1 = F.relu(self.last_conv(self.max_pooling(x)))
        x3 = x1.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        x2 = self.dense(F.relu(self.features(self.dropout(x3)))).softmax(-1)
        return x1.permute(0, 2, 3, 1), x2


model = Model()
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(images, labels, shuffle=True))

# features of the images, for another classifier
extractor = Extractor(model)
features = predict(extractor, images).numpy()
print(features.shape, features.mean())

# the maps of the first layers
maps = Maps(model)
for activation in [output.numpy() for output in predict(maps, images[:8])]:
    print(activation.shape, activation.mean())

# class probabilities behind the last convolution's maps
both = Both(model)
last, probabilities = [output.numpy() for output in predict(both, images[:8])]
print(last.shape, probabilities.sum(axis=1))
