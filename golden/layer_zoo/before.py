"""One network with many kinds of layers: does every one of them survive the move?"""
import keras
import numpy as np
from keras import layers

N_CLASSES = 3
SIZE = 8

# --- data: the position of a blob, with a second channel that repeats it mirrored ---
rng = np.random.default_rng(17)
y = rng.integers(0, N_CLASSES, size=420)
images = rng.normal(scale=0.3, size=(420, SIZE, SIZE, 2)).astype("float32")
for i, label in enumerate(y):
    images[i, 1 + 2 * label : 3 + 2 * label, 2:5, 0] += 1.0
    images[i, 2:5, 1 + 2 * label : 3 + 2 * label, 1] -= 1.0
x_train, y_train = images[:300], y[:300]
x_test, y_test = images[300:], y[300:]

# --- model ---
inputs = keras.Input(shape=(SIZE, SIZE, 2), name="image")

# one row above, one column at the right
x = layers.ZeroPadding2D(padding=((1, 0), (0, 1)), name="pad")(inputs)
x = layers.Conv2D(6, 3, name="stem")(x)
x = layers.LayerNormalization(epsilon=1e-4, name="stem_norm")(x)
x = layers.LeakyReLU(negative_slope=0.2, name="stem_act")(x)

# two views of the same features
left = layers.Conv2D(8, 1, name="left")(x)
left = layers.ELU(alpha=0.7, name="left_act")(left)
right = layers.Conv2D(8, 3, padding="same", name="right")(x)
right = layers.PReLU(shared_axes=[1, 2], name="right_act")(right)

# all ways to merge them
product = layers.Multiply(name="product")([left, right])
mean = layers.Average(name="mean")([left, right])
largest = layers.Maximum(name="largest")([left, right])
difference = layers.Subtract(name="difference")([left, right])
merged = layers.Concatenate(name="merged")([product, mean, largest, difference])

# down and up again
down = layers.MaxPooling2D(pool_size=3, strides=2, padding="same", name="down")(merged)
down = layers.Conv2D(12, 1, activation="relu", name="squeeze")(down)
up = layers.UpSampling2D(size=2, name="up")(down)

# as a short sequence of vectors
pooled = layers.GlobalMaxPooling2D(name="pooled")(up)
rows = layers.Reshape((4, 3), name="rows")(pooled)
rows = layers.LayerNormalization(name="rows_norm")(rows)
rows = layers.Dense(5, name="mix")(rows)  # on the last axis
flat = layers.Flatten(name="flat")(rows)
context = layers.GlobalAveragePooling2D(name="context")(merged)
features = layers.concatenate([flat, context], axis=-1, name="features")

scores = layers.Dense(N_CLASSES, name="scores")(features)
outputs = layers.Softmax(name="probabilities")(scores)

model = keras.Model(inputs, outputs, name="zoo")
print("output shape:", model.output_shape)

model.compile(
    optimizer=keras.optimizers.Adam(2e-3),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(x_train, y_train, batch_size=32, epochs=4, validation_data=(x_test, y_test), verbose=2)

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test: loss {loss:.4f}, accuracy {accuracy:.4f}")
print(np.round(model.predict(x_test[:4], verbose=0), 3))
