"""Keras's constraints: what a weight becomes after a step."""


def max_norm(weight, largest, dim):
    """The weight with norms over dim that are at most largest."""
    norm = weight.norm(dim=dim, keepdim=True)
    return weight * norm.clamp_max(largest) / (1e-7 + norm)


def unit_norm(weight, dim):
    """The weight with norms over dim that are one."""
    return weight / (1e-7 + weight.norm(dim=dim, keepdim=True))


def min_max_norm(weight, smallest, largest, rate, dim):
    """The weight with norms over dim that are brought between two bounds, by rate in a step."""
    norm = weight.norm(dim=dim, keepdim=True)
    wanted = rate * norm.clamp(smallest, largest) + (1 - rate) * norm
    return weight * wanted / (1e-7 + norm)
