"""A Wasserstein critic whose weights are clipped, and the generator it judges, trained in turns."""

import lightning as L
import numpy as np
import torch
from torch import nn

LATENT = 4
BATCH = 16
CRITIC_STEPS = 3

rng = np.random.default_rng(0)
real = (rng.normal(size=(256, 8)) @ rng.normal(size=(8, 8))).astype("float32")


class ClipConstraint:
    """Weights are clipped to a box."""

    def __init__(self, clip_value):
        self.clip_value = clip_value

    def __call__(self, weights):
        return weights.clamp(-self.clip_value, self.clip_value)

    def get_config(self):
        return {"clip_value": self.clip_value}


def wasserstein_loss(y_true, y_pred):
    return (y_true * y_pred).mean()


class RMSprop(torch.optim.RMSprop):
    """RMSprop with epsilon inside the square root, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {
                        "step": torch.zeros(()),
                        "square_avg": torch.zeros_like(p),
                    }
                v = self.state[p]["square_avg"].lerp_(
                    p.grad.square(), 1 - group["alpha"]
                )
                p.addcdiv_(p.grad, (v + group["eps"]).sqrt(), value=-group["lr"])
        return loss


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Critic(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 16),
            nn.LeakyReLU(0.2),
            nn.Linear(16, 1),
        )
        self.apply(init_weights)
        self.optimizer = RMSprop(self.parameters(), lr=5e-4, alpha=0.9, eps=1e-7)

    def forward(self, x):
        return self.layers(x)

    def train_on_batch(self, x, y):
        """One step of the optimizer; the loss of the batch."""
        self.train()
        x = torch.as_tensor(x, device=self.device)
        y = torch.as_tensor(y, device=self.device)
        y_pred = self(x)
        loss = wasserstein_loss(y, y_pred)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():  # Keras's constraints
            self.layers[0].weight.copy_(ClipConstraint(0.1)(self.layers[0].weight))
            self.layers[2].weight.copy_(ClipConstraint(0.1)(self.layers[2].weight))
        return loss.item()


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


critic = Critic()


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 16),
            nn.ReLU(),
            nn.Linear(16, 8),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)


generator = Generator()


class Gan(L.LightningModule):
    def __init__(self, generator, critic):
        super().__init__()
        self.layers = nn.Sequential(
            generator,
            critic,
        )
        self.optimizer = RMSprop(
            self.layers[0].parameters(), lr=5e-4, alpha=0.9, eps=1e-7
        )

    def forward(self, x):
        return self.layers(x)

    def train_on_batch(self, x, y):
        """One step of the optimizer; the loss of the batch."""
        self.train()
        x = torch.as_tensor(x, device=self.device)
        y = torch.as_tensor(y, device=self.device)
        y_pred = self(x)
        loss = wasserstein_loss(y, y_pred)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


gan = Gan(generator, critic)

losses = []
for step in range(12):
    for _ in range(CRITIC_STEPS):
        rows = rng.integers(0, len(real), BATCH)
        true_loss = critic.train_on_batch(real[rows], -np.ones((BATCH, 1), "float32"))
        noise = rng.normal(size=(BATCH, LATENT)).astype("float32")
        fake = predict(generator, noise).numpy()
        fake_loss = critic.train_on_batch(fake, np.ones((BATCH, 1), "float32"))
    noise = rng.normal(size=(BATCH, LATENT)).astype("float32")
    losses.append(gan.train_on_batch(noise, -np.ones((BATCH, 1), "float32")))
    print(f"{step}: {true_loss:.4f} {fake_loss:.4f} {losses[-1]:.4f}")
