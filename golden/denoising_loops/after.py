"""A denoising autoencoder: the decoder mirrors the encoder, both are loops over layer_filters."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

image_size = 12
batch_size = 32
epochs = 3
kernel_size = 3
latent_dim = 8
# filters of the encoder's layers; the decoder goes through them backwards
layer_filters = [6, 12]

rng = np.random.RandomState(1337)
x_train = np.zeros((256, image_size, image_size, 1), dtype="float32")
for image, row in zip(x_train, rng.randint(0, image_size, 256)):
    image[row] = 1.0
x_train_noisy = np.clip(x_train + rng.normal(0.3, 0.3, x_train.shape), 0.0, 1.0)
x_train_noisy = x_train_noisy.astype("float32")


class SameConv2d(nn.Conv2d):
    """Conv2d with Keras's "same" padding: it follows the input size, an odd pixel goes last."""

    def forward(self, x):
        sizes = zip(x.shape[2:], self.kernel_size, self.stride, self.dilation)
        h, w = [max((k - 1) * d + 1 - s + -n % s, 0) for n, k, s, d in sizes]
        return super().forward(F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2)))


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        in_channels = 1
        convs = []
        for filters in layer_filters:
            convs.append(SameConv2d(in_channels, filters, kernel_size, stride=2))
            convs.append(nn.ReLU())
            in_channels = filters
        self.convs = nn.Sequential(*convs)
        self.latent_vector = nn.Linear(3 * 3 * in_channels, latent_dim)
        self.apply(init_weights)

    def forward(self, inputs):
        x = self.convs(inputs.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = x.permute(0, 2, 3, 1).flatten(1)  # flattened in Keras's order
        return self.latent_vector(x)


class Autoencoder(L.LightningModule):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, inputs):
        return self.decoder(self.encoder(inputs))

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
        return torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


# the decoder begins with the shape that the convolutions end in
shape = (None, 3, 3, 12)

encoder = Encoder()


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(latent_dim, shape[1] * shape[2] * shape[3])
        in_channels = shape[3]
        conv_transposes = []
        for filters in layer_filters[::-1]:
            conv_transposes.append(
                nn.ConvTranspose2d(in_channels, filters, kernel_size, stride=2)
            )
            conv_transposes.append(nn.ZeroPad2d((0, -1, 0, -1)))
            conv_transposes.append(nn.ReLU())
            in_channels = filters
        self.conv_transposes = nn.Sequential(*conv_transposes)
        self.conv_transpose = nn.ConvTranspose2d(in_channels, 1, kernel_size, padding=1)
        self.apply(init_weights)

    def forward(self, latent_inputs):
        x = self.dense(latent_inputs)
        x = x.unflatten(1, (shape[1], shape[2], shape[3]))
        x = self.conv_transposes(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = self.conv_transpose(x)
        outputs = x.sigmoid()
        return outputs.permute(0, 2, 3, 1)


decoder = Decoder()

autoencoder = Autoencoder(encoder, decoder)
trainer = L.Trainer(
    max_epochs=epochs,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    autoencoder,
    make_loader(x_train_noisy, x_train, batch_size=batch_size, shuffle=True),
    make_loader(x_train_noisy[:64], x_train[:64], batch_size=batch_size),
)

x_decoded = torch.cat(
    trainer.predict(autoencoder, make_loader(x_train_noisy[:64]))
).numpy()
print("error:", np.square(x_decoded - x_train[:64]).mean())
print("shape that the decoder begins with:", shape[1:])
