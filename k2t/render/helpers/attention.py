"""Attention over sequences as Keras computes it."""

import torch
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
        """Keras's Glorot uniform kernels and zero biases."""
        for part in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(part.weight)
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


class MultiHeadAttentionOverAxes(MultiHeadAttention):
    """MultiHeadAttention over some axes of (batch, ..., features), alike along the others."""

    def __init__(self, *sizes, axes, **options):
        super().__init__(*sizes, **options)
        self.axes, self.last = axes, tuple(range(-1 - len(axes), -1))

    def forward(self, query, value, key=None):
        query, value, key = (
            x.movedim(self.axes, self.last) for x in (query, value, value if key is None else key)
        )
        # (batch and other axes, places, features)
        parts = [x.flatten(self.last[0], -2).flatten(0, -3) for x in (query, value, key)]
        x = super().forward(*parts)
        return x.reshape(*query.shape[:-1], -1).movedim(self.last, self.axes)


def glorot_by_heads_(attention):
    """The Glorot uniform kernels of tf.keras: they have an axis for the heads, part of the fans."""
    heads = attention.num_heads
    for part in (attention.query, attention.key, attention.value, attention.output):
        size, outer = part.out_features // heads, part.in_features
        if part is attention.output:
            size, outer = part.in_features // heads + part.out_features - heads, heads
        limit = (6 / (outer * (heads + size))) ** 0.5
        nn.init.uniform_(part.weight, -limit, limit)
        if part.bias is not None:
            nn.init.zeros_(part.bias)


class MaskedMultiHeadAttention(MultiHeadAttention):
    """With a mask (batch, queries, keys), true where a query sees a key, and scores on request.

    A query that sees nothing gets the mean of all values; with zero_empty it gets zeros.
    """

    def __init__(self, *sizes, zero_empty=False, **options):
        super().__init__(*sizes, **options)
        self.zero_empty = zero_empty

    def forward(
        self,
        query,
        value,
        key=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        q = self.split(self.query(query))
        k = self.split(self.key(value if key is None else key))
        v = self.split(self.value(value))
        scores = q @ k.mT / q.shape[-1] ** 0.5
        mask = torch.ones_like(scores[:, 0], dtype=torch.bool)
        mask = mask.tril() if use_causal_mask else mask
        mask = (mask if attention_mask is None else mask & attention_mask.bool()).unsqueeze(1)
        scores = scores.masked_fill(~mask, -1e9).softmax(-1)
        scores = scores * mask.any(-1, keepdim=True) if self.zero_empty else scores
        x = F.dropout(scores, self.dropout, self.training) @ v
        x = self.output(x.transpose(1, 2).flatten(2))
        return (x, scores) if return_attention_scores else x


class GroupQueryAttention(nn.Module):
    """Keras's GroupQueryAttention over (batch, time, features): queries share keys and values."""

    def __init__(
        self,
        features,
        head_dim,
        num_query_heads,
        num_key_value_heads,
        dropout=0.0,
        bias=True,
    ):
        super().__init__()
        self.head_dim, self.dropout = head_dim, dropout
        width = num_key_value_heads * head_dim
        self.query = nn.Linear(features, num_query_heads * head_dim, bias)
        self.key = nn.Linear(features, width, bias)
        self.value = nn.Linear(features, width, bias)
        self.output = nn.Linear(num_query_heads * head_dim, features, bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Keras's Glorot uniform kernels and zero biases."""
        for part in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)

    def forward(self, query, value, key=None, use_causal_mask=False):
        q = self.split(self.query(query))
        k = self.split(self.key(value if key is None else key))
        v = self.split(self.value(value))
        dropout = self.dropout if self.training else 0.0
        x = F.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=use_causal_mask, enable_gqa=True
        )
        return self.output(x.transpose(1, 2).flatten(2))

    def split(self, x):
        """(batch, time, heads * head_dim) to (batch, heads, time, head_dim)."""
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)


