"""1D convolution for text classification (IMDB movie reviews)."""
import keras
from keras import layers
from keras.datasets import imdb
from keras.utils import pad_sequences

# set parameters:
MAX_WORDS = 1000
MAX_LEN = 60
EMBEDDING_DIM = 24
FILTERS = 32
KERNEL_SIZE = 3
HIDDEN_DIMS = 32

print("Loading data...")
(x_train, y_train), (x_test, y_test) = imdb.load_data(num_words=MAX_WORDS)
x_train, y_train = x_train[:500], y_train[:500]
x_test, y_test = x_test[:150], y_test[:150]
print(len(x_train), "train sequences")
print(len(x_test), "test sequences")

x_train = pad_sequences(x_train, maxlen=MAX_LEN, padding="post", truncating="post")
x_test = pad_sequences(x_test, maxlen=MAX_LEN, padding="post", truncating="post")
print("x_train shape:", x_train.shape)

print("Build model...")
model = keras.Sequential(name="text_cnn")
model.add(keras.Input(shape=(MAX_LEN,), dtype="int32"))
# map the vocabulary indices to vectors
model.add(layers.Embedding(MAX_WORDS, EMBEDDING_DIM))
model.add(layers.Dropout(0.2))
# word group filters of length KERNEL_SIZE
model.add(layers.Conv1D(FILTERS, KERNEL_SIZE, padding="valid", activation="relu", strides=1))
# the strongest answer of each filter
model.add(layers.GlobalMaxPooling1D())
model.add(layers.Dense(HIDDEN_DIMS))
model.add(layers.Dropout(0.2))
model.add(layers.Activation("relu"))
# a single unit, squashed with a sigmoid
model.add(layers.Dense(1))
model.add(layers.Activation("sigmoid"))

model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=32, epochs=3, validation_data=(x_test, y_test))

print("epoch  loss    val_loss  val_accuracy")
for i in range(len(history.history["loss"])):
    h = {name: values[i] for name, values in history.history.items()}
    print(f"{i + 1:5d}  {h['loss']:.4f}  {h['val_loss']:.4f}    {h['val_accuracy']:.4f}")
