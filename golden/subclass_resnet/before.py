"""Small shapes of four colours: a residual network whose blocks are classes."""
import keras
import numpy as np
from keras import layers


class ResBlock(layers.Layer):
    def __init__(self, filters, strides=1, project=False, **kwargs):
        super().__init__(**kwargs)
        self.project = project
        self.conv1 = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)
        self.bn1 = layers.BatchNormalization()
        self.conv2 = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        self.bn2 = layers.BatchNormalization()
        self.act = layers.Activation("relu")
        if project:
            self.shortcut = layers.Conv2D(filters, 1, strides=strides)
        self.add = layers.Add()

    def call(self, inputs, training=None):
        x = self.act(self.bn1(self.conv1(inputs), training=training))
        x = self.bn2(self.conv2(x), training=training)
        if self.project:
            inputs = self.shortcut(inputs)
        return self.act(self.add([x, inputs]))


class ResNet(keras.Model):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = layers.Conv2D(8, 3, padding="same")
        self.blocks = []
        for filters, strides, project in [(8, 1, False), (16, 2, True), (16, 1, False)]:
            self.blocks.append(ResBlock(filters, strides, project))
        self.pool = layers.GlobalAveragePooling2D()
        self.head = layers.Dense(num_classes)

    def call(self, x, training=None):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(self.pool(x))


rng = np.random.RandomState(1)
colour = rng.randint(0, 4, 240)
x = rng.uniform(0, 0.5, size=(240, 16, 16, 3)).astype("float32")
palette = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
for image, label in zip(x, colour):
    row, column = rng.randint(0, 10, 2)
    image[row : row + 6, column : column + 6] += 0.5 * palette[label]

model = ResNet(4)
model.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x[:200], colour[:200], batch_size=25, epochs=4, validation_data=(x[200:], colour[200:]))
