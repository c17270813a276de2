"""A variational autoencoder of gestures: 2-D tracks of sixteen points, three kinds of them."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

POINTS = 16
LATENT = 3
WIDTHS = [48, 24]
BETA = 0.5


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(POINTS * 2, 48)
        self.dense2 = nn.Linear(48, 24)
        self.z_mean = nn.Linear(24, LATENT)
        self.z_log_var = nn.Linear(24, LATENT)
        self.apply(init_weights)

    def forward(self, inputs):
        x = F.relu(self.dense1(inputs))
        x = F.relu(self.dense2(x))
        z_mean = self.z_mean(x)
        z_log_var = self.z_log_var(x)
        noise = torch.randn_like(z_mean)
        z = z_mean + (z_log_var / 2).exp() * noise
        return z_mean, z_log_var, z


# circles, lines and eights, at a size and place of their own
rng = np.random.RandomState(5)
t = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
shapes = np.stack([
    np.stack([np.cos(t), np.sin(t)], axis=-1),
    np.stack([np.cos(t), 0.2 * np.cos(t)], axis=-1),
    np.stack([np.sin(t), np.sin(2 * t)], axis=-1),
])
kinds = rng.randint(0, 3, size=480)
size = rng.uniform(0.4, 1.2, size=(480, 1, 1))
place = rng.uniform(-0.5, 0.5, size=(480, 1, 2))
tracks = size * shapes[kinds] + place + 0.03 * rng.randn(480, POINTS, 2)
tracks = tracks.reshape(-1, POINTS * 2).astype("float32")
train, test = tracks[:400], tracks[400:]


class Vae(L.LightningModule):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, inputs):
        _, _, x = self.encoder(inputs)
        return self.decoder(x)

    def step(self, batch, prefix=""):
        (inputs,) = batch
        z_mean, z_log_var, x = self.encoder(inputs)
        outputs = self.decoder(x)
        reconstruction = (
            POINTS
            * 2
            * F.mse_loss(outputs.flatten(), inputs.flatten(), reduction="none").mean(-1)
        )
        kl = 1 + z_log_var - z_mean.square() - z_log_var.exp()
        kl = -0.5 * kl.sum(dim=-1)
        loss = (reconstruction + BETA * kl).mean()
        # tf.keras gives the plain mean of the batches
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True, batch_size=1)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.002, eps=1e-7)

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


encoder = Encoder()


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        in_features = LATENT
        dense_layers = []
        for width in reversed(WIDTHS):
            dense_layers.append(nn.Linear(in_features, width))
            dense_layers.append(nn.ReLU())
            in_features = width
        self.dense_layers = nn.Sequential(*dense_layers)
        self.dense = nn.Linear(in_features, POINTS * 2)
        self.apply(init_weights)

    def forward(self, latent):
        x = self.dense_layers(latent)
        return self.dense(x)


decoder = Decoder()

vae = Vae(encoder, decoder)

trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(vae, make_loader(train, shuffle=True), make_loader(test))

means, _, _ = [output.numpy() for output in predict(encoder, test)]
print("means of the latent variables:", means.mean(axis=0))
drawn = predict(decoder, rng.randn(4, LATENT).astype("float32")).numpy()
print("drawn tracks:", drawn.reshape(4, POINTS, 2).shape)
