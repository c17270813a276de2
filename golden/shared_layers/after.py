"""An autoencoder of signals: three models made of the same layers."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

LENGTH = 20
CODE = 5
BATCH_SIZE = 20
EPOCHS = 5

rng = np.random.default_rng(0)
phase = rng.uniform(0, 2 * np.pi, size=(300, 1))
speed = rng.uniform(0.2, 1.0, size=(300, 1))
signals = (np.sin(phase + speed * np.arange(LENGTH)) / 2 + 0.5).astype("float32")


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Autoencoder(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(LENGTH, 12)
        self.code = nn.Linear(12, CODE)
        self.widened = nn.Linear(CODE, 12)
        self.dense2 = nn.Linear(12, LENGTH)
        self.apply(init_weights)

    def forward(self, signal):
        x = F.relu(self.dense1(signal))
        code = self.code(x)
        x = F.relu(self.widened(code))
        return self.dense2(x)  # logits: the sigmoid is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


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


class Encoder(nn.Module):
    def __init__(self, autoencoder):
        super().__init__()
        self.dense = autoencoder.dense1
        self.code = autoencoder.code

    def forward(self, signal):
        x = F.relu(self.dense(signal))
        return self.code(x)


class Inside(nn.Module):
    def __init__(self, autoencoder):
        super().__init__()
        self.dense = autoencoder.dense1
        self.code = autoencoder.code
        self.widened = autoencoder.widened

    def forward(self, signal):
        x = F.relu(self.dense(signal))
        code = self.code(x)
        return F.relu(self.widened(code))


# from a signal to the signal
autoencoder = Autoencoder()
# from a signal to its code
encoder = Encoder(autoencoder)


class Decoder(nn.Module):
    def __init__(self, autoencoder):
        super().__init__()
        self.widened = autoencoder.widened
        self.dense = autoencoder.dense2

    def forward(self, some_code):
        return self.dense(F.relu(self.widened(some_code))).sigmoid()


decoder = Decoder(autoencoder)

trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    autoencoder, make_loader(signals, signals, batch_size=BATCH_SIZE, shuffle=True)
)

codes = predict(encoder, signals[:100]).numpy()
print("error:", np.abs(predict(decoder, codes).numpy() - signals[:100]).mean())

# what goes on inside
inside = Inside(autoencoder)
print("silent units:", (predict(inside, signals).numpy().max(axis=0) == 0).sum())
