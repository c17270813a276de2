"""Layers of attention: to a sequence itself and to another one, behind masks, with scores."""

from __future__ import annotations

from collections.abc import Iterator

from .cases import Case, inputs_of
from .masked import graph

SEEN = "layers.Lambda(lambda v: v @ keras.ops.transpose(v, (0, 2, 1)) > 0)(x)"
FLAT = "out = layers.Concatenate()([layers.Flatten()(out[0]), layers.Flatten()(out[1])])\n"
GROUPED = (
    ("4, 6, 2", "(x, x, attention_mask=SEEN)", (5, 6), (5, 6)),
    ("3, 4, 2", "(x, y, return_attention_scores=True)", (5, 6), (3, 6)),
    ("4, 6, 2", "(x, x)", (5, 6), (5, 6)),
    ("3, 4, 1, use_bias=False", "(x, y, use_causal_mask=True)", (5, 6), (5, 6)),
    ("2, num_query_heads=2, num_key_value_heads=2, dropout=0.0", "(x, y, y)", (5, 6), (3, 6)),
)
MASKED_GROUPS = (
    ("4, 4, 2", "(x, x)"),
    ("3, 4, 1", "(x, y, use_causal_mask=True)"),
    ("4, 2, 2", "(y, x)"),
    ("4, 4, 2", "(x, x, return_attention_scores=True)"),
)
AXES = (
    ("2, 3, attention_axes=1", "(x, y)", (5, 6), (4, 7)),
    ("2, 3", "(x, x)", (3, 4, 6), (3, 4, 6)),
    ("2, 3, attention_axes=2, output_shape=5", "(x, y)", (3, 4, 6), (3, 5, 7)),
    ("2, 4, value_dim=3, attention_axes=(1,)", "(x, y, y)", (3, 4, 6), (5, 4, 6)),
    ("2, 3, attention_axes=[1, 3], use_bias=False", "(x, y)", (3, 2, 4, 6), (3, 2, 5, 6)),
)
MASKED = (
    ("2, 4", "(x, x)"),
    ("2, 4", "(x, x, use_causal_mask=True)"),
    ("2, 3, value_dim=4", "(x, y)"),
    ("2, 4", "(y, x)"),
    ("2, 4", "(y, y, x)"),
    ("2, 4", "(x, x, return_attention_scores=True)"),
)
COUNTS = "keras.ops.not_equal(i, 1)"
MASKED_SINGLE = (
    ("Attention", "", "([x, x])"),
    ("Attention", "", "([y, x])"),
    ("Attention", "", "([x, y])"),
    ("Attention", "", "([x, j, y])"),
    ("Attention", "", "([z, x], use_causal_mask=True)"),
    ("Attention", "use_scale=True", "([x, j])"),
    ("Attention", "score_mode='concat'", "([x, x], use_causal_mask=True)"),
    ("Attention", "dropout=0.0", f"([x, j], mask=[None, {COUNTS}])"),
    ("Attention", "score_mode='concat'", f"([y, x, j], mask=[{COUNTS}, i > 0])"),
    ("Attention", "", "([x, j], return_attention_scores=True)"),
    ("AdditiveAttention", "", "([x, x])"),
    ("AdditiveAttention", "use_scale=False", "([y, x, j])"),
    ("AdditiveAttention", "", "([x, j], use_causal_mask=True)"),
    ("AdditiveAttention", "", f"([y, x], mask=[{COUNTS}, None])"),
    ("AdditiveAttention", "", "([x, j], return_attention_scores=True)"),
)