class MaskedGroupQueryAttention(GroupQueryAttention):
    """With a mask (batch, queries, keys), true where a query sees a key, and scores on request.

    A query that sees nothing gets the mean of all values; with zero_empty it gets zeros.
    """

    def __init__(self, *sizes, zero_empty=False, **options):
        super().__init__(*sizes, **options)
        self.zero_empty = zero_empty

    def forward(
        self,
        query,
        value,
        key=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        q = self.split(self.query(query))
        k = self.split(self.key(value if key is None else key))
        v = self.split(self.value(value))
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
        scores = q @ k.mT / q.shape[-1] ** 0.5
        mask = torch.ones_like(scores[:, 0], dtype=torch.bool)
        mask = mask.tril() if use_causal_mask else mask
        mask = (mask if attention_mask is None else mask & attention_mask.bool()).unsqueeze(1)
        scores = scores.masked_fill(~mask, -1e9).softmax(-1)
        scores = scores * mask.any(-1, keepdim=True) if self.zero_empty else scores
        x = F.dropout(scores, self.dropout, self.training) @ v
        x = self.output(x.transpose(1, 2).flatten(2))
        return (x, scores) if return_attention_scores else x


class Attention(nn.Module):
    """Keras's Attention over (batch, time, features), whose scores are scaled by a weight."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.dropout = dropout
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, query, key, value, use_causal_mask=False):
        dropout = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(
            self.scale * query, key, value, dropout_p=dropout, is_causal=use_causal_mask, scale=1.0
        )


class AttentionFull(nn.Module):
    """Keras's Attention over (batch, time, features) with all it can be asked for.

    Scores are products of queries and keys, or with `concat` sums of tanh(query + key); either has
    its weight. query_mask and value_mask (batch, time) are true where a step counts; a query that
    sees no value gets the mean of all, and a query that is left out gets zeros.
    """

    def __init__(self, dropout=0.0, scaled=True, concat=False):
        super().__init__()
        self.dropout = dropout
        self.scale = nn.Parameter(torch.ones(())) if scaled else 1.0
        self.concat_scale = nn.Parameter(torch.ones(())) if concat else None

    def scores(self, query, key):
        if self.concat_scale is None:
            return query @ key.mT * self.scale
        both = query.unsqueeze(2) + key.unsqueeze(1)
        return self.concat_scale * (self.scale * both).tanh().sum(-1)

    def forward(
        self,
        query,
        key,
        value,
        query_mask=None,
        value_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        weights = masked_softmax(self.scores(query, key), value_mask, use_causal_mask)
        x = F.dropout(weights, self.dropout, self.training) @ value
        x = x if query_mask is None else x * query_mask.bool().unsqueeze(2)
        return (x, weights) if return_attention_scores else x


def masked_softmax(scores, value_mask=None, use_causal_mask=False):
    """Weights (batch, queries, values) of scores; what a query does not see has a score of -1e9."""
    hidden = torch.zeros_like(scores, dtype=torch.bool)
    if value_mask is not None:
        hidden = hidden | ~value_mask.bool().unsqueeze(1)
    if use_causal_mask:
        hidden = hidden | torch.ones_like(hidden).triu(1)
    return (scores - 1e9 * hidden).softmax(-1)


class AdditiveAttention(nn.Module):
    """Keras's AdditiveAttention over (batch, time, features): Bahdanau's scores.

    features: the size of the weight the scores are summed with; None: they are summed plainly.
    """

    def __init__(self, features=None, dropout=0.0):
        super().__init__()
        self.dropout = dropout
        self.scale = None
        if features is not None:
            # Glorot uniform, as Keras counts the fans of a vector
            limit = (3 / features) ** 0.5
            self.scale = nn.Parameter(torch.empty(features).uniform_(-limit, limit))

    def forward(self, query, key, value, use_causal_mask=False):
        scores = (query.unsqueeze(2) + key.unsqueeze(1)).tanh()
        scores = scores.sum(-1) if self.scale is None else scores @ self.scale
        if use_causal_mask:
            future = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(future, -torch.inf)
        return F.dropout(scores.softmax(-1), self.dropout, self.training) @ value


class AdditiveAttentionFull(nn.Module):
    """Keras's AdditiveAttention over (batch, time, features): Bahdanau's scores, with masks.

    features: the size of the weight the scores are summed with; None: they are summed plainly.
    query_mask and value_mask (batch, time) are true where a step counts; a query that sees no value
    gets the mean of all, and a query that is left out gets zeros.
    """

    def __init__(self, features=None, dropout=0.0):
        super().__init__()
        self.dropout = dropout
        self.scale = None
        if features is not None:
            # Glorot uniform, as Keras counts the fans of a vector
            limit = (3 / features) ** 0.5
            self.scale = nn.Parameter(torch.empty(features).uniform_(-limit, limit))

    def forward(
        self,
        query,
        key,
        value,
        query_mask=None,
        value_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        scores = (query.unsqueeze(2) + key.unsqueeze(1)).tanh()
        scores = scores.sum(-1) if self.scale is None else scores @ self.scale
        weights = masked_softmax(scores, value_mask, use_causal_mask)
        x = F.dropout(weights, self.dropout, self.training) @ value
        x = x if query_mask is None else x * query_mask.bool().unsqueeze(2)
        return (x, weights) if return_attention_scores else x
