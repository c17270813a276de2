"""Which half of a sequence weighs more: attention over the steps of a recurrent network."""
import numpy as np
from tensorflow import keras
from tensorflow.keras import backend as K
from tensorflow.keras.layers import LSTM, Bidirectional, Dense, Embedding, Input, Layer
from tensorflow.keras.models import Model


class Attention(Layer):
    def __init__(self, **kwargs):
        super(Attention, self).__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight(name="att_weight", shape=(input_shape[-1], 1), initializer="normal")
        self.b = self.add_weight(name="att_bias", shape=(input_shape[1], 1), initializer="zeros")
        super(Attention, self).build(input_shape)

    def call(self, x):
        et = K.squeeze(K.tanh(K.dot(x, self.W) + self.b), axis=-1)
        at = K.softmax(et)
        at = K.expand_dims(at, axis=-1)
        output = x * at
        return K.sum(output, axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])


rng = np.random.RandomState(0)
x = rng.randint(1, 50, size=(320, 12))
y = (np.sum(x[:, :6], 1) > np.sum(x[:, 6:], 1)).astype("float32")
inputs = Input((12,))
h = Embedding(50, 8)(inputs)
h = Bidirectional(LSTM(6, return_sequences=True))(h)
h = Attention(name="attention")(h)
outputs = Dense(1, activation="sigmoid")(h)
model = Model(inputs, outputs)
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x, y, epochs=2, batch_size=32)
