"""Child process: runs Keras layers and saves, under each case's name, all that came in and out.

Usage: python keras_layers.py OUT.npz. Keys are NAME/x, /w0.., /y, /dx (cotangent: NAME/dy), and
/mask, /state.., /moving.., /keep_x, /keep_h where the case has them.
"""

import sys
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.layers.rnn import dropout_rnn_cell

rng = np.random.default_rng(0)
saved = {}


def hard_sigmoid_2(x):
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def record(name, layer, shape, training=False, mask=None, steps=1):
    x = rng.normal(size=shape).astype("float32")
    layer.build(shape)
    # a random but smooth point: no weight is left at a default that hides a swapped one
    layer.set_weights(
        [
            np.abs(rng.normal(size=w.shape)) + 0.1
            if "variance" in w.path
            else rng.normal(size=w.shape) * 0.5
            for w in layer.weights
        ]
    )
    saved.update({f"{name}/x": x})
    saved.update({f"{name}/w{i}": w for i, w in enumerate(layer.get_weights())})
    kwargs = {} if mask is None else {"mask": mask}
    if training:
        kwargs["training"] = True
    for _ in range(steps):
        with tf.GradientTape() as tape:
            source = tf.constant(x)
            tape.watch(source)
            y = layer(source, **kwargs)
            outputs = list(y) if isinstance(y, (list, tuple)) else [y]
            dy = tf.constant(rng.normal(size=outputs[0].shape).astype("float32"))
            total = tf.reduce_sum(outputs[0] * dy)
        saved[f"{name}/dx"] = tape.gradient(total, source)
    saved.update({f"{name}/y": outputs[0], f"{name}/dy": dy})
    saved.update({f"{name}/state{i}": s for i, s in enumerate(outputs[1:])})
    if mask is not None:
        saved[f"{name}/mask"] = mask
    moving = [w for w in layer.weights if "moving" in w.path]
    saved.update({f"{name}/moving{i}": w.numpy() for i, w in enumerate(moving)})


for n, k, s, d, g in [
    (11, 3, 2, 1, 1), (12, 3, 2, 1, 1), (12, 4, 3, 1, 1), (11, 5, 3, 1, 2), (12, 4, 1, 2, 1),
    (7, 2, 4, 1, 1), (10, 1, 2, 1, 1),
]:  # fmt: skip
    case = f"{n},{k},{s},{d},{g}"
    options = {"strides": s, "dilation_rate": d, "padding": "same", "groups": g}
    record(f"SameConv1d:{case}", layers.Conv1D(6, k, **options), (2, n, 4))
    record(f"SameConv2d:{case}", layers.Conv2D(6, k, **options), (2, n, n + 3, 4))
    options["padding"] = "causal"
    record(f"CausalConv1d:{case}", layers.Conv1D(6, k, **options), (2, n, 4))

for n, k, s in [(11, 3, 2), (12, 3, 2), (12, 2, 2), (11, 2, 2), (9, 4, 3), (8, 3, 1), (7, 2, 4)]:
    case = f"{n},{k},{s}"
    for kind, pool in [("Max", "MaxPooling"), ("Avg", "AveragePooling")]:
        record(f"Same{kind}Pool1d:{case}", getattr(layers, f"{pool}1D")(k, s, "same"), (2, n, 3))
        record(
            f"Same{kind}Pool2d:{case}",
            getattr(layers, f"{pool}2D")((k, k + 1), s, "same"),
            (2, n, n + 1, 3),
        )

for dim, shape in [(1, (6, 5)), (1, (4, 7, 5)), (2, (3, 4, 6, 5)), (3, (2, 3, 4, 6, 5))]:
    bn = layers.BatchNormalization(momentum=0.9)
    record(f"BatchNorm{dim}d:{len(shape)}", bn, shape, training=True, steps=3)
    bn = layers.BatchNormalization()
    record(f"BatchNorm{dim}d:{len(shape)},inference", bn, shape)

