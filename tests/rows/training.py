"""Scripts that prove the rows of initializers, regularizers, losses, metrics and optimizers."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from k2t import table

from .cases import BOUND, HEAD, Case, activation_cases, layer_cases
from .operations import activation_names, op_cases

SCRIPT = """import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(0)
x = {x}
y = {y}
w = rng.uniform(0.5, 2.0, {n}).astype("float32")
model = keras.Sequential([{layers}])
model.compile(optimizer={optimizer}, loss={loss}, metrics={metrics})
model.fit(x, y, batch_size={batch}, epochs={epochs}, shuffle=False{weights})
"""
EVALUATE = "scores = model.evaluate(x, y, batch_size=8)\n"


@dataclass(frozen=True)
class Trained:
    """A script that compiles and fits one model.

    Args:
        mode: "initial" compares the distribution of the initial weights; "loss" value and gradient
            of one batch; "metrics" what `evaluate` returns; "fit" the weights after training,
            relative to the way they have gone.
    """

    name: str
    row: str
    script: str
    mode: str
    reference: str = ""
    dialect: str = "keras3"
    bound: float = BOUND

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.encode())


def floats(text: str) -> str:
    return f'{text}.astype("float32")'


TARGETS = {
    "onehot": "np.eye(3, dtype='float32')[rng.randint(0, 3, {n})]",
    "labels": "rng.randint(0, 3, {n})",
    "label column": "rng.randint(0, 3, ({n}, 1))",
    "label sequences": "rng.randint(0, 3, ({n}, 6))",
    "bits": floats("rng.randint(0, 2, ({n}, 3))"),
    "bit": "rng.randint(0, 2, {n})",
    "signs": floats("(2 * rng.randint(0, 2, ({n}, 3)) - 1)"),
    "normal": floats("rng.normal(size=({n}, 3))"),
    "number": floats("rng.normal(size={n})"),
    "sequences": floats("rng.normal(size=({n}, 6, 3))"),
    "positive": floats("rng.uniform(0.1, 1.0, ({n}, 3))"),
    "padded sequences": "rng.randint(1, 3, ({n}, 6)) * (np.arange(6) < rng.randint(1, 4, "
    "({n}, 1)))",
    "shares": floats("rng.dirichlet(np.ones(3), {n})"),
}


def script(
    target: str,
    tail: str | None,
    loss: str,
    metrics: str = "[]",
    weighted: bool = False,
    n: int = 20,
    batch: int = 20,
) -> str:
    """A Dense layer on the data; `tail` its activation, with "layers." a layer of its own."""
    units = 1 if target in ("bit", "number") else 3
    shape = (6, 5) if "sequences" in target else (5,)
    inside = f"layers.Dense({units}{f', activation={tail!r}' if tail else ''})"
    return SCRIPT.format(
        x=floats(f"rng.normal(size={(n, *shape)})"),
        y=TARGETS[target].format(n=n),
        n=n,
        layers=f"keras.Input({shape}), {inside}",
        optimizer='"sgd"',
        loss=loss,
        metrics=metrics,
        batch=batch,
        epochs=1,
        weights=", sample_weight=w" if weighted else "",
    )


# ------------------------------------------------------------------------------------------- losses

CROSS = {
    "categorical_crossentropy": ("softmax", "sigmoid", ["onehot"]),
    "sparse_categorical_crossentropy": (
        "softmax",
        "sigmoid",
        ["labels", "label column", "label sequences"],
    ),
    "binary_crossentropy": ("sigmoid", "softmax", ["bits", "bit"]),
}
OTHER = {
    "mean_squared_error": (None, ["normal", "number", "sequences"]),
    "mean_absolute_error": (None, ["normal", "number", "sequences"]),
    "huber": (None, ["normal", "number"]),
    "log_cosh": (None, ["normal"]),
    "poisson": ("softplus", ["positive"]),
    "cosine_similarity": (None, ["normal"]),
    "kl_divergence": ("softmax", ["shares"]),
    "mean_absolute_percentage_error": (None, ["normal"]),
    "mean_squared_logarithmic_error": ("sigmoid", ["positive"]),
    "hinge": (None, ["bits", "bit", "signs"]),
    "squared_hinge": ("tanh", ["bits", "signs"]),
    "categorical_hinge": ("softmax", ["onehot"]),
    "dice": ("sigmoid", ["bits"]),
    "tversky": ("sigmoid", ["bits"]),
    "categorical_generalized_cross_entropy": ("softmax", ["labels"]),
    "circle": (None, ["labels"]),
    "ctc": (None, ["padded sequences"]),
}
MORE = {
    "mean_squared_error": ["reduction='sum'"],
    "mean_absolute_error": ["reduction='mean_with_sample_weight'"],
    "huber": ["delta=0.5"],
    "log_cosh": ["reduction='sum'"],
    "dice": ["axis=1"],
    "tversky": ["0.3, 0.7", "alpha=0.3, beta=0.7, axis=(1,)"],
    "circle": ["gamma=20.0, margin=0.3"],
    "categorical_generalized_cross_entropy": ["q=0.3"],
}
"""Arguments of some losses; those that give no value for each sample take no weights."""
FOCAL = {
    "binary_focal_crossentropy": (
        "sigmoid",
        ["bits", "bit"],
        ["gamma=1.5", "apply_class_balancing=True, alpha=0.4"],
    ),
    "categorical_focal_crossentropy": ("softmax", ["onehot"], ["gamma=1.5, alpha=0.4"]),
}


def loss_cases() -> list[Trained]:
    found = []
    for row in table.load().section("losses").values():
        for target, tail, loss in loss_samples(row.name, row.keras[0].rpartition(".")[2]):
            alone = "sequences" in target or row.get("rank") == 0 or "ignore" in loss
            for weighted in (False,) if alone else (False, True):
                extra = ", weighted" if weighted else ""
                name = f"losses/{row.name}: {loss} of {tail} and {target}{extra}"
                text = script(target, tail, loss, weighted=weighted)
                found.append(Trained(name, f"losses/{row.name}", text, "loss"))
    return found


def loss_samples(name: str, cls: str) -> Iterator[tuple[str, str | None, str]]:
    """(target, activation of the model, the loss as written)."""
    cls = f"keras.losses.{cls}"
    if name in FOCAL:
        tail, targets, more = FOCAL[name]
        yield from ((target, tail, f'"{name}"') for target in targets)
        yield targets[0], None, f"{cls}(from_logits=True)"
        yield from ((targets[0], tail, f"{cls}({one})") for one in (*more, "label_smoothing=0.1"))
        return
    if name not in CROSS:
        tail, targets = OTHER[name]
        if table.load().section("losses")[name].get("strings"):
            yield from ((target, tail, f'"{name}"') for target in targets)
        yield targets[0], tail, f"{cls}()"
        for one in MORE.get(name, ()):
            yield targets[0], tail, f"{cls}({one})"
        return
    tail, other, targets = CROSS[name]
    for target in targets:
        yield target, tail, f'"{name}"'
        yield target, None, f"{cls}(from_logits=True)"
    yield targets[0], tail, f"{cls}()"
    yield targets[0], other, f'"{name}"'
    if name.startswith("sparse"):
        yield "labels", tail, f"{cls}(ignore_class=1)"
        yield "label sequences", None, f"{cls}(from_logits=True, ignore_class=2)"
        yield "label sequences", tail, f"{cls}(reduction='sum')"
    yield targets[0], tail, f"{cls}(reduction='sum')"
    yield targets[0], None, f"{cls}(from_logits=True, reduction='mean_with_sample_weight')"
    if name != "sparse_categorical_crossentropy":
        yield targets[0], tail, f"{cls}(label_smoothing=0.1)"
        yield targets[0], None, f"{cls}(from_logits=True, label_smoothing=0.1)"
        yield targets[0], other, f"{cls}(label_smoothing=0.1)"


def regularizer_cases() -> list[Trained]:
    arguments = {
        "L2": ["0.05"],
        "L1": ["0.05"],
        "L1L2": ["l1=0.02, l2=0.03"],
        "OrthogonalRegularizer": ["0.5", "factor=0.3, mode='columns'"],
    }
    found = []
    for row in table.load().section("regularizers").values():
        called = [f"keras.regularizers.{row.name}({one})" for one in arguments[row.name]]
        matrix = row.name == "OrthogonalRegularizer"  # which takes no vector
        for value in (*called, *(f'"{s}"' for s in row.get("strings")[:1] if row.name != "L1L2")):
            bias = "" if matrix else f", bias_regularizer={value}"
            layer = f"layers.Dense(3, kernel_regularizer={value}{bias})"
            text = script("normal", None, '"mse"').replace("layers.Dense(3)", layer)
            name = f"regularizers/{row.name}: {value}"
            found.append(Trained(name, f"regularizers/{row.name}", text, "loss"))
    for mode in ("rows", "columns"):
        value = f"keras.regularizers.OrthogonalRegularizer(0.5, mode='{mode}')"
        layers = f"layers.Embedding(6, 4, embeddings_regularizer={value}), layers.Flatten(), "
        text = script("normal", None, '"mse"').replace(
            "layers.Dense(3)", layers + "layers.Dense(3)"
        )
        text = re.sub(r"(?m)^x = .*$", "x = rng.randint(0, 6, (20, 5))", text)
        name = f"regularizers/OrthogonalRegularizer: of an Embedding, {mode}"
        found.append(Trained(name, "regularizers/OrthogonalRegularizer", text, "loss"))
    return found


# ------------------------------------------------------------------------------------------ metrics

LOGITS, SATURATED = "logits", "saturated"
"""A model without activation, whose loss takes logits; activations that round to 0 and 1."""


def counted(name: str) -> list[tuple[str, str | None, str]]:
    return [
        ("bit", "sigmoid", f"keras.metrics.{name}()"),
        ("bits", None, f"keras.metrics.{name}(thresholds=0.3)"),
    ]


def at_least(called: str) -> list[tuple[str, str | None, str]]:
    return [
        ("bit", "sigmoid", f"keras.metrics.{called})"),
        ("bit", SATURATED, f"keras.metrics.{called})"),
        ("bits", "sigmoid", f"keras.metrics.{called}, num_thresholds=30, class_id=1)"),
    ]


METRICS = {
    "accuracy": [
        ("onehot", "softmax", '"accuracy"'),
        ("labels", "softmax", '"acc"'),
        ("label column", "softmax", '"accuracy"'),
        ("label sequences", "softmax", '"accuracy"'),
        ("bit", "sigmoid", '"accuracy"'),
        ("bits", "sigmoid", '"accuracy"'),
        ("bit", LOGITS, '"accuracy"'),
        ("bits", "relu", '"accuracy"'),
    ],
    "BinaryAccuracy": [
        ("bit", "sigmoid", '"binary_accuracy"'),
        ("bits", "sigmoid", '"binary_accuracy"'),
        ("bit", "sigmoid", "keras.metrics.BinaryAccuracy(threshold=0.3)"),
        ("bit", LOGITS, "keras.metrics.BinaryAccuracy(threshold=0.0)"),
        ("bits", None, "keras.metrics.BinaryAccuracy()"),
    ],
    "CategoricalAccuracy": [
        ("onehot", "softmax", '"categorical_accuracy"'),
        ("onehot", "softmax", "keras.metrics.CategoricalAccuracy()"),
    ],
    "SparseCategoricalAccuracy": [
        ("labels", "softmax", '"sparse_categorical_accuracy"'),
        ("label sequences", "softmax", "keras.metrics.SparseCategoricalAccuracy()"),
    ],
    "MeanSquaredError": [
        ("normal", None, '"mse"'),
        ("number", None, '"mse"'),
        ("onehot", "softmax", '"mse"'),
        ("sequences", None, "keras.metrics.MeanSquaredError()"),
    ],
    "RootMeanSquaredError": [
        ("normal", None, "keras.metrics.RootMeanSquaredError()"),
        ("number", None, "keras.metrics.RootMeanSquaredError()"),
    ],
    "MeanAbsoluteError": [
        ("normal", None, '"mae"'),
        ("number", None, '"mae"'),
        ("bit", "sigmoid", '"mae"'),
    ],
    "MeanAbsolutePercentageError": [("normal", None, '"mape"')],
    "BinaryCrossentropy": [
        ("bits", "sigmoid", '"binary_crossentropy"'),
        ("bits", "sigmoid", "keras.metrics.BinaryCrossentropy()"),
        ("bits", LOGITS, "keras.metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)"),
    ],
    "AUC": [
        ("bit", "sigmoid", "keras.metrics.AUC()"),
        ("bit", "sigmoid", "keras.metrics.AUC(num_thresholds=50)"),
        ("bit", SATURATED, "keras.metrics.AUC()"),
        ("bit", LOGITS, "keras.metrics.AUC(from_logits=True)"),
        ("bit", LOGITS, "keras.metrics.AUC()"),
        ("bit", SATURATED, "keras.metrics.AUC(curve='PR')"),
        ("bit", "sigmoid", "keras.metrics.AUC(curve='PR', summation_method='minoring')"),
        ("bit", "sigmoid", "keras.metrics.AUC(summation_method='majoring')"),
        ("bits", "sigmoid", "keras.metrics.AUC(multi_label=True, num_labels=3)"),
        ("bits", "sigmoid", "keras.metrics.AUC(50, curve='PR', multi_label=True)"),
        ("onehot", "softmax", '"auc"'),
    ],
    "Precision": [
        ("bit", "sigmoid", "keras.metrics.Precision()"),
        ("bits", "sigmoid", "keras.metrics.Precision()"),
        ("bit", "sigmoid", "keras.metrics.Precision(0.3)"),
        ("bit", LOGITS, "keras.metrics.Precision()"),
        ("onehot", "softmax", "keras.metrics.Precision(class_id=1, thresholds=[0.4])"),
        ("bit", "sigmoid", '"precision"'),
    ],
    "MeanSquaredLogarithmicError": [("positive", "sigmoid", '"msle"')],
    "LogCoshError": [("normal", None, "keras.metrics.LogCoshError()")],
    "Poisson": [
        ("positive", "softplus", "keras.metrics.Poisson()"),
        ("positive", "softplus", "keras.metrics.poisson"),
    ],
    "KLDivergence": [("shares", "softmax", "keras.metrics.KLDivergence()")],
    "CosineSimilarity": [("normal", None, "keras.metrics.CosineSimilarity()")],
    "Hinge": [("bits", None, '"hinge"'), ("signs", "tanh", "keras.metrics.Hinge()")],
    "SquaredHinge": [("signs", "tanh", "keras.metrics.SquaredHinge()")],
    "CategoricalHinge": [("onehot", "softmax", "keras.metrics.CategoricalHinge()")],
    "CategoricalCrossentropy": [
        ("onehot", "softmax", '"categorical_crossentropy"'),
        (
            "onehot",
            LOGITS,
            "keras.metrics.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)",
        ),
        ("onehot", SATURATED, '"categorical_crossentropy"'),
    ],
    "SparseCategoricalCrossentropy": [
        ("labels", "softmax", "keras.metrics.SparseCategoricalCrossentropy()"),
        ("labels", LOGITS, "keras.metrics.SparseCategoricalCrossentropy(from_logits=True)"),
        ("label sequences", "softmax", '"sparse_categorical_crossentropy"'),
    ],
    "TopKCategoricalAccuracy": [
        ("onehot", "softmax", "keras.metrics.TopKCategoricalAccuracy(k=2)"),
        ("onehot", "softmax", "keras.metrics.TopKCategoricalAccuracy(2, name='best')"),
    ],
    "SparseTopKCategoricalAccuracy": [
        ("labels", "softmax", "keras.metrics.SparseTopKCategoricalAccuracy(k=2)"),
        ("labels", "softmax", '"sparse_top_k_categorical_accuracy"'),
    ],
    "Recall": [
        ("bit", "sigmoid", "keras.metrics.Recall()"),
        ("bits", "sigmoid", "keras.metrics.Recall()"),
        ("bit", "sigmoid", "keras.metrics.Recall(0.3)"),
        ("bit", LOGITS, "keras.metrics.Recall()"),
        ("onehot", "softmax", "keras.metrics.Recall(class_id=1, thresholds=[0.4])"),
        ("bit", "sigmoid", '"recall"'),
    ],
    "TruePositives": counted("TruePositives"),
    "TrueNegatives": counted("TrueNegatives"),
    "FalsePositives": counted("FalsePositives"),
    "FalseNegatives": counted("FalseNegatives"),
    "PrecisionAtRecall": at_least("PrecisionAtRecall(0.6"),
    "RecallAtPrecision": at_least("RecallAtPrecision(0.5"),
    "SensitivityAtSpecificity": at_least("SensitivityAtSpecificity(0.5"),
    "SpecificityAtSensitivity": at_least("SpecificityAtSensitivity(0.5"),
    "F1Score": [
        ("onehot", "softmax", "keras.metrics.F1Score(average='macro')"),
        ("onehot", "softmax", "keras.metrics.F1Score(average='weighted')"),
        ("bits", "sigmoid", "keras.metrics.F1Score('micro', threshold=0.5)"),
    ],
    "FBetaScore": [
        ("onehot", "softmax", "keras.metrics.FBetaScore(average='macro', beta=2.0)"),
        ("bits", "sigmoid", "keras.metrics.FBetaScore('micro', 0.5, threshold=0.3)"),
    ],
    "MeanIoU": [
        ("labels", "softmax", "keras.metrics.MeanIoU(3, sparse_y_pred=False)"),
        ("label sequences", "softmax", "keras.metrics.MeanIoU(3, sparse_y_pred=False)"),
        (
            "label sequences",
            "softmax",
            "keras.metrics.MeanIoU(num_classes=3, ignore_class=1, sparse_y_pred=False)",
        ),
        ("onehot", "softmax", "keras.metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False)"),
        ("bits", "sigmoid", "keras.metrics.MeanIoU(num_classes=2)"),
    ],
    "IoU": [
        ("label sequences", "softmax", "keras.metrics.IoU(3, [0, 2], sparse_y_pred=False)"),
        ("labels", "softmax", "keras.metrics.IoU(3, (1,), sparse_y_pred=False)"),
    ],
    "BinaryIoU": [
        ("bits", "sigmoid", "keras.metrics.BinaryIoU()"),
        ("bits", "sigmoid", "keras.metrics.BinaryIoU([1], threshold=0.3)"),
    ],
    "OneHotIoU": [("onehot", "softmax", "keras.metrics.OneHotIoU(3, target_class_ids=[0])")],
    "OneHotMeanIoU": [("onehot", "softmax", "keras.metrics.OneHotMeanIoU(num_classes=3)")],
    "R2Score": [
        ("normal", None, "keras.metrics.R2Score()"),
        ("number", None, '"r2_score"'),
    ],
    "Accuracy": [("bits", "relu", "keras.metrics.Accuracy()")],
    "PearsonCorrelation": [("normal", None, "keras.metrics.PearsonCorrelation()")],
    "ConcordanceCorrelation": [("normal", None, "keras.metrics.ConcordanceCorrelation()")],
}
LOSS_FOR = {
    "onehot": "categorical_crossentropy",
    "labels": "sparse_categorical_crossentropy",
    "label column": "sparse_categorical_crossentropy",
    "label sequences": "sparse_categorical_crossentropy",
    "bit": "binary_crossentropy",
    "bits": "binary_crossentropy",
}


def metric_cases() -> list[Trained]:
    """Each metric over five batches, the last a short one."""
    found = []
    for row in table.load().section("metrics").values():
        for target, tail, metric in METRICS[row.name]:
            name = LOSS_FOR.get(target, "mse")
            loss, activation = f'"{name}"', tail
            if tail == SATURATED:
                activation = "softmax" if target == "onehot" else "sigmoid"
            elif tail == LOGITS:
                cls = "".join(word.capitalize() for word in name.split("_"))
                loss, activation = f"keras.losses.{cls}(from_logits=True)", None
            text = script(target, activation, loss, f"[{metric}]", n=36, batch=8) + EVALUATE
            if tail == SATURATED:
                text = text.replace("x = rng.normal", "x = 60 * rng.normal")
            name = f"metrics/{row.name}: {metric} of {tail} and {target}"
            found.append(Trained(name, f"metrics/{row.name}", text, "metrics"))
    return found


# --------------------------------------------------------------------------------------- optimizers

OPTIMIZERS = {
    "SGD": [
        "0.05",
        "0.05, momentum=0.9",
        "0.05, momentum=0.9, nesterov=True",
        "0.05, clipnorm=1e-4",
        "0.05, momentum=0.9, global_clipnorm=1e-2",
        "0.05, clipvalue=1e-5",
        "0.05, weight_decay=0.01",
        "0.05, momentum=0.9, nesterov=True, weight_decay=0.1",
    ],
    "RMSprop": [
        "",
        "1e-3, rho=0.8",
        "1e-3, momentum=0.5",
        "1e-3, centered=True",
        "1e-3, weight_decay=0.1",
    ],
    "Adam": [
        "",
        "0.01, beta_1=0.8, beta_2=0.99",
        "epsilon=1e-3",
        "amsgrad=True",
        "weight_decay=0.01",
        "clipnorm=1e-4",
        "loss_scale_factor=128.0",
        "global_clipnorm=1e-4",
    ],
    "AdamW": ["", "1e-2, weight_decay=0.05"],
    "Adagrad": ["", "0.1, initial_accumulator_value=0.0", "0.1, epsilon=1e-3, weight_decay=0.1"],
    "Adadelta": ["", "1.0", "1.0, rho=0.8, epsilon=1e-4, weight_decay=1e-3"],
    "Adamax": ["", "0.01", "0.01, beta_1=0.8, epsilon=1e-3, weight_decay=0.1"],
    "Nadam": ["", "0.01", "0.01, beta_1=0.8, epsilon=1e-3, weight_decay=0.1"],
    "Ftrl": [
        "",
        "0.1, l1_regularization_strength=1e-5, l2_regularization_strength=1e-3",
        "0.1, -0.7, 0.2, l2_shrinkage_regularization_strength=1e-4, beta=0.1, weight_decay=1e-3",
    ],
    "Lamb": ["", "0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-4, weight_decay=0.1"],
    "Adafactor": ["", "0.05, beta_2_decay=-0.7, epsilon_2=0.01, clip_threshold=0.8"],
    "ScheduleFreeAdamW": ["", "0.01, beta_1=0.8, warmup_steps=20, weight_decay=0.1"],
    "LossScaleOptimizer": ["keras.optimizers.SGD(0.05, momentum=0.9)"],
    "Lion": ["", "1e-2, beta_1=0.8, beta_2=0.95", "weight_decay=0.05"],
}


# Keras takes powers of float32 betas: 1 - beta_2 is off by 3e-5 there, and Adam's first steps by
# half of that.
BOUNDS = {"Adam": 3e-5, "AdamW": 3e-5, "Nadam": 3e-5, "Lamb": 3e-5, "ScheduleFreeAdamW": 3e-5}


def optimizer_cases() -> list[Trained]:
    """Sixty steps (four batches, fifteen times) with gradients of 1e-3, and of ordinary size."""
    found = []
    for row in table.load().section("optimizers").values():
        if row.name.endswith("Legacy"):  # of tf.keras alone
            continue
        for i, arguments in enumerate(OPTIMIZERS[row.name]):
            optimizer = f"keras.optimizers.{row.name}({arguments})"
            bound = BOUNDS.get(row.name, BOUND)
            for scale in ("1e-3", "1.0") if i == 0 else ("1e-3",):
                name = f"optimizers/{row.name}: {optimizer} at gradients of {scale}"
                text = optimizer_script(optimizer, scale)
                found.append(Trained(name, f"optimizers/{row.name}", text, "fit", bound=bound))
    return found


def schedule_cases() -> list[Trained]:
    """240 steps with each sample of each schedule, with and without momentum."""
    found = []
    for row in table.load().section("schedules").values():
        for arguments in row.get("samples"):
            rate = f"keras.optimizers.schedules.{row.name}({arguments})"
            for optimizer in (f"SGD({rate})", f"SGD({rate}, momentum=0.9)"):
                text = optimizer_script(f"keras.optimizers.{optimizer}", "0.1", times=60)
                name = f"schedules/{row.name}: {optimizer}"
                found.append(Trained(name, f"schedules/{row.name}", text, "fit"))
    return found


HELD = {
    "Dense(8, bias_constraint='non_neg', kernel_constraint={})": "6",
    "Conv1D(4, 3, kernel_constraint={})": "6, 1",
    "Conv2D(4, 2, kernel_constraint={})": "3, 2, 1",
}


def constraint_cases() -> list[Trained]:
    """Sixty steps of a layer whose kernel is held, with each sample of each constraint."""
    found = []
    for row in table.load().section("constraints").values():
        called = [f"keras.constraints.{row.name}({one})" for one in row.get("samples")]
        for (layer, shape), value in itertools.product(
            HELD.items(), (*called, f"'{row.get('strings')[0]}'")
        ):
            text = SCRIPT.format(
                x=floats(f"rng.normal(size=(960, {shape}))"),
                y=floats("rng.normal(size=(960, 1))"),
                n=960,
                layers=f"keras.Input(({shape},)), layers.{layer.format(value)}, layers.Flatten(), "
                "layers.Dense(1)",
                optimizer='"sgd"',
                loss='"mse"',
                metrics="[]",
                batch=16,
                epochs=1,
                weights="",
            )
            name = f"constraints/{row.name}: {value} of {layer.partition('(')[0]}"
            found.append(Trained(name, f"constraints/{row.name}", text, "fit"))
    return found


def optimizer_script(optimizer: str, scale: str = "1.0", times: int = 15) -> str:
    return SCRIPT.format(
        x=f'np.tile({scale} * rng.normal(size=(64, 6)), ({times}, 1)).astype("float32")',
        y=f'np.tile(rng.normal(size=(64, 1)), ({times}, 1)).astype("float32")',
        n=64 * times,
        layers="keras.Input((6,)), layers.Dense(8, use_bias=False), "
        "layers.Dense(1, use_bias=False)",
        optimizer=optimizer,
        loss='"mse"',
        metrics="[]",
        batch=16,
        epochs=1,
        weights="",
    )


# ----------------------------------------------------------------------------------- initial values

ARGUMENTS = {
    "RandomNormal": "mean=0.1, stddev=0.2",
    "RandomUniform": "minval=-0.2, maxval=0.1",
    "TruncatedNormal": "mean=0.1, stddev=0.2",
    "Constant": "0.3",
    "Orthogonal": "gain=1.5",
    "Identity": "gain=1.5",
    "VarianceScaling": "2.0, mode='fan_avg', distribution='uniform'",
}
DRAWN = [
    ("Conv1D", "(9, 64)", "layers.Conv1D(128, 3)"),
    ("Embedding", "(6,)", "layers.Embedding(400, 64)"),
    ("EinsumDense", "(6, 400)", "layers.EinsumDense('abc,cde->abde', (6, 8, 64))"),
    ("LSTM", "(6, 100)", "layers.LSTM(128)"),
    ("GRU", "(6, 100)", "layers.GRU(128)"),
    ("SimpleRNN", "(6, 100)", "layers.SimpleRNN(128)"),
    ("Bidirectional", "(6, 100)", "layers.Bidirectional(layers.LSTM(128))"),
    ("BatchNormalization", "(5,)", "layers.BatchNormalization()"),
    ("LayerNormalization", "(5,)", "layers.LayerNormalization()"),
    ("PReLU", "(5,)", "layers.PReLU()"),
]


def initial_cases() -> list[Trained]:
    """Every initializer on kernels of Dense and Conv2D, and what the other layers start from."""
    found = []
    for row in table.load().section("initializers").values():
        called = f"keras.initializers.{row.name}({ARGUMENTS.get(row.name, '')})"
        strings = [] if row.name == "Constant" else [f"'{row.get('strings')[0]}'"]
        for value in (*strings, called):
            given = f"kernel_initializer={value}"
            layers = [("(400,)", f"layers.Dense(600, {given})")]
            if row.name != "Identity":
                layers.append(("(8, 8, 64)", f"layers.Conv2D(128, 3, {given})"))
            for shape, layer in layers:
                found.append(initial(f"initializers/{row.name}", shape, layer))
    return found + [initial(f"layers/{name}", shape, layer) for name, shape, layer in DRAWN]


def initial(row: str, shape: str, layer: str) -> Trained:
    kind = ', dtype="int32"' if "Embedding" in layer else ""
    text = f"{HEAD}model = keras.Sequential([keras.Input({shape}{kind}), {layer}])\n"
    return Trained(f"{row}: initial values of {layer}", row, text, "initial", bound=0.03)


def all_cases() -> list[Case | Trained]:
    return [
        *layer_cases(),
        *op_cases(),
        *activation_cases(),
        *activation_names(),
        *initial_cases(),
        *regularizer_cases(),
        *loss_cases(),
        *metric_cases(),
        *optimizer_cases(),
        *schedule_cases(),
        *constraint_cases(),
    ]
