"""Two answers about a transaction: of which kind it is, and whether it is a fraud."""

import math

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from torchmetrics import Metric
from torchmetrics.aggregation import SumMetric
from torchmetrics.classification import BinaryPrecision

EPOCHS, BATCH_SIZE = 3, 32

rng = np.random.default_rng(1)
x = rng.normal(size=(300, 16)).astype("float32")
kind = np.eye(4, dtype="float32")[rng.integers(0, 4, 300)]
fraud = (x[:, :1] + 0.3 * rng.normal(size=(300, 1)) > 0.3).astype("float32")


def categorical_focal_loss(logits, y, gamma, alpha):
    """Crossentropy over the last axis that counts less where the probability is right already."""
    p = logits.softmax(-1).clamp(1e-7, 1 - 1e-7)
    return (-alpha * (1 - p) ** gamma * y * p.log()).sum(-1)


class FBetaScore(Metric):
    """F score: of the largest prediction of a row, or of all above a threshold.

    Classes that do not occur count as 0 in the "macro" mean, as in Keras.
    """

    def __init__(self, num_classes, average, beta=1.0, threshold=None):
        super().__init__()
        self.average, self.beta, self.threshold = average, beta, threshold
        for name in ("tp", "fp", "fn"):
            self.add_state(name, torch.zeros(num_classes), dist_reduce_fx="sum")

    def update(self, preds, target):
        if self.threshold is None:
            chosen = (preds >= preds.amax(-1, keepdim=True)) & (preds.abs() > 1e-9)
        else:
            chosen = preds > self.threshold
        chosen = chosen.float()
        self.tp += (chosen * target).sum(0)
        self.fp += (chosen * (1 - target)).sum(0)
        self.fn += ((1 - chosen) * target).sum(0)

    def compute(self):
        tp, fp, fn = self.tp, self.fp, self.fn
        if self.average == "micro":
            tp, fp, fn = tp.sum(), fp.sum(), fn.sum()
        precision, recall = tp / (tp + fp + 1e-7), tp / (tp + fn + 1e-7)
        factor = self.beta**2
        score = (1 + factor) * precision * recall / (factor * precision + recall + 1e-7)
        if self.average == "weighted":
            return (score * (tp + fn) / ((tp + fn).sum() + 1e-7)).sum()
        return score.mean()


class AUC(Metric):
    """Area under a curve at evenly spaced thresholds, the first and last beyond 0 and 1.

    curve: "ROC" or "PR". method: "interpolation" (of PR by Davis and Goadrich), "minoring" or
    "majoring". With labels the columns have a curve each, and theirs is the mean.
    """

    def __init__(
        self, num_thresholds=200, curve="ROC", method="interpolation", labels=None
    ):
        super().__init__()
        self.count, self.curve, self.method = num_thresholds, curve, method
        self.columns = labels or 1
        for name in ("positives", "negatives"):
            counts = torch.zeros(self.columns, num_thresholds)
            self.add_state(name, counts, dist_reduce_fx="sum")

    def update(self, preds, target):
        below = (preds.clamp(0, 1) * (self.count - 1)).ceil().long()
        place = below.reshape(-1, self.columns)
        place = place + self.count * torch.arange(self.columns, device=place.device)
        for counts, chosen in (
            (self.positives, target != 0),
            (self.negatives, target == 0),
        ):
            found = torch.bincount(
                place[chosen.view_as(place)], minlength=counts.numel()
            )
            counts += found.view_as(counts)

    def compute(self):
        tp, fp = (self.above(counts) for counts in (self.positives, self.negatives))
        recall = tp / tp[:, :1].clamp_min(1)
        if self.curve == "PR" and self.method == "interpolation":
            return self.interpolated(tp, tp + fp)
        x, y = fp / fp[:, :1].clamp_min(1), recall
        if self.curve == "PR":
            x, y = recall, tp / (tp + fp).clamp_min(1)
        heights = {
            "interpolation": (y[:, :-1] + y[:, 1:]) / 2,
            "minoring": torch.minimum(y[:, :-1], y[:, 1:]),
            "majoring": torch.maximum(y[:, :-1], y[:, 1:]),
        }
        return ((x[:, :-1] - x[:, 1:]) * heights[self.method]).sum(1).mean()

    def above(self, counts):
        """How many lie above each threshold."""
        above = counts.flip(1).cumsum(1).flip(1)
        return torch.cat(
            [above[:, :1], above[:, 2:], torch.zeros_like(above[:, :1])], 1
        )

    def interpolated(self, tp, p):
        more, step = tp[:, :-1] - tp[:, 1:], p[:, :-1] - p[:, 1:]
        slope = more / step.clamp_min(1)
        intercept = tp[:, 1:] - slope * p[:, 1:]
        known = (p[:, :-1] > 0) & (p[:, 1:] > 0)
        ratio = torch.where(known, p[:, :-1] / p[:, 1:].clamp_min(1), 1.0)
        areas = slope * (more + intercept * ratio.log()) / tp[:, :1].clamp_min(1)
        return areas.sum(1).mean()


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


