"""Schedules of the learning rate that take more than a formula: Keras's at each step."""

import math

import numpy as np


def warmed_up_cosine(step, start, target, warmup_steps, decay_steps, alpha=0.0):
    """The rate at a step: a line from `start` to `target`, then a cosine down to a part of it."""
    if step < warmup_steps:
        return start + (target - start) * step / warmup_steps
    done = min((step - warmup_steps) / decay_steps, 1)
    return target * (alpha + (1 - alpha) * (1 + math.cos(math.pi * done)) / 2)


def cosine_restarts(step, first_steps, t_mul=2.0, m_mul=1.0, alpha=0.0):
    """What the rate is multiplied by: cosines, each `t_mul` times as long and `m_mul` as high.

    Where one ends is settled in float32, as in Keras.
    """
    done = np.float32(step) / np.float32(first_steps)
    grows = np.float32(t_mul)
    if grows == 1:
        restarts = np.floor(done)
        done -= restarts
    else:
        restarts = np.floor(np.log(1 - done * (1 - grows)) / np.log(grows))
        done = (done - (1 - grows**restarts) / (1 - grows)) / grows**restarts
    height = m_mul ** float(restarts)
    return alpha + (1 - alpha) * height * (1 + math.cos(math.pi * done)) / 2
