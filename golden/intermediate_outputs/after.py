"""Faults of bearings from vibration spectra; what the inner layers see, by class."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

CLASSES = 4
BANDS = 20

rng = np.random.RandomState(21)
fault = rng.randint(0, CLASSES, size=360)
peaks = 2 + 4 * fault[:, None] + rng.randint(-1, 2, size=(360, 1))
spectra = np.exp(-0.3 * (np.arange(BANDS) - peaks) ** 2) + 0.15 * rng.rand(360, BANDS)
spectra = spectra.astype("float32")


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Classifier(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.bands = nn.Linear(BANDS, 32)
        self.dropout = nn.Dropout(0.2)
        self.code = nn.Linear(32, 12)
        self.fault = nn.Linear(12, CLASSES)
        self.apply(init_weights)

    def forward(self, spectrum):
        x = F.relu(self.bands(spectrum))
        x = self.dropout(x)
        x = self.code(x).tanh()
        return self.fault(x)  # logits: the softmax is in the loss

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


class Coder(nn.Module):
    def __init__(self, classifier):
        super().__init__()
        self.bands = classifier.bands
        self.dropout = classifier.dropout
        self.code = classifier.code

    def forward(self, spectrum):
        x = F.relu(self.bands(spectrum))
        x = self.dropout(x)
        return self.code(x).tanh()


class Bands(nn.Module):
    def __init__(self, classifier):
        super().__init__()
        self.bands = classifier.bands

    def forward(self, spectrum):
        return F.relu(self.bands(spectrum))


class Both(nn.Module):
    def __init__(self, classifier):
        super().__init__()
        self.bands = classifier.bands
        self.dropout = classifier.dropout
        self.code = classifier.code
        self.fault = classifier.fault

    def forward(self, spectrum):
        x = F.relu(self.bands(spectrum))
        x = self.dropout(x)
        x = self.code(x).tanh()
        probabilities = self.fault(x).softmax(-1)
        return x, probabilities


classifier = Classifier()
trainer = L.Trainer(
    max_epochs=5,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    classifier, make_loader(spectra[:300], fault[:300], batch_size=30, shuffle=True)
)

# models that share the trained layers and end earlier
coder = Coder(classifier)
codes = predict(coder, spectra[300:]).numpy()
centres = np.stack([codes[fault[300:] == c].mean(axis=0) for c in range(CLASSES)])
print("distance of the first two faults: %.3f" % np.linalg.norm(centres[0] - centres[1]))

bands = Bands(classifier)
active = (predict(bands, spectra[300:]).numpy() > 0).mean(axis=0)
print("units that are never active:", (active == 0).sum())

both = Both(classifier)
code, probability = [output.numpy() for output in predict(both, spectra[300:])]
print(code.shape, "accuracy: %.3f" % (probability.argmax(axis=1) == fault[300:]).mean())
