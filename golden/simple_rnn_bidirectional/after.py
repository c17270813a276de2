import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

# A recurrent network of rectified linear units, after Le, Jaitly and Hinton,
# "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units" (2015):
# here it reads short sequences and says which of three directions they move in.

hidden_units = 16
learning_rate = 0.1
timesteps = 12
dim = 2
num_classes = 3
batch_size = 32
epochs = 5

np.random.seed(0)


def walks(n):
    label = np.random.randint(num_classes, size=n)
    angle = 2 * np.pi * label / num_classes
    drift = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * 0.15
    steps = drift[:, None, :] + np.random.normal(scale=0.3, size=(n, timesteps, dim))
    return np.cumsum(steps, axis=1) / 2, np.eye(num_classes, dtype="float32")[label]


x_train, y_train = walks(310)
x_test, y_test = walks(90)
print("x_train shape:", x_train.shape)
print(x_train.shape[0], "train samples")
print(x_test.shape[0], "test samples")

print("Evaluate IRNN...")


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.RNN):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.normal_(p, 0.0, 0.05)
            elif "weight_hh" in name:
                nn.init.eye_(p).detach().mul_(0.9)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, nn.GRU):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            else:
                nn.init.zeros_(p)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, hidden_units, batch_first=True, nonlinearity="relu")
        # the two directions are added, not put side by side
        self.gru = nn.GRU(hidden_units, 8, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(8, num_classes)
        self.apply(init_weights)

    def forward(self, x):
        x = self.rnn(x)[0]
        _, h = self.gru(x)
        x = h[0] + h[1]  # last state of each direction
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(
            logits, y.argmax(1), task="multiclass", num_classes=num_classes
        )
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.Adagrad(
            self.parameters(), lr=learning_rate, initial_accumulator_value=0.1, eps=1e-7
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

trainer = L.Trainer(
    max_epochs=epochs,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        x_train.astype("float32"), y_train, batch_size=batch_size, shuffle=True
    ),
    make_loader(x_test.astype("float32"), y_test, batch_size=batch_size),
)

scores = trainer.test(
    model, make_loader(x_test.astype("float32"), y_test), verbose=False
)
scores = list(scores[0].values())
print('IRNN test score:', scores[0])
print('IRNN test accuracy:', scores[1])