class AtLeast(ThresholdCounts):
    """The best of one rate at evenly spaced thresholds where another is at least `least`.

    The rates are "precision", "recall" (which is the sensitivity) and "specificity".
    """

    def __init__(self, best, of, least, num_thresholds=200):
        super().__init__(num_thresholds)
        self.best, self.of, self.least = best, of, least

    def compute(self):
        tp, fp = (
            counts.sum() - counts.cumsum(0)
            for counts in (self.positives, self.negatives)
        )
        negatives = self.negatives.sum()
        rates = {
            "precision": tp / (tp + fp).clamp_min(1),
            "recall": tp / self.positives.sum().clamp_min(1),
            "specificity": (negatives - fp) / negatives.clamp_min(1),
        }
        return torch.where(rates[self.of] >= self.least, rates[self.best], 0.0).max()


class SGD(torch.optim.SGD):
    """SGD with the rate inside the momentum, as in Keras; the rate may become zero."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    v = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                    v.mul_(group["momentum"]).add_(p.grad, alpha=group["lr"])
                    if group["nesterov"]:
                        p -= group["momentum"] * v + group["lr"] * p.grad
                    else:
                        p -= v
        return loss


def warmed_up_cosine(step, start, target, warmup_steps, decay_steps, alpha=0.0):
    """The rate at a step: a line from `start` to `target`, then a cosine down to a part of it."""
    if step < warmup_steps:
        return start + (target - start) * step / warmup_steps
    done = min((step - warmup_steps) / decay_steps, 1)
    return target * (alpha + (1 - alpha) * (1 + math.cos(math.pi * done)) / 2)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(16, 32)
        self.kind = nn.Linear(32, 4)
        self.fraud = nn.Linear(32, 1)
        self.kind_f1 = FBetaScore(4, "macro")
        self.val_kind_f1 = FBetaScore(4, "macro")
        self.fraud_prc = AUC(curve="PR")
        self.val_fraud_prc = AUC(curve="PR")
        self.fraud_precision = BinaryPrecision()
        self.val_fraud_precision = BinaryPrecision()
        self.fraud_missed = SumMetric()
        self.val_fraud_missed = SumMetric()
        self.fraud_recall = AtLeast("recall", "precision", 0.8)
        self.val_fraud_recall = AtLeast("recall", "precision", 0.8)
        self.apply(init_weights)

    def forward(self, inputs):
        h = F.relu(self.dense(inputs))
        kind_out = self.kind(h)
        fraud_out = self.fraud(h)
        return (
            kind_out,
            fraud_out,
        )  # kind: logits, the softmax is in the loss; fraud: logits, the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        kind, fraud = self(x)
        kind_true = y["kind"]
        fraud_true = y["fraud"]
        kind_loss = categorical_focal_loss(kind, kind_true, 2.0, 0.25).mean()
        fraud_loss = F.binary_cross_entropy_with_logits(fraud, fraud_true)
        loss = 1.0 * kind_loss + 0.5 * fraud_loss
        kind_accuracy = tm.accuracy(
            kind, kind_true.argmax(1), task="multiclass", num_classes=4
        )
        kind_f1 = getattr(self, f"{prefix}kind_f1")
        kind_f1.update(kind.softmax(1), kind_true)
        fraud_prc = getattr(self, f"{prefix}fraud_prc")
        fraud_prc.update(fraud.sigmoid(), fraud_true)
        fraud_precision = getattr(self, f"{prefix}fraud_precision")
        fraud_precision.update(fraud.sigmoid(), fraud_true.int())
        fraud_missed = getattr(self, f"{prefix}fraud_missed")
        fraud_missed.update(((fraud.sigmoid() <= 0.5) & (fraud_true != 0)).sum())
        fraud_recall = getattr(self, f"{prefix}fraud_recall")
        fraud_recall.update(fraud.sigmoid(), fraud_true)
        logs = {
            f"{prefix}loss": loss,
            f"{prefix}kind_accuracy": kind_accuracy,
            f"{prefix}kind_f1": kind_f1,
            f"{prefix}fraud_prc": fraud_prc,
            f"{prefix}fraud_precision": fraud_precision,
            f"{prefix}fraud_missed": fraud_missed,
            f"{prefix}fraud_recall": fraud_recall,
        }
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the plain mean of the batches
        parts = {f"{prefix}kind_loss": kind_loss, f"{prefix}fraud_loss": fraud_loss}
        self.log_dict(parts, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        # up in a line, then down with a cosine
        optimizer = SGD(self.parameters(), lr=1.0, momentum=0.9)
        decay = LambdaLR(
            optimizer, lambda step: warmed_up_cosine(step, 0.0, 0.05, 10, steps, 0.0)
        )
        return [optimizer], [{"scheduler": decay, "interval": "step"}]

    def on_before_optimizer_step(self, optimizer):
        # the weights decay apart from the gradient, as in Keras
        with torch.no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p -= p * 1e-3 * group["lr"]


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: dicts, lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, dict):
            return {k: cut(rows, inner) for k, inner in part.items()}
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    first = parts[0]
    while isinstance(first, (dict, list, tuple)):
        first = next(iter(first.values() if isinstance(first, dict) else first))
    return DataLoader(range(len(first)), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


model = Model()

steps = len(x) // BATCH_SIZE * EPOCHS
split = int(len(x) * (1 - 0.2))
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
    make_loader(
        x[:split],
        {"kind": kind[:split], "fraud": fraud[:split]},
        batch_size=BATCH_SIZE,
        shuffle=True,
    ),
    make_loader(
        x[split:], {"kind": kind[split:], "fraud": fraud[split:]}, batch_size=BATCH_SIZE
    ),
)
missed = history.history["val_fraud_missed"]
print(f"frauds missed: {missed}")
