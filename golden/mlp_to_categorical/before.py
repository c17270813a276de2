'''Trains a simple deep NN on 8x8 digits drawn as seven segments.

There is *a lot* of margin for parameter tuning.
'''

from __future__ import print_function

import numpy as np
import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout
from keras.optimizers import RMSprop

batch_size = 64
num_classes = 10
epochs = 5

# the segments that are lit for 0..9: top, upper left, upper right, middle, lower left,
# lower right, bottom
segments = np.array([
    [1, 1, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 1],
    [0, 1, 1, 1, 0, 1, 0], [1, 1, 0, 1, 0, 1, 1], [1, 1, 0, 1, 1, 1, 1], [1, 0, 1, 0, 0, 1, 0],
    [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 1, 1]])
strokes = np.zeros((7, 8, 8))
strokes[0, 0, 1:7] = strokes[3, 4, 1:7] = strokes[6, 7, 1:7] = 1
strokes[1, 1:4, 0] = strokes[2, 1:4, 7] = strokes[4, 5:7, 0] = strokes[5, 5:7, 7] = 1


def load_data(n_train, n_test):
    rng = np.random.RandomState(0)
    y = rng.randint(0, num_classes, n_train + n_test)
    x = 150 * np.tensordot(segments[y], strokes, 1) + rng.randint(0, 105, (len(y), 8, 8))
    x = x.astype('uint8')
    return (x[:n_train], y[:n_train]), (x[n_train:], y[n_train:])


# the data, split between train and test sets
(x_train, y_train), (x_test, y_test) = load_data(600, 200)

x_train = x_train.reshape(600, 64)
x_test = x_test.reshape(200, 64)
x_train = x_train.astype('float32')
x_test = x_test.astype('float32')
x_train /= 255
x_test /= 255
print(x_train.shape[0], 'train samples')
print(x_test.shape[0], 'test samples')

# convert class vectors to binary class matrices
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

model = Sequential()
model.add(Dense(64, activation='relu', input_shape=(64,)))
model.add(Dropout(0.2))
model.add(Dense(64, activation='relu'))
model.add(Dropout(0.2))
model.add(Dense(num_classes, activation='softmax'))

model.summary()

model.compile(loss='categorical_crossentropy',
              optimizer=RMSprop(),
              metrics=['accuracy'])

history = model.fit(x_train, y_train,
                    batch_size=batch_size,
                    epochs=epochs,
                    verbose=1,
                    validation_data=(x_test, y_test))
score = model.evaluate(x_test, y_test, verbose=0)
print('Test loss:', score[0])
print('Test accuracy:', score[1])
