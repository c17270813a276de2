"""Train, save, load, and check that the loaded model says the same."""
import os

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn
from torch.utils.data import DataLoader

MODEL_FILE = "sensors.keras"
WEIGHTS_FILE = "sensors.weights.h5"


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class SensorNet(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(10, 24)
        self.norm = BatchNorm1d(24, eps=1e-3, momentum=0.01)
        self.dense2 = nn.Linear(24, 12)
        self.state = nn.Linear(12, 3)
        self.apply(init_weights)

    def forward(self, inputs):
        x = F.relu(self.dense1(inputs))
        x = self.norm(x)
        x = F.relu(self.dense2(x))
        return self.state(x)  # logits: the softmax is in the loss

    def step(self, batch):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        sparse_categorical_accuracy = tm.accuracy(
            logits, y, task="multiclass", num_classes=3
        )
        logs = {
            "loss": loss,
            "sparse_categorical_accuracy": sparse_categorical_accuracy,
        }
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.004, eps=1e-7)

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


# three states of a machine, ten sensors each with its own response
rng = np.random.default_rng(2024)
states = rng.integers(0, 3, size=500)
response = rng.normal(size=(3, 10))
sensors = (response[states] + rng.normal(scale=1.2, size=(500, 10))).astype("float32")
train_sensors, test_sensors = sensors[:380], sensors[380:]
train_states, test_states = states[:380], states[380:]

model = SensorNet()
print(ModelSummary(model))
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(train_sensors, train_states, shuffle=True))

results = trainer.test(model, make_loader(test_sensors, test_states), verbose=False)
loss, acc = results[0].values()
print("Trained model, accuracy: {:5.2f}%".format(100 * acc))

# --- weights only ---------------------------------------------------------------------
torch.save(model.state_dict(), WEIGHTS_FILE)

fresh = SensorNet()
results = trainer.test(fresh, make_loader(test_sensors, test_states), verbose=False)
loss, acc = results[0].values()
print("Untrained model, accuracy: {:5.2f}%".format(100 * acc))

fresh.load_state_dict(torch.load(WEIGHTS_FILE))
results = trainer.test(fresh, make_loader(test_sensors, test_states), verbose=False)
loss_weights, acc_weights = results[0].values()
print("Restored weights, accuracy: {:5.2f}%".format(100 * acc_weights))

# --- the whole model ------------------------------------------------------------------
torch.save(model.state_dict(), MODEL_FILE)
print("saved:", os.path.exists(MODEL_FILE))

restored = SensorNet()
restored.load_state_dict(torch.load(MODEL_FILE))
results = trainer.test(restored, make_loader(test_sensors, test_states), verbose=False)
loss_restored, acc_restored = results[0].values()
print("Restored model, accuracy: {:5.2f}%".format(100 * acc_restored))

# predict on slices, and the model called like a function
first = torch.cat(trainer.predict(model, make_loader(test_sensors[:5]))).numpy()
again = np.concatenate(
    [
        torch.cat(trainer.predict(restored, make_loader(test_sensors[:2]))).numpy(),
        torch.cat(trainer.predict(restored, make_loader(test_sensors[2:5]))).numpy(),
    ]
)
called = np.array(predict(restored, test_sensors[:5]).softmax(1))
print("slices agree:", np.allclose(first, again, atol=1e-6))
print("call agrees: ", np.allclose(first, called, atol=1e-6))
print("states:", called.argmax(axis=1), "true:", test_states[:5])
