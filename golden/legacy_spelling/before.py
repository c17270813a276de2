'''Trains a simple convnet on small drawings, in the spelling of 2016.

To be run with tf.keras 2 (pip install tf-keras, TF_USE_LEGACY_KERAS=1).
'''

from __future__ import print_function
import numpy as np
import tensorflow.keras as keras
import tensorflow.keras.backend as K
from tensorflow.keras.layers import Activation, Dense, Dropout, Flatten
from tensorflow.keras.layers import Convolution2D, MaxPool2D
from tensorflow.keras.models import Sequential

batch_size = 40
num_classes = 4
nb_epoch = 4

# input image dimensions
img_rows, img_cols = 14, 14

# the data: bars at the left, right, top or bottom edge
rng = np.random.RandomState(1337)


def drawings(n):
    X = rng.randint(0, 150, size=(n, img_rows, img_cols))
    Y = rng.randint(0, num_classes, size=n)
    for image, label in zip(X, Y):
        a = rng.randint(0, 3)
        b = a + 2
        if label == 0:
            image[:, a:b] += 100
        elif label == 1:
            image[:, img_cols - b:img_cols - a] += 100
        elif label == 2:
            image[a:b] += 100
        else:
            image[img_rows - b:img_rows - a] += 100
    return X.astype('uint8'), Y


X_train, y_train = drawings(430)
X_test, y_test = drawings(120)

if K.image_data_format() == 'channels_first':
    X_train = X_train.reshape(X_train.shape[0], 1, img_rows, img_cols)
    X_test = X_test.reshape(X_test.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    X_train = X_train.reshape(X_train.shape[0], img_rows, img_cols, 1)
    X_test = X_test.reshape(X_test.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)

X_train = X_train.astype('float32')
X_test = X_test.astype('float32')
X_train /= 255
X_test /= 255
print('X_train shape:', X_train.shape)
print(X_train.shape[0], 'train samples')
print(X_test.shape[0], 'test samples')

# convert class vectors to binary class matrices
Y_train = keras.utils.to_categorical(y_train, num_classes)
Y_test = keras.utils.to_categorical(y_test, num_classes)

model = Sequential()
model.add(Convolution2D(8, kernel_size=(3, 3),
                        padding='valid',
                        kernel_initializer='glorot_normal',
                        input_shape=input_shape))
model.add(Activation('relu'))
model.add(Convolution2D(8, (3, 3)))
model.add(Activation('relu'))
model.add(MaxPool2D(pool_size=(2, 2)))
model.add(Dropout(0.25))

model.add(Flatten())
model.add(Dense(32))
model.add(Activation('relu'))
model.add(Dropout(0.5))
model.add(Dense(num_classes))
model.add(Activation('softmax'))

model.compile(loss='categorical_crossentropy',
              optimizer=keras.optimizers.Adadelta(learning_rate=0.7),
              metrics=['acc'])

history = model.fit(X_train, Y_train, batch_size=batch_size, epochs=nb_epoch,
                    verbose=1, validation_data=(X_test, Y_test))

# the key depends on the version of Keras
acc_key = 'acc' if 'acc' in history.history else 'accuracy'
for i in range(nb_epoch):
    print('%d  %s %.4f  val_%s %.4f' % (i + 1, acc_key, history.history[acc_key][i],
                                        acc_key, history.history['val_' + acc_key][i]))

score = model.evaluate(X_test, Y_test, verbose=0)
print('Test score:', score[0])
print('Test accuracy:', score[1])
