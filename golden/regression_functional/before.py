"""House prices (made up) with a residual MLP, functional API."""
import keras
import numpy as np
from keras import Model, layers
from keras.losses import MeanSquaredError
from keras.metrics import MeanAbsoluteError

keras.utils.set_random_seed(1)

# --------------------------------------------------------------------------------------
# data: everything stays float64 until Keras casts it
# --------------------------------------------------------------------------------------
rng = np.random.default_rng(11)
n_samples, n_features = 450, 6
X = rng.normal(loc=3.0, scale=2.0, size=(n_samples, n_features))
price = X @ np.array([1.5, -2.0, 0.7, 0.0, 1.1, 0.4]) + np.sin(X[:, 3]) * X[:, 0]
price += rng.normal(scale=0.3, size=n_samples)

X = (X - X.mean(axis=0)) / X.std(axis=0)
scale = price.std()
y = (price - price.mean()) / scale

X_train, X_test = X[:350], X[350:]
y_train, y_test = y[:350], y[350:]
assert X_train.dtype == np.float64 and y_train.ndim == 1

# --------------------------------------------------------------------------------------
# model
# --------------------------------------------------------------------------------------
inputs = keras.Input(shape=(n_features,), name="house")
x = layers.Dense(32, activation="relu", name="stem")(inputs)

# first block: the sum written with +=
residual = x
x = layers.Dense(32, activation="relu")(x)
x = layers.Dense(32)(x)
x += residual
x = layers.Activation("relu")(x)

# second block: the sum as a layer
residual = x
x = layers.Dense(32, activation="relu")(x)
x = layers.Dense(32)(x)
x = layers.Add()([x, residual])
x = layers.Activation("relu")(x)

outputs = layers.Dense(1, name="price")(x)
model = Model(inputs=inputs, outputs=outputs, name="residual_mlp")

model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.002),
    loss=MeanSquaredError(),
    metrics=[MeanAbsoluteError(name="mae")],
)

history = model.fit(X_train, y_train, epochs=5, validation_split=0.2, verbose=0)
print("train mae by epoch:     ", np.round(history.history["mae"], 4))
print("validation mae by epoch:", np.round(history.history["val_mae"], 4))

results = model.evaluate(X_test, y_test, return_dict=True, verbose=0)
for name, value in results.items():
    print(f"test {name}: {value:.5f}")

predicted = model.predict(X_test, verbose=0)[:, 0]
print("r2:", 1 - np.sum((predicted - y_test) ** 2) / np.sum((y_test - y_test.mean()) ** 2))
print("largest error in money:", scale * np.abs(predicted - y_test).max())
