"""A generator of points on a parabola, and a discriminator that learns to tell them from real ones."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn

LATENT = 6
BATCH = 64
STEPS = 40

rng = np.random.default_rng(0)


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def freeze_norms(module):
    """As in Keras: the BatchNorms of a frozen part normalise by their running statistics."""
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            part.eval()


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


# tells real points from generated ones
class Discriminator(L.LightningModule):
    def __init__(self, width=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, width),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            BatchNorm1d(width, eps=1e-3, momentum=0.2),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )
        self.apply(init_weights)
        self.optimizer = torch.optim.Adam(
            self.parameters(), lr=0.002, betas=(0.5, 0.999), eps=1e-7
        )
        self.steps = 0

    def forward(self, x):
        return self.layers(x)  # logits: the sigmoid is in the loss

    def values(self, x, y):
        """The loss and the accuracy of a batch."""
        x = torch.as_tensor(x, device=self.device)
        y = torch.as_tensor(y, device=self.device).float()
        logits = self(x)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        return loss, accuracy

    @torch.no_grad()
    def evaluate(self, x, y, batch_size=32):
        """The loss and the accuracy of all rows, in inference mode."""
        self.eval()
        parts = [slice(i, i + batch_size) for i in range(0, len(x), batch_size)]
        sizes = [len(x[part]) for part in parts]
        values = [
            [value.item() for value in self.values(x[part], y[part])] for part in parts
        ]
        return np.average(values, axis=0, weights=sizes).tolist()

    def train_on_batch(self, x, y):
        """One step of the optimizer; the loss and the accuracy of the batch."""
        self.train()
        loss, accuracy = self.values(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.steps += 1
        # Keras adds epsilon before the bias correction, torch after it
        self.optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999**self.steps) ** 0.5
        self.optimizer.step()
        return [loss.item(), accuracy.item()]


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


# makes points of noise
class Generator(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, width),
            nn.LeakyReLU(0.2),
            BatchNorm1d(width, eps=1e-3, momentum=0.2),
            nn.Linear(width, 2),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)


# trains the generator by what the discriminator says
class Gan(L.LightningModule):
    def __init__(self, generator, discriminator):
        super().__init__()
        self.layers = nn.Sequential(
            generator,
            discriminator,
        )
        # the discriminator's weights stay as they are here
        self.optimizer = torch.optim.Adam(
            self.layers[0].parameters(), lr=0.002, betas=(0.5, 0.999), eps=1e-7
        )
        self.steps = 0

    def forward(self, x):
        return self.layers(x)  # logits: the sigmoid is in the loss

    def train_on_batch(self, x, y):
        """One step of the optimizer; the loss of the batch."""
        self.train()
        freeze_norms(self.layers[1])
        x = torch.as_tensor(x, device=self.device)
        y = torch.as_tensor(y, device=self.device).float()
        logits = self(x)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.steps += 1
        # Keras adds epsilon before the bias correction, torch after it
        self.optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999**self.steps) ** 0.5
        self.optimizer.step()
        return loss.item()


def real_points(count):
    x = rng.random(count) - 0.5
    return np.stack([x, x * x], axis=1), np.ones((count, 1))


def fake_points(generator, count):
    noise = rng.normal(size=(count, LATENT))
    return predict(generator, noise.astype("float32")).numpy(), np.zeros((count, 1))


def report(step, generator, discriminator):
    points, labels = real_points(100)
    _, real = discriminator.evaluate(points.astype("float32"), labels)
    points, labels = fake_points(generator, 100)
    _, fake = discriminator.evaluate(points, labels)
    print(f"step {step}: {real:.0%} of the real points found, {fake:.0%} of the others")


def train(generator, discriminator, gan):
    for step in range(STEPS):
        # the discriminator, on half a batch of each kind
        points, labels = real_points(BATCH // 2)
        real_loss, real_accuracy = discriminator.train_on_batch(
            points.astype("float32"), labels
        )
        points, labels = fake_points(generator, BATCH // 2)
        fake_loss, fake_accuracy = discriminator.train_on_batch(points, labels)

        # the generator, which wants its points to be taken for real
        noise = rng.normal(size=(BATCH, LATENT))
        gan_loss = gan.train_on_batch(noise.astype("float32"), np.ones((BATCH, 1)))

        loss = (real_loss + fake_loss) / 2
        if step % 20 == 19:
            print(f"discriminator {loss:.4f}, generator {gan_loss:.4f}")
            report(step, generator, discriminator)


discriminator = Discriminator()
generator = Generator()
gan = Gan(generator, discriminator)
train(generator, discriminator, gan)
