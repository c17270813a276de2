"""Attention over sequences as Keras computes it."""

import torch.nn.functional as F
from torch import nn


class MultiHeadAttention(nn.Module):
    """Keras's MultiHeadAttention over (batch, time, features); each head has key_dim features.

    features is the width of the queries and of the output, value_features that of the rest.
    """

    def __init__(
        self,
        features,
        num_heads,
        key_dim,
        value_dim=None,
        value_features=None,
        output_features=None,
        dropout=0.0,
        bias=True,
    ):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        values, width = value_features or features, num_heads * key_dim
        value_width = num_heads * (value_dim or key_dim)
        self.query = nn.Linear(features, width, bias)
        self.key = nn.Linear(values, width, bias)
        self.value = nn.Linear(values, value_width, bias)
        self.output = nn.Linear(value_width, output_features or features, bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Keras's Glorot uniform: kernels have an axis for the heads, part of the fans."""
        heads = self.num_heads
        for part in (self.query, self.key, self.value, self.output):
            size, outer = part.out_features // heads, part.in_features
            if part is self.output:
                size, outer = part.in_features // heads + part.out_features - heads, heads
            limit = (6 / (outer * (heads + size))) ** 0.5
            nn.init.uniform_(part.weight, -limit, limit)
            if part.bias is not None:
                nn.init.zeros_(part.bias)

    def forward(self, query, value, key=None, use_causal_mask=False):
        q = self.split(self.query(query))
        k = self.split(self.key(value if key is None else key))
        v = self.split(self.value(value))
        dropout = self.dropout if self.training else 0.0
        x = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=use_causal_mask)
        return self.output(x.transpose(1, 2).flatten(2))

    def split(self, x):
        """(batch, time, heads * size) to (batch, heads, time, size)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
