"""An agent that builds its network in a method, asks it for values and fits it step by step."""

from collections import deque

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

STATE = 4
BATCH = 12


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self, learning_rate, hidden, actions):
        super().__init__()
        self.learning_rate = learning_rate
        layers = [
            nn.Linear(STATE, hidden[0]),
            nn.ReLU(),
        ]
        in_features = hidden[0]
        for units in hidden[1:]:
            layers += [
                nn.Linear(in_features, units),
                nn.ReLU(),
            ]
            in_features = units
        layers.append(nn.Linear(in_features, actions))
        self.layers = nn.Sequential(*layers)
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        # fitted again, the model goes on with the same optimizer
        if not hasattr(self, "optimizer"):
            self.optimizer = torch.optim.Adam(
                self.parameters(), lr=self.learning_rate, eps=1e-7
            )
        return self.optimizer

    def on_before_optimizer_step(self, optimizer):
        group = optimizer.param_groups[0]
        group["step"] = group.get("step", 0) + 1
        # Keras adds epsilon before the bias correction, torch after it
        group["eps"] = 1e-7 / (1 - 0.999 ** group["step"]) ** 0.5


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


class Agent:
    def __init__(self, actions, hidden=(24, 16)):
        self.actions = actions
        self.learning_rate = 0.01
        self.gamma = 0.9
        self.memory = deque(maxlen=200)
        self.model = self._build(hidden)

    def _build(self, hidden):
        # values of the actions in a state
        model = Model(self.learning_rate, hidden, self.actions)
        return model

    def act(self, state):
        trainer = L.Trainer(
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        return int(
            np.argmax(
                torch.cat(trainer.predict(self.model, make_loader(state))).numpy()[0]
            )
        )

    def remember(self, *moment):
        self.memory.append(moment)

    def replay(self):
        for chosen in rng.choice(len(self.memory), BATCH, replace=False):
            state, action, reward, after, done = self.memory[chosen]
            target = reward
            if not done:
                trainer = L.Trainer(
                    logger=False,
                    enable_checkpointing=False,
                    enable_progress_bar=False,
                    enable_model_summary=False,
                )
                values = torch.cat(
                    trainer.predict(
                        self.model, make_loader(np.asarray(after, dtype="float32"))
                    )
                ).numpy()
                target = reward + self.gamma * np.max(values[0])
            trainer = L.Trainer(
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            wanted = torch.cat(
                trainer.predict(
                    self.model, make_loader(np.asarray(state, dtype="float32"))
                )
            ).numpy()
            wanted[0][action] = target
            trainer = L.Trainer(
                max_epochs=1,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
            )
            trainer.fit(
                self.model,
                make_loader(np.asarray(state, dtype="float32"), wanted, shuffle=True),
            )


class Net(L.LightningModule):
    def __init__(self, width, depth):
        super().__init__()
        layers = [
            nn.Linear(STATE, width),
            nn.Tanh(),
        ]
        for _ in range(depth):
            layers += [
                nn.Linear(width, width),
                nn.Tanh(),
            ]
        layers.append(nn.Linear(width, 1))
        self.layers = nn.Sequential(*layers)
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Critic:
    """Judges a state; its network is made where the object is."""

    def __init__(self, depth=2, width=12):
        self.width = width
        self.net = Net(self.width, depth)

    def learn(self, states, returns):
        history = History()
        trainer = L.Trainer(
            max_epochs=3,
            callbacks=[history],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(self.net, make_loader(states, returns, batch_size=16, shuffle=True))
        return history.history["loss"]


rng = np.random.default_rng(0)
agent = Agent(actions=3)
critic = Critic()
states, rewards = [], []
for time in range(48):
    state = rng.normal(size=(1, STATE)).astype("float32")
    after = rng.normal(size=(1, STATE)).astype("float32")
    reward = float(state[0, agent.act(state)])
    agent.remember(state, agent.act(state), reward, after, time % 12 == 11)
    states.append(state[0])
    rewards.append([reward])
agent.replay()
losses = critic.learn(np.array(states), np.array(rewards, dtype="float32"))
print(losses)
