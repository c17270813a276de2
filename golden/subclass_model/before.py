"""Which of four machines made a part, by sixteen measurements: a network of its author's own."""
import keras
import numpy as np
from keras import layers

rng = np.random.RandomState(3)
centers = rng.normal(size=(4, 16))
machine = rng.randint(0, 4, size=720)
measured = (centers[machine] + rng.normal(scale=0.8, size=(720, 16))).astype("float32")
x_train, y_train = measured[:600], machine[:600]
x_test, y_test = measured[600:], machine[600:]


class Hidden(layers.Layer):
    """A dense layer, normalised, with a shortcut where the widths agree."""

    def __init__(self, units, rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units, use_bias=False)
        self.norm = layers.BatchNormalization()
        self.dropout = layers.Dropout(rate)

    def call(self, inputs, training=None):
        x = self.dense(inputs)
        x = self.norm(x, training=training)
        x = keras.activations.relu(x)
        if inputs.shape[-1] == self.units:
            x = x + inputs
        return self.dropout(x, training=training)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Classifier(keras.Model):
    def __init__(self, widths, classes):
        super().__init__()
        self.blocks = [Hidden(width, rate=0.2) for width in widths]
        self.head = layers.Dense(classes)

    def call(self, inputs, training=None):
        x = inputs
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(x)


model = Classifier([32, 32, 16], classes=4)
model.compile(
    optimizer=keras.optimizers.Adam(0.005),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, epochs=4, batch_size=40, validation_data=(x_test, y_test))
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy {accuracy:.3f}")
print(model.predict(x_test[:3]).shape)
