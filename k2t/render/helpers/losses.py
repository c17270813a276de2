"""Losses of Keras's that torch does not have, a value for each number or sample."""

import torch
import torch.nn.functional as F


def hinge_labels(y):
    """Labels of -1 and 1; those of a batch that holds only zeros and ones are taken for them."""
    binary = ((y == 0) | (y == 1)).all()
    return torch.where(binary, 2 * y - 1, y)


def binary_focal_loss(logits, y, gamma, alpha=None):
    """Binary crossentropy that counts less where the probability is right already.

    alpha: the weight of the ones, 1 - alpha that of the zeros.
    """
    p = logits.sigmoid()
    right = y * p + (1 - y) * (1 - p)
    loss = (1 - right) ** gamma * F.binary_cross_entropy_with_logits(logits, y, reduction="none")
    return loss if alpha is None else (y * alpha + (1 - y) * (1 - alpha)) * loss


def categorical_focal_loss(logits, y, gamma, alpha):
    """Crossentropy over the last axis that counts less where the probability is right already."""
    p = logits.softmax(-1).clamp(1e-7, 1 - 1e-7)
    return (-alpha * (1 - p) ** gamma * y * p.log()).sum(-1)


def dice_loss(y_pred, y, axis=None):
    """One minus twice what both have in common by what they have together, over the axes."""
    common = (y * y_pred).sum(axis)
    return 1 - 2 * common / (y.sum(axis) + y_pred.sum(axis) + 1e-7)


def tversky_loss(y_pred, y, alpha=0.5, beta=0.5, axis=None):
    """Like Dice, with a weight for what is missed (alpha) and one for what is too much (beta)."""
    common = (y * y_pred).sum(axis)
    missed, wrong = ((1 - y_pred) * y).sum(axis), (y_pred * (1 - y)).sum(axis)
    return 1 - common / (common + missed * alpha + wrong * beta + 1e-7)


def circle_loss(embeddings, labels, gamma=80.0, margin=0.4):
    """Pulls normalized embeddings of a class together; the mean of the rows that have a loss.

    embeddings: (n, width); labels: (n,).
    """
    distances = (1 - embeddings @ embeddings.T).clamp_min(0)
    same = labels[:, None] == labels
    others = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    near = gamma * (distances + margin).clamp_min(0) * (distances - margin)
    far = gamma * (1 + margin - distances).clamp_min(0) * (1 - margin - distances)
    near = near.masked_fill(~others, -torch.inf).logsumexp(1)
    far = far.masked_fill(same, -torch.inf).logsumexp(1)
    losses = F.softplus(near + far)
    return losses.sum() / (losses > 0).sum().clamp_min(1)


def ctc_loss(logits, labels):
    """A value for each sequence; label 0 is the blank, and the padding of the labels.

    logits: (n, steps, classes); labels: (n, most).
    """
    steps = torch.full((len(logits),), logits.shape[1], device=logits.device)
    log_probs = logits.log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_probs, labels, steps, (labels != 0).sum(1), reduction="none")
