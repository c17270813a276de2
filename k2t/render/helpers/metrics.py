"""Metrics of Keras's that torchmetrics does not have, or whose numbers are others there."""

import torch
from torchmetrics import Metric
from torchmetrics.classification import MulticlassConfusionMatrix


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


class AUCFull(Metric):
    """Area under a curve at evenly spaced thresholds, the first and last beyond 0 and 1.

    curve: "ROC" or "PR". method: "interpolation" (of PR by Davis and Goadrich), "minoring" or
    "majoring". With labels the columns have a curve each, and theirs is the mean.
    """

    def __init__(self, num_thresholds=200, curve="ROC", method="interpolation", labels=None):
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
        for counts, chosen in ((self.positives, target != 0), (self.negatives, target == 0)):
            found = torch.bincount(place[chosen.view_as(place)], minlength=counts.numel())
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
        return torch.cat([above[:, :1], above[:, 2:], torch.zeros_like(above[:, :1])], 1)

    def interpolated(self, tp, p):
        more, step = tp[:, :-1] - tp[:, 1:], p[:, :-1] - p[:, 1:]
        slope = more / step.clamp_min(1)
        intercept = tp[:, 1:] - slope * p[:, 1:]
        known = (p[:, :-1] > 0) & (p[:, 1:] > 0)
        ratio = torch.where(known, p[:, :-1] / p[:, 1:].clamp_min(1), 1.0)
        areas = slope * (more + intercept * ratio.log()) / tp[:, :1].clamp_min(1)
        return areas.sum(1).mean()


class AtLeast(ThresholdCounts):
    """The best of one rate at evenly spaced thresholds where another is at least `least`.

    The rates are "precision", "recall" (which is the sensitivity) and "specificity".
    """

    def __init__(self, best, of, least, num_thresholds=200):
        super().__init__(num_thresholds)
        self.best, self.of, self.least = best, of, least

    def compute(self):
        tp, fp = (counts.sum() - counts.cumsum(0) for counts in (self.positives, self.negatives))
        negatives = self.negatives.sum()
        rates = {
            "precision": tp / (tp + fp).clamp_min(1),
            "recall": tp / self.positives.sum().clamp_min(1),
            "specificity": (negatives - fp) / negatives.clamp_min(1),
        }
        return torch.where(rates[self.of] >= self.least, rates[self.best], 0.0).max()


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


class IoU(MulticlassConfusionMatrix):
    """Intersection over union, the mean of those of the wanted classes that occur."""

    def __init__(self, num_classes, class_ids, ignore_index=None):
        super().__init__(num_classes, ignore_index=ignore_index)
        self.class_ids = list(class_ids)

    def compute(self):
        both = self.confmat.diag()
        union = self.confmat.sum(0) + self.confmat.sum(1) - both
        both, union = both[self.class_ids], union[self.class_ids]
        return (both / union.clamp_min(1)).sum() / (union > 0).sum().clamp_min(1)


def pearson_correlation(y_pred, y):
    """How the numbers of each row of one go along with those of the other, over the last axis."""
    x, z = (a - a.mean(-1, keepdim=True) for a in (y_pred, y))
    return (x * z).mean(-1) / (x.std(-1, correction=0) * z.std(-1, correction=0))


def concordance_correlation(y_pred, y):
    """Keras's, whose covariance takes the mean of the predictions from both."""
    means = y.mean(-1), y_pred.mean(-1)
    together = ((y - means[1][..., None]) * (y_pred - means[1][..., None])).mean(-1)
    spread = y.var(-1, correction=0) + y_pred.var(-1, correction=0)
    return 2 * together / (spread + (means[0] - means[1]).square() + 1e-7)
