"""Keras initializers that torch.nn.init does not have; for weights (out, in, ...), in place.

Keras's normal ones are cut off at two deviations and widened by 1 / 0.8796 to keep their variance.
"""

import math

from torch import nn


def glorot_normal_(weight):
    """Keras's glorot_normal: variance 2 / (fan_in + fan_out), cut off at two deviations."""
    fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
    std = (2 / (fan_in + fan_out)) ** 0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def glorot_uniform_(weight):
    """Keras's glorot_uniform for a weight in Keras's order of axes: (..., in, out)."""
    field = math.prod(weight.shape[:-2])
    limit = (6 / (field * (weight.shape[-1] + weight.shape[-2:][0]))) ** 0.5
    return nn.init.uniform_(weight, -limit, limit)


def he_normal_(weight):
    """Keras's he_normal: variance 2 / fan_in, cut off at two deviations."""
    std = (2 / weight[0].numel()) ** 0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def lecun_normal_(weight):
    """Keras's lecun_normal: variance 1 / fan_in, cut off at two deviations."""
    std = weight[0].numel() ** -0.5 / 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def truncated_normal_(weight, std=0.05):
    """Keras's TruncatedNormal: a normal cut off at two deviations, hence 12 % narrower than std."""
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def variance_scaling_(weight, scale=1.0, mode="fan_in", distribution="truncated_normal"):
    """Keras's VarianceScaling: variance scale / fan, uniform, normal or normal cut at two stds."""
    fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = (scale / fan) ** 0.5
    if distribution == "uniform":
        return nn.init.uniform_(weight, -(3**0.5) * std, 3**0.5 * std)
    if distribution == "untruncated_normal":
        return nn.init.normal_(weight, std=std)
    std /= 0.87962566103423978
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def depthwise_glorot_uniform_(weight, multiplier):
    """Keras's glorot_uniform of a depthwise kernel: all channels count as its inputs."""
    fans = weight[0].numel() * (len(weight) // multiplier + multiplier)
    return nn.init.uniform_(weight, -((6 / fans) ** 0.5), (6 / fans) ** 0.5)
