"""Machine health: how worn a bearing is, and which fault it has, from two kinds of measurement."""

import keras
import numpy as np
from keras import layers

N_SAMPLES = 440
N_BANDS = 12  # energy per frequency band
N_CONTEXT = 5  # load, speed, temperature, ...
N_FAULTS = 4
BATCH_SIZE = 48
EPOCHS = 4

# synthetic measurements
rng = np.random.default_rng(0)
bands = rng.normal(size=(N_SAMPLES, N_BANDS)).astype("float32")
context = rng.normal(size=(N_SAMPLES, N_CONTEXT)).astype("float32")
fault = bands[:, :N_FAULTS].argmax(axis=1)
wear = np.tanh(bands[:, 5:9].mean(axis=1) + 0.5 * context[:, 0])

split = int(0.8 * N_SAMPLES)
x_train = {"bands": bands[:split], "context": context[:split]}
y_train = {"wear": wear[:split], "fault": fault[:split]}
x_test = {"bands": bands[split:], "context": context[split:]}
y_test = {"wear": wear[split:], "fault": fault[split:]}

bands_in = keras.Input(shape=(N_BANDS,), name="bands")
context_in = keras.Input(shape=(N_CONTEXT,), name="context")

# a branch for each input, then a common trunk
b = layers.Dense(16, activation="relu")(bands_in)
c = layers.Dense(8, activation="relu")(context_in)
x = layers.Concatenate()([b, c])
x = layers.Dense(16, activation="relu")(x)
wear_out = layers.Dense(1, activation="tanh", name="wear")(x)
fault_out = layers.Dense(N_FAULTS, activation="softmax", name="fault")(x)

model = keras.Model([bands_in, context_in], [wear_out, fault_out])
model.compile(
    optimizer=keras.optimizers.SGD(0.05),
    loss={"wear": "mse", "fault": "sparse_categorical_crossentropy"},
    loss_weights={"wear": 2.0, "fault": 0.5},
    metrics={"wear": ["mae"], "fault": ["accuracy"]},
)

history = model.fit(
    x_train,
    y_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(x_test, y_test),
    verbose=0,
)
print("val_fault_accuracy:", history.history["val_fault_accuracy"])

results = model.evaluate(x_test, y_test, batch_size=BATCH_SIZE, verbose=0, return_dict=True)
for name, value in results.items():
    print(f"{name}: {value:.4f}")

wear_pred, fault_pred = model.predict(x_test, verbose=0)
print("worst wear error:", np.abs(wear_pred[:, 0] - y_test["wear"]).max())
print("faults found:", np.bincount(fault_pred.argmax(axis=1), minlength=N_FAULTS))
