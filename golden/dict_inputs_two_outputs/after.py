"""Machine health: how worn a bearing is, and which fault it has, from two kinds of measurement."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

N_SAMPLES = 440
N_BANDS = 12  # energy per frequency band
N_CONTEXT = 5  # load, speed, temperature, ...
N_FAULTS = 4
BATCH_SIZE = 48
EPOCHS = 4

# synthetic measurements
rng = np.random.default_rng(0)
bands = rng.normal(size=(N_SAMPLES, N_BANDS)).astype("float32")
context = rng.normal(size=(N_SAMPLES, N_CONTEXT)).astype("float32")
fault = bands[:, :N_FAULTS].argmax(axis=1)
wear = np.tanh(bands[:, 5:9].mean(axis=1) + 0.5 * context[:, 0])

split = int(0.8 * N_SAMPLES)
x_train = {"bands": bands[:split], "context": context[:split]}
y_train = {"wear": wear[:split], "fault": fault[:split]}
x_test = {"bands": bands[split:], "context": context[split:]}
y_test = {"wear": wear[split:], "fault": fault[split:]}


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        # a branch for each input, then a common trunk
        self.dense1 = nn.Linear(N_BANDS, 16)
        self.dense2 = nn.Linear(N_CONTEXT, 8)
        self.dense3 = nn.Linear(16 + 8, 16)
        self.wear = nn.Linear(16, 1)
        self.fault = nn.Linear(16, N_FAULTS)
        self.apply(init_weights)

    def forward(self, inputs):
        bands_in, context_in = inputs["bands"], inputs["context"]
        b = F.relu(self.dense1(bands_in))
        c = F.relu(self.dense2(context_in))
        x = torch.cat([b, c], 1)
        x = F.relu(self.dense3(x))
        wear_out = self.wear(x).tanh()
        fault_out = self.fault(x)
        return wear_out, fault_out  # fault: logits, the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        wear, fault = self(x)
        wear_true = y["wear"].view_as(wear)
        fault_true = y["fault"]
        wear_loss = F.mse_loss(wear, wear_true)
        fault_loss = F.cross_entropy(fault, fault_true)
        loss = 2.0 * wear_loss + 0.5 * fault_loss
        wear_mae = F.l1_loss(wear, wear_true)
        fault_accuracy = tm.accuracy(
            fault, fault_true, task="multiclass", num_classes=N_FAULTS
        )
        logs = {
            f"{prefix}loss": loss,
            f"{prefix}wear_mae": wear_mae,
            f"{prefix}fault_accuracy": fault_accuracy,
        }
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the plain mean of the batches
        parts = {f"{prefix}wear_loss": wear_loss, f"{prefix}fault_loss": fault_loss}
        self.log_dict(parts, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        wear, fault = self(batch[0])
        return wear, fault.softmax(1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def make_loader(*dicts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [
            {k: torch.as_tensor(array[rows]) for k, array in d.items()} for d in dicts
        ]

    n = len(next(iter(dicts[0].values())))
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model()

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
    model,
    make_loader(x_train, y_train, batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x_test, y_test, batch_size=BATCH_SIZE),
)
print("val_fault_accuracy:", history.history["val_fault_accuracy"])

results = trainer.test(
    model, make_loader(x_test, y_test, batch_size=BATCH_SIZE), verbose=False
)
results = dict(sorted(results[0].items()))
for name, value in results.items():
    print(f"{name}: {value:.4f}")

wear_pred, fault_pred = [
    torch.cat(output).numpy()
    for output in zip(*trainer.predict(model, make_loader(x_test)))
]
print("worst wear error:", np.abs(wear_pred[:, 0] - y_test["wear"]).max())
print("faults found:", np.bincount(fault_pred.argmax(axis=1), minlength=N_FAULTS))
