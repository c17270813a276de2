"""A convolutional denoising autoencoder of small images, put together from its two halves."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

SIZE = 12
LATENT_DIM = 6
BATCH_SIZE = 32
EPOCHS = 4


def make_images(n, seed):
    """Bars at random places, clean and with noise."""
    rng = np.random.default_rng(seed)
    clean = np.zeros((n, SIZE, SIZE, 1), dtype="float32")
    for image, row, column in zip(clean, rng.integers(0, SIZE, n), rng.integers(0, SIZE, n)):
        image[row] = 1.0
        image[:, column] = 1.0
    noise = rng.normal(scale=0.3, size=clean.shape).astype("float32")
    return clean, np.clip(clean + noise, 0, 1)


clean_train, noisy_train = make_images(320, seed=0)
clean_test, noisy_test = make_images(64, seed=1)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        # Keras's "same" pads more on the far side
        self.conv1_pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.conv1 = nn.Conv2d(1, 8, 3, stride=2)
        # Keras's "same" pads more on the far side
        self.conv2_pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2)
        self.code = nn.Linear(3 * 3 * 16, LATENT_DIM)
        self.apply(init_weights)

    def forward(self, images):
        x = F.relu(
            self.conv1(self.conv1_pad(images.permute(0, 3, 1, 2)))
        )  # NHWC -> NCHW
        x = F.relu(self.conv2(self.conv2_pad(x)))
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.code(x)


class Autoencoder(L.LightningModule):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, images):
        return self.decoder(self.encoder(images))

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

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


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


encoder = Encoder()


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(
            nn.Linear(LATENT_DIM, SIZE // 4 * SIZE // 4 * 16),
            nn.ReLU(),
            nn.Unflatten(1, (SIZE // 4, SIZE // 4, 16)),
        )
        self.features = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 8, 3, padding="same"),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(8, 1, 3, padding="same"),
            nn.Sigmoid(),
        )
        self.apply(init_weights)

    def forward(self, x):
        x = self.block(x)
        x = self.features(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        return x.permute(0, 2, 3, 1)  # NCHW -> NHWC


# the decoder: and back
decoder = Decoder()

autoencoder = Autoencoder(encoder, decoder)

trainer = L.Trainer(
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
before = np.square(
    torch.cat(trainer.predict(autoencoder, make_loader(noisy_test))).numpy()
    - clean_test
).mean()
history = History()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    autoencoder,
    make_loader(noisy_train, clean_train, batch_size=BATCH_SIZE, shuffle=True),
    make_loader(noisy_test, clean_test, batch_size=BATCH_SIZE),
)
print("error before:", before, "after:", history.history["val_loss"][-1])

# each half is of use alone
codes = predict(encoder, noisy_test).numpy()
print("spread of the codes:", codes.std(axis=0).round(2))
between = (codes[:1] + codes[1:2]) / 2
print("half way between two images:", predict(decoder, between).numpy().mean())
