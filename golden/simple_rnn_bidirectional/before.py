from keras import Input
from keras.initializers import Identity, RandomNormal
from keras.layers import GRU, Bidirectional, Dense, SimpleRNN
from keras.models import Sequential
from keras.optimizers import Adagrad
from keras.utils import to_categorical
import numpy as np

# A recurrent network of rectified linear units, after Le, Jaitly and Hinton,
# "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units" (2015):
# here it reads short sequences and says which of three directions they move in.

hidden_units = 16
learning_rate = 0.1
timesteps = 12
dim = 2
num_classes = 3
batch_size = 32
epochs = 5

np.random.seed(0)


def walks(n):
    label = np.random.randint(num_classes, size=n)
    angle = 2 * np.pi * label / num_classes
    drift = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * 0.15
    steps = drift[:, None, :] + np.random.normal(scale=0.3, size=(n, timesteps, dim))
    return np.cumsum(steps, axis=1) / 2, to_categorical(label, num_classes)


x_train, y_train = walks(310)
x_test, y_test = walks(90)
print("x_train shape:", x_train.shape)
print(x_train.shape[0], "train samples")
print(x_test.shape[0], "test samples")

print("Evaluate IRNN...")
model = Sequential()
model.add(Input(shape=x_train.shape[1:]))
model.add(SimpleRNN(hidden_units,
                    kernel_initializer=RandomNormal(stddev=0.05),
                    recurrent_initializer=Identity(gain=0.9),
                    activation='relu',
                    return_sequences=True))
# the two directions are added, not put side by side
model.add(Bidirectional(GRU(8), merge_mode="sum"))
model.add(Dense(num_classes, activation='softmax'))

model.compile(loss='categorical_crossentropy',
              optimizer=Adagrad(learning_rate=learning_rate),
              metrics=['accuracy'])

model.fit(x_train, y_train,
          batch_size=batch_size,
          epochs=epochs,
          verbose=1,
          validation_data=(x_test, y_test))

scores = model.evaluate(x_test, y_test, verbose=0)
print('IRNN test score:', scores[0])
print('IRNN test accuracy:', scores[1])
