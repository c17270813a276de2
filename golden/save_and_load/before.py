"""Train, save, load, and check that the loaded model says the same."""
import os

import keras
import numpy as np
from keras import layers

MODEL_FILE = "sensors.keras"
WEIGHTS_FILE = "sensors.weights.h5"


def create_model():
    inputs = keras.Input(shape=(10,), name="sensors")
    x = layers.Dense(24, activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(12, activation="relu")(x)
    outputs = layers.Dense(3, activation="softmax", name="state")(x)
    model = keras.Model(inputs, outputs, name="sensor_net")
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.004),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    return model


# three states of a machine, ten sensors each with its own response
rng = np.random.default_rng(2024)
states = rng.integers(0, 3, size=500)
response = rng.normal(size=(3, 10))
sensors = (response[states] + rng.normal(scale=1.2, size=(500, 10))).astype("float32")
train_sensors, test_sensors = sensors[:380], sensors[380:]
train_states, test_states = states[:380], states[380:]

model = create_model()
model.summary()
model.fit(train_sensors, train_states, epochs=4, batch_size=32, verbose=2)

loss, acc = model.evaluate(test_sensors, test_states, verbose=2)
print("Trained model, accuracy: {:5.2f}%".format(100 * acc))

# --- weights only ---------------------------------------------------------------------
model.save_weights(WEIGHTS_FILE)

fresh = create_model()
loss, acc = fresh.evaluate(test_sensors, test_states, verbose=0)
print("Untrained model, accuracy: {:5.2f}%".format(100 * acc))

fresh.load_weights(WEIGHTS_FILE)
loss_weights, acc_weights = fresh.evaluate(test_sensors, test_states, verbose=0)
print("Restored weights, accuracy: {:5.2f}%".format(100 * acc_weights))

# --- the whole model ------------------------------------------------------------------
model.save(MODEL_FILE)
print("saved:", os.path.exists(MODEL_FILE))

restored = keras.models.load_model(MODEL_FILE)
loss_restored, acc_restored = restored.evaluate(test_sensors, test_states, verbose=0)
print("Restored model, accuracy: {:5.2f}%".format(100 * acc_restored))

# predict on slices, and the model called like a function
first = model.predict(test_sensors[:5], verbose=0)
again = np.concatenate(
    [restored.predict(test_sensors[:2], verbose=0), restored.predict(test_sensors[2:5], verbose=0)]
)
called = np.array(restored(test_sensors[:5], training=False))
print("slices agree:", np.allclose(first, again, atol=1e-6))
print("call agrees: ", np.allclose(first, called, atol=1e-6))
print("states:", called.argmax(axis=1), "true:", test_states[:5])
