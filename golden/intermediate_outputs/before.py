"""Faults of bearings from vibration spectra; what the inner layers see, by class."""
import numpy as np
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import Dense, Dropout

CLASSES = 4
BANDS = 20

rng = np.random.RandomState(21)
fault = rng.randint(0, CLASSES, size=360)
peaks = 2 + 4 * fault[:, None] + rng.randint(-1, 2, size=(360, 1))
spectra = np.exp(-0.3 * (np.arange(BANDS) - peaks) ** 2) + 0.15 * rng.rand(360, BANDS)
spectra = spectra.astype("float32")

spectrum = Input(shape=(BANDS,), name="spectrum")
x = Dense(32, activation="relu", name="bands")(spectrum)
x = Dropout(0.2)(x)
x = Dense(12, activation="tanh", name="code")(x)
probabilities = Dense(CLASSES, activation="softmax", name="fault")(x)
classifier = Model([spectrum], probabilities, name="classifier")
classifier.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
classifier.fit([spectra[:300]], fault[:300], batch_size=30, epochs=5, verbose=2)

# models that share the trained layers and end earlier
coder = Model(inputs=classifier.input, outputs=classifier.get_layer("code").output)
codes = coder.predict(spectra[300:])
centres = np.stack([codes[fault[300:] == c].mean(axis=0) for c in range(CLASSES)])
print("distance of the first two faults: %.3f" % np.linalg.norm(centres[0] - centres[1]))

bands = Model(classifier.inputs, classifier.layers[1].output)
active = (bands.predict(spectra[300:]) > 0).mean(axis=0)
print("units that are never active:", (active == 0).sum())

both = Model(classifier.input, [classifier.get_layer("code").output, classifier.output])
code, probability = both.predict(spectra[300:])
print(code.shape, "accuracy: %.3f" % (probability.argmax(axis=1) == fault[300:]).mean())
