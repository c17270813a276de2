"""Learn from labels of mixed quality: every example has its own weight."""

import numpy as np
import keras
from keras import layers, regularizers
from keras.losses import CategoricalCrossentropy

keras.utils.set_random_seed(1234)

num_classes = 5
num_features = 12
weight_decay = 0.02
l2_strength = 1e-3

centers = np.random.default_rng(0).normal(size=(num_classes, num_features)) * 1.2


def annotate(n, seed, careless):
    """Features, one-hot labels and the trust in each label; careless annotators guess."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=n)
    features = centers[labels] + rng.normal(size=(n, num_features))
    guessed = rng.random(n) < careless
    labels[guessed] = rng.integers(num_classes, size=guessed.sum())
    trust = np.where(guessed, 0.2, 1.5)
    return features.astype("float32"), keras.utils.to_categorical(labels, num_classes), trust


x_train, y_train, w_train = annotate(420, seed=1, careless=0.3)
x_val, y_val, _ = annotate(120, seed=2, careless=0.0)

l2 = regularizers.L2(l2_strength)
model = keras.Sequential()
model.add(layers.Input(shape=(num_features,)))
model.add(layers.Dense(32, activation="relu", kernel_initializer="he_normal", kernel_regularizer=l2))
model.add(
    layers.Dense(
        16,
        activation="relu",
        kernel_initializer="he_normal",
        kernel_regularizer=regularizers.l2(2 * l2_strength),
        bias_regularizer=l2,
    )
)
model.add(layers.Dense(num_classes))  # logits

model.compile(
    optimizer=keras.optimizers.AdamW(learning_rate=3e-3, weight_decay=weight_decay),
    loss=CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    metrics=["accuracy"],
)
history = model.fit(
    x_train, y_train,
    sample_weight=w_train,
    batch_size=50,
    epochs=5,
    validation_data=(x_val, y_val),
)

print("loss:", ["%.4f" % v for v in history.history["loss"]])
print("val_accuracy:", ["%.3f" % v for v in history.history["val_accuracy"]])

val_loss, val_acc = model.evaluate(x_val, y_val, verbose=0)
print("validation loss %.4f, accuracy %.3f" % (val_loss, val_acc))

logits = model.predict(x_val)
probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
print("mean probability of the true class: %.3f" % (probabilities * y_val).sum(axis=1).mean())
