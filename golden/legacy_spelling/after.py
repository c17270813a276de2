'''Trains a simple convnet on small drawings, in the spelling of 2016.

To be run with tf.keras 2 (pip install tf-keras, TF_USE_LEGACY_KERAS=1).
'''

from __future__ import print_function

import lightning as L
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader
import numpy as np

batch_size = 40
num_classes = 4
nb_epoch = 4

# input image dimensions
img_rows, img_cols = 14, 14

# the data: bars at the left, right, top or bottom edge
rng = np.random.RandomState(1337)


def drawings(n):
    X = rng.randint(0, 150, size=(n, img_rows, img_cols))
    Y = rng.randint(0, num_classes, size=n)
    for image, label in zip(X, Y):
        a = rng.randint(0, 3)
        b = a + 2
        if label == 0:
            image[:, a:b] += 100
        elif label == 1:
            image[:, img_cols - b:img_cols - a] += 100
        elif label == 2:
            image[a:b] += 100
        else:
            image[img_rows - b:img_rows - a] += 100
    return X.astype('uint8'), Y


X_train, y_train = drawings(430)
X_test, y_test = drawings(120)

X_train = X_train.reshape(X_train.shape[0], img_rows, img_cols, 1)
X_test = X_test.reshape(X_test.shape[0], img_rows, img_cols, 1)
input_shape = (img_rows, img_cols, 1)

X_train = X_train.astype('float32')
X_test = X_test.astype('float32')
X_train /= 255
X_test /= 255
print('X_train shape:', X_train.shape)
print(X_train.shape[0], 'train samples')
print(X_test.shape[0], 'test samples')

# convert class vectors to binary class matrices
Y_train = np.eye(num_classes, dtype="float32")[y_train]
Y_test = np.eye(num_classes, dtype="float32")[y_test]


def glorot_normal_(weight):
    """Keras's glorot_normal: variance 2 / (fan_in + fan_out), cut off at two deviations."""
    fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
    std = (2 / (fan_in + fan_out)) ** 0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Conv2d):
        glorot_normal_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, (3, 3)),
            nn.ReLU(),
            nn.Conv2d(8, 8, (3, 3)),
            nn.ReLU(),
            nn.MaxPool2d((2, 2)),
            nn.Dropout(0.25),
        )
        self.classifier = nn.Sequential(
            nn.Linear(5 * 5 * 8, 32),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(32, num_classes),
        )
        self.apply(init_weights)
        nn.init.xavier_uniform_(self.features[2].weight)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        acc = tm.accuracy(
            logits, y.argmax(1), task="multiclass", num_classes=num_classes
        )
        logs = {f"{prefix}loss": loss, f"{prefix}acc": acc}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.Adadelta(self.parameters(), lr=0.7, rho=0.95, eps=1e-7)


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

history = History()
trainer = L.Trainer(
    max_epochs=nb_epoch,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(X_train, Y_train, batch_size=batch_size, shuffle=True),
    make_loader(X_test, Y_test, batch_size=batch_size),
)

# the key depends on the version of Keras
acc_key = 'acc' if 'acc' in history.history else 'accuracy'
for i in range(nb_epoch):
    print('%d  %s %.4f  val_%s %.4f' % (i + 1, acc_key, history.history[acc_key][i],
                                        acc_key, history.history['val_' + acc_key][i]))

score = trainer.test(model, make_loader(X_test, Y_test), verbose=False)
score = list(score[0].values())
print('Test score:', score[0])
print('Test accuracy:', score[1])