record("PReLU:2", layers.PReLU(), (4, 5))
record("PReLU:4", layers.PReLU(), (2, 3, 4, 5))
record("hard_sigmoid:", layers.Activation(hard_sigmoid_2), (50, 40))
record("bilinear:", layers.UpSampling2D((2, 3), interpolation="bilinear"), (2, 5, 4, 3))
record("nearest:", layers.UpSampling2D((2, 3)), (2, 5, 4, 3))


@contextmanager
def watched_dropout(drawn):
    """Notes what dropout in recurrent cells draws."""
    dropout = dropout_rnn_cell.backend.random.dropout

    def draw(ones, rate, seed):
        drawn.append(dropout(ones, rate=rate, seed=seed).numpy())
        return tf.constant(drawn[-1])

    dropout_rnn_cell.backend.random.dropout = draw
    yield
    dropout_rnn_cell.backend.random.dropout = dropout


SHAPE = (3, 6, 4)
MASK = np.array([[1, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]], bool)
GATES = {"sigmoid": "sigmoid", "hard_sigmoid": "hard_sigmoid", "hard_sigmoid_2": hard_sigmoid_2}
RNN = {"return_sequences": True, "return_state": True}
for rnn in ("LSTM", "GRU", "SimpleRNN"):
    layer_type = getattr(layers, rnn)
    gates = (
        {"": {}}
        if rnn == "SimpleRNN"
        else {k: {"recurrent_activation": v} for k, v in GATES.items()}
    )
    for activation in ("tanh", "relu", "linear", "sigmoid"):
        for gate, options in gates.items():
            for reset in (True, False) if rnn == "GRU" else (None,):
                extra = {} if reset is None else {"reset_after": reset}
                case = f"{activation},{gate},{'' if reset is None else reset}"
                layer = layer_type(5, activation, **options, **extra, **RNN)
                record(f"{rnn}:{case}", layer, SHAPE)
                layer = layer_type(5, activation, **options, **extra, **RNN)
                record(f"{rnn}:{case},masked", layer, SHAPE, mask=MASK)
    for reset in (True, False) if rnn == "GRU" else (None,):
        extra = {} if reset is None else {"reset_after": reset}
        for mask in (None, MASK):
            drawn = []
            layer = layer_type(5, dropout=0.4, recurrent_dropout=0.3, **extra, **RNN)
            name = (
                f"{rnn}:dropout,{'' if reset is None else reset}{'' if mask is None else ',masked'}"
            )
            with watched_dropout(drawn):
                record(name, layer, SHAPE, training=True, mask=mask)
            gates_x = [m for m in drawn if m.shape[-1] == SHAPE[-1]]
            gates_h = [m for m in drawn if m.shape[-1] == 5]
            saved.update({f"{name}/keep_x": gates_x, f"{name}/keep_h": gates_h})

for activation, gate, kernel, padding, strides in [
    ("tanh", "sigmoid", (3, 3), "same", 1),
    ("relu", "hard_sigmoid", (2, 4), "same", 1),
    ("tanh", "hard_sigmoid_2", (3, 2), "valid", 2),
]:
    layer = layers.ConvLSTM2D(
        3,
        kernel,
        padding=padding,
        strides=strides,
        activation=activation,
        recurrent_activation=GATES[gate],
        return_sequences=True,
    )
    record(f"ConvLSTM2d:{activation},{gate},{padding}", layer, (2, 4, 7, 6, 2))

drawn = []
layer = layers.ConvLSTM2D(3, 2, dropout=0.4, recurrent_dropout=0.3, return_sequences=True)
with watched_dropout(drawn):
    record("ConvLSTM2d:dropout", layer, (2, 4, 7, 6, 2), training=True)
for key, channels in (("keep_x", 2), ("keep_h", 3)):
    saved[f"ConvLSTM2d:dropout/{key}"] = [m for m in drawn if m.shape[-1] == channels]

for name, layer in [
    ("GaussianNoise", layers.GaussianNoise(0.3)), ("GaussianDropout", layers.GaussianDropout(0.2))
]:  # fmt: skip
    noisy = layer(np.full((200, 1000), 2.0, "float32"), training=True)
    saved[f"{name}/y"] = noisy

np.savez(sys.argv[1], **{k: np.asarray(v) for k, v in saved.items()})
