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
