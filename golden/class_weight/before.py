import keras
import numpy as np
from keras import Sequential
from keras.layers import Dense, Dropout, Input
from keras.losses import BinaryCrossentropy
from keras.metrics import AUC, Precision, Recall

# Fraud detection toy: about one in six transactions is fraud.

CLASS_WEIGHT = {0: 1.0, 1: 5.0}
LABEL_SMOOTHING = 0.1


def make_transactions(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10)).astype(np.float32)
    score = x[:, 0] + 0.8 * x[:, 1] - 0.6 * x[:, 2] * x[:, 3] + rng.normal(scale=0.3, size=n)
    y = (score > 1.4).astype(int)
    return x, y


x_train, y_train = make_transactions(500, seed=21)
x_test, y_test = make_transactions(200, seed=22)

neg, pos = np.bincount(y_train)
print(f"Examples: {neg + pos}, fraud: {pos} ({100 * pos / (neg + pos):.1f} %)")

METRICS = [
    "accuracy",
    keras.metrics.AUC(name="auc"),
    Precision(name="precision"),
    Recall(name="recall"),
]

model = Sequential(
    [
        Input(shape=(x_train.shape[-1],)),
        Dense(24, activation="relu"),
        Dropout(0.3),
        Dense(12, activation="relu"),
        Dense(1, activation="sigmoid"),
    ],
    name="fraud",
)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.003),
    loss=BinaryCrossentropy(label_smoothing=LABEL_SMOOTHING),
    metrics=METRICS,
)

history = model.fit(
    x_train,
    y_train,
    batch_size=64,
    epochs=5,
    # the rare class counts more
    class_weight=CLASS_WEIGHT,
    validation_data=(x_test, y_test),
    verbose=0,
)
for key in ("loss", "auc", "recall", "val_loss", "val_auc"):
    print(f"{key:9s}", " ".join(f"{v:.4f}" for v in history.history[key]))

results = model.evaluate(x_test, y_test, batch_size=64, verbose=0)
for name, value in zip(["loss", "accuracy", "auc", "precision", "recall"], results):
    print(name, ": ", round(value, 4), sep="")

fraud = (model.predict(x_test, verbose=0) > 0.5).astype("int32").ravel()
print("caught:", np.sum(fraud & y_test), "missed:", np.sum((1 - fraud) & y_test))
print("false alarms:", np.sum(fraud & (1 - y_test)))
