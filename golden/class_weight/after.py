import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import Metric
from torchmetrics.classification import BinaryPrecision, BinaryRecall

# Fraud detection toy: about one in six transactions is fraud.

CLASS_WEIGHT = {0: 1.0, 1: 5.0}
LABEL_SMOOTHING = 0.1


def make_transactions(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10)).astype(np.float32)
    score = x[:, 0] + 0.8 * x[:, 1] - 0.6 * x[:, 2] * x[:, 3] + rng.normal(scale=0.3, size=n)
    y = (score > 1.4).astype(int)
    return x, y


x_train, y_train = make_transactions(500, seed=21)
x_test, y_test = make_transactions(200, seed=22)

neg, pos = np.bincount(y_train)
print(f"Examples: {neg + pos}, fraud: {pos} ({100 * pos / (neg + pos):.1f} %)")


class ThresholdCounts(Metric):
    """How many positives and negatives lie above how many of evenly spaced thresholds."""

    def __init__(self, num_thresholds=200):
        super().__init__()
        for name in ("positives", "negatives"):
            self.add_state(name, torch.zeros(num_thresholds), dist_reduce_fx="sum")

    def update(self, preds, target):
        count = len(self.positives)
        below = (preds.clamp(0, 1) * (count - 1)).ceil().long()
        self.positives += torch.bincount(below[target != 0], minlength=count)
        self.negatives += torch.bincount(below[target == 0], minlength=count)


class AUC(ThresholdCounts):
    """Area under the ROC curve at evenly spaced thresholds, the first and last beyond 0 and 1."""

    def compute(self):
        rates = []
        for counts in (self.positives, self.negatives):
            above = counts.flip(0).cumsum(0).flip(0)
            above = torch.cat([above[:1], above[2:], above.new_zeros(1)])
            rates.append(above / above[0].clamp_min(1))
        return -torch.trapezoid(*rates)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Fraud(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(x_train.shape[-1], 24),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(24, 12),
            nn.ReLU(),
            nn.Linear(12, 1),
        )
        self.auc = AUC()
        self.val_auc = AUC()
        self.precision = BinaryPrecision()
        self.val_precision = BinaryPrecision()
        self.recall = BinaryRecall()
        self.val_recall = BinaryRecall()
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y, *weights = batch
        logits = self(x)
        y = y.float().view_as(logits)
        y_pred = logits.sigmoid()
        losses = F.binary_cross_entropy_with_logits(
            logits, y * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2, reduction="none"
        ).mean(-1)
        loss = (losses * weights[0]).mean() if weights else losses.mean()
        accuracy = tm.accuracy(y_pred, y, task="binary")
        auc = getattr(self, f"{prefix}auc")
        auc.update(y_pred, y)
        precision = getattr(self, f"{prefix}precision")
        precision.update(y_pred, y.int())
        recall = getattr(self, f"{prefix}recall")
        recall.update(y_pred, y.int())
        logs = {
            f"{prefix}loss": loss,
            f"{prefix}accuracy": accuracy,
            f"{prefix}auc": auc,
            f"{prefix}precision": precision,
            f"{prefix}recall": recall,
        }
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).sigmoid()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.003, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def class_weights(weights, y):
    """Each sample's weight by its class; y holds class numbers or one-hot rows."""
    y = np.asarray(y)
    labels = y.argmax(1) if y.ndim > 1 and y.shape[1] > 1 else y.ravel()
    return np.array([weights.get(int(label), 1.0) for label in labels], dtype="float32")


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


model = Fraud()

history = History()
trainer = L.Trainer(
    max_epochs=5,
    callbacks=[history],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        x_train,
        y_train,
        class_weights(CLASS_WEIGHT, y_train),
        batch_size=64,
        shuffle=True,
    ),
    make_loader(x_test, y_test, batch_size=64),
)
for key in ("loss", "auc", "recall", "val_loss", "val_auc"):
    print(f"{key:9s}", " ".join(f"{v:.4f}" for v in history.history[key]))

results = trainer.test(model, make_loader(x_test, y_test, batch_size=64), verbose=False)
results = list(results[0].values())
for name, value in zip(["loss", "accuracy", "auc", "precision", "recall"], results):
    print(name, ": ", round(value, 4), sep="")

fraud = (
    (torch.cat(trainer.predict(model, make_loader(x_test))).numpy() > 0.5)
    .astype("int32")
    .ravel()
)
print("caught:", np.sum(fraud & y_test), "missed:", np.sum((1 - fraud) & y_test))
print("false alarms:", np.sum(fraud & (1 - y_test)))