def attention_cases() -> Iterator[Case]:
    """Attention of a sequence to itself and to another one, which may be wider."""
    samples = [
        ("2, 4", "(x, x)", (5, 6), (5, 6)),
        ("3, 2, value_dim=5, use_bias=False", "(x, y)", (5, 6), (4, 7)),
        ("2, 3, output_shape=8", "(x, y, y)", (5, 6), (5, 6)),
        ("num_heads=2, key_dim=4, dropout=0.0", "(x, x, use_causal_mask=True)", (5, 6), (5, 6)),
        ("2, 4", "(x, value=y, key=x)", (5, 6), (5, 6)),
        ("1, key_dim=4", "(query=x, value=y)", (5, 6), (3, 4)),
        ("2, 4", "(x, x, attention_mask=SEEN)", (5, 6), (5, 6)),
        ("2, 4, value_dim=3", "(x, y, attention_mask=SEEN, use_causal_mask=True)", (5, 6), (5, 4)),
        ("2, 4, use_bias=False", "(x, y, return_attention_scores=True)", (5, 6), (3, 4)),
        ("3, 2", "(x, x, attention_mask=SEEN, return_attention_scores=True)", (5, 6), (5, 6)),
    ]
    for arguments, called, one, other in samples:
        script = inputs_of(one, other) + (
            "x, y = layers.Dense(6)(i0), i1\n"
            f"out = layers.MultiHeadAttention({arguments}){called.replace('SEEN', SEEN)}\n"
            f"{FLAT if 'scores' in called else ''}"
            "out = layers.Concatenate()([layers.Flatten()(out), layers.Flatten()(y)])\n"
            "model = keras.Model([i0, i1], out)\n"
        )
        name = f"layers/MultiHeadAttention: {arguments} {called}"
        yield Case(name, "layers/MultiHeadAttention", script, (one, other))
    for arguments, called, one, other in AXES:
        script = inputs_of(one, other) + (
            "x, y = layers.Dense(6)(i0), i1\n"
            f"out = layers.MultiHeadAttention({arguments}){called}\n"
            "out = layers.Concatenate()([layers.Flatten()(out), layers.Flatten()(y)])\n"
            "model = keras.Model([i0, i1], out)\n"
        )
        name = f"layers/MultiHeadAttention: {arguments} {called} of {len(one) + 1} axes"
        yield Case(name, "layers/MultiHeadAttention", script, (one, other))
    for arguments, called, one, other in GROUPED:
        script = inputs_of(one, other) + (
            "x, y = layers.Dense(6)(i0), i1\n"
            f"out = layers.GroupQueryAttention({arguments}){called.replace('SEEN', SEEN)}\n"
            f"{FLAT if 'scores' in called else ''}"
            "out = layers.Concatenate()([layers.Flatten()(out), layers.Flatten()(y)])\n"
            "model = keras.Model([i0, i1], out)\n"
        )
        name = f"layers/GroupQueryAttention: {arguments} {called}"
        yield Case(name, "layers/GroupQueryAttention", script, (one, other))
    for kind, arguments, called in (
        *(("MultiHeadAttention", *sample) for sample in MASKED),
        *(("GroupQueryAttention", *sample) for sample in MASKED_GROUPS),
    ):
        for length in (6, 3):
            lines = (
                "y = layers.Embedding(4, 5)(i)\n"
                f"y = layers.{kind}({arguments}){called}\n"
                "x = layers.Add()([x, y])\n"
                "x = layers.GlobalAveragePooling1D()(layers.Dense(3)(x))\n"
                if "scores" not in called
                else f"x, y = layers.{kind}({arguments}){called}\n"
                "x = layers.Concatenate()([layers.Flatten()(x), layers.Flatten()(y)])\n"
            )
            yield graph(kind, f"{arguments} {called}", lines, length)


def single_head_cases() -> Iterator[Case]:
    """Attention of one head; the values may be wider than the keys."""
    samples = [
        ("Attention", "", "([x, y])", (4, 6)),
        ("Attention", "use_scale=True", "([x, y])", (4, 6)),
        ("Attention", "dropout=0.0", "([x, x], use_causal_mask=True)", (4, 6)),
        ("Attention", "use_scale=True, dropout=0.0", "([x, x, y], use_causal_mask=True)", (5, 6)),
        ("Attention", "", "([x, layers.Dense(3)(y), y])", (4, 6)),
        ("AdditiveAttention", "", "([x, y])", (4, 6)),
        ("AdditiveAttention", "use_scale=False", "([x, layers.Dense(3)(y), y])", (4, 6)),
        ("AdditiveAttention", "dropout=0.0", "([x, x, y], use_causal_mask=True)", (5, 6)),
        ("Attention", "score_mode='concat'", "([x, y])", (4, 6)),
        ("Attention", "True, score_mode='concat'", "([x, layers.Dense(3)(y), y])", (4, 6)),
        ("Attention", "score_mode='concat'", "([x, x], use_causal_mask=True)", (4, 6)),
        ("Attention", "True", "([x, y], return_attention_scores=True)", (4, 6)),
        ("AdditiveAttention", "", "([x, x, y], return_attention_scores=True)", (5, 6)),
    ]
    for kind, arguments, called, other in samples:
        script = inputs_of((5, 6), other) + (
            "x, y = layers.Dense(6)(i0), i1\n"
            f"out = layers.{kind}({arguments}){called}\n"
            f"{FLAT if 'scores' in called else ''}"
            "out = layers.Concatenate()([layers.Flatten()(out), layers.Flatten()(y)])\n"
            "model = keras.Model([i0, i1], out)\n"
        )
        name = f"layers/{kind}: {arguments} {called}"
        yield Case(name, f"layers/{kind}", script, ((5, 6), other))
    for kind, arguments, called in MASKED_SINGLE:
        for length in (6, 3):
            lines = (
                "y = layers.Embedding(4, 5)(i)\nz = layers.Dense(5)(x)\n"
                "j = layers.Embedding(4, 5, mask_zero=True)(keras.ops.flip(i, 1))\n"
                f"z = layers.{kind}({arguments}){called}\n"
            )
            lines += (
                "x = layers.Concatenate()([layers.Flatten()(z[0]), layers.Flatten()(z[1])])\n"
                if "scores" in called
                else "x = layers.GRU(3)(z)\n"
            )
            yield graph(kind, f"{arguments} {called}", lines, length)
