# Classify small photos of coloured shapes.
# Same model in Keras and PyTorch should give the same accuracy, shouldn't it?
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn
from torch.utils.data import DataLoader, Dataset

np.random.seed(42)
L.seed_everything(42)

CLASSES = ['square', 'cross', 'frame']
IMG_SIZE = 28
BATCH_SIZE = 32
EPOCHS = 3


def draw(label):
    img = np.random.randint(0, 60, size=(IMG_SIZE, IMG_SIZE, 3))
    r, c = np.random.randint(2, IMG_SIZE - 12, size=2)
    color = np.random.randint(60, 110, size=3)
    color[label] += 80  # squares tend to be red, crosses green, frames blue
    if label == 0:  # filled square
        img[r:r + 10, c:c + 10] += color
    elif label == 1:  # cross
        img[r + 3:r + 7, c:c + 10] += color
        img[r:r + 10, c + 3:c + 7] += color
    else:  # frame
        img[r:r + 10, c:c + 10] += color
        img[r + 3:r + 7, c + 3:c + 7] -= color
    return np.clip(img, 0, 255).astype(np.uint8)


labels = np.random.choice(len(CLASSES), size=460, p=[0.5, 0.3, 0.2])
images = np.stack([draw(label) for label in labels])
print('images:', images.shape, images.dtype, 'per class:', np.bincount(labels))


def stratified_split(y, test_fraction):
    """Indices of train and test with the same share of every class."""
    train_idx, test_idx = [], []
    for cls in np.unique(y):
        idx = np.random.permutation(np.where(y == cls)[0])
        n_test = int(round(len(idx) * test_fraction))
        test_idx.extend(idx[:n_test])
        train_idx.extend(idx[n_test:])
    return np.random.permutation(train_idx), np.array(test_idx)


train_idx, test_idx = stratified_split(labels, 0.2)
one_hot = np.eye(len(CLASSES), dtype='float32')[labels]


class ImageGenerator(Dataset):
    def __init__(self, x_set, y_set, batch_size):
        self.x, self.y = x_set, y_set
        self.batch_size = batch_size

    def __len__(self):
        return int(np.ceil(len(self.x) / self.batch_size))

    def __getitem__(self, idx):
        batch_x = self.x[idx * self.batch_size:(idx + 1) * self.batch_size]
        batch_y = self.y[idx * self.batch_size:(idx + 1) * self.batch_size]
        return np.asarray(batch_x * (1. / 255), dtype="float32"), batch_y


train_gen = ImageGenerator(images[train_idx], one_hot[train_idx], BATCH_SIZE)
test_gen = ImageGenerator(images[test_idx], one_hot[test_idx], BATCH_SIZE)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d((2, 2)),
            nn.Conv2d(8, 16, 3, padding="same"),
            nn.ReLU(),
            nn.MaxPool2d((2, 2)),
            nn.Conv2d(16, 16, 3),
            nn.ReLU(),
            # 5 x 5 -> 2 x 2
            nn.MaxPool2d((2, 2)),
        )
        self.classifier = nn.Sequential(
            nn.Linear(2 * 2 * 16, 32),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(32, len(CLASSES)),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.classifier(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(
            logits, y.argmax(1), task="multiclass", num_classes=len(CLASSES)
        )
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model()
print(ModelSummary(model))

history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    DataLoader(train_gen, batch_size=None, shuffle=True),
    DataLoader(test_gen, batch_size=None),
)
print('best val accuracy: %.3f' % max(history.history['val_accuracy']))

results = trainer.test(model, DataLoader(test_gen, batch_size=None), verbose=False)
loss, acc = results[0].values()
print('Test loss: %.4f  accuracy: %.4f' % (loss, acc))

y_pred = (
    torch.cat(trainer.predict(model, DataLoader(test_gen, batch_size=None)))
    .numpy()
    .argmax(axis=1)
)
y_true = labels[test_idx]
confusion = np.zeros((len(CLASSES), len(CLASSES)), dtype=int)
for t, p in zip(y_true, y_pred):
    confusion[t, p] += 1
print(confusion)
for i, name in enumerate(CLASSES):
    print(f'{name:8s} recall {confusion[i, i] / confusion[i].sum():.3f}')
