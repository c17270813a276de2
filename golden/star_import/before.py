# Two targets at once from eight measurements; a tour through the activations
import numpy as np
import keras
import tensorflow as tf
from keras.layers import *
from keras.models import Sequential

# data
np.random.seed(10)
X = np.random.uniform(-1, 1, size=(440, 8))
Y = np.column_stack([
    np.tanh(2 * X[:, 0]) + X[:, 1] * X[:, 2],
    X[:, 3] ** 2 - 0.5 * X[:, 4] + 0.3 * X[:, 0],
])
Y += np.random.normal(0, 0.02, size=Y.shape)
X_train, X_test = X[:340], X[340:]
Y_train, Y_test = Y[:340], Y[340:]

# net
net = Sequential()
net.add(Input((8,)))
net.add(Dense(32, activation='selu', kernel_initializer='lecun_normal'))
net.add(Dense(32, activation='tanh', bias_initializer='ones'))
net.add(Dense(24, activation=keras.activations.relu))
net.add(Dense(24, activation='gelu'))
net.add(Dense(16, activation='softplus'))
net.add(Dense(16, activation=tf.nn.relu))
net.add(Dense(16))
net.add(Activation('elu'))
net.add(Dense(16, activation='swish', kernel_initializer='he_uniform'))
net.add(Dense(2, activation='linear'))

net.compile(loss='mae', optimizer=keras.optimizers.Adamax(learning_rate=0.004), metrics=['mse'])
log = net.fit(X_train, Y_train, epochs=5, batch_size=32, validation_split=0.15, verbose=0)

for epoch in range(5):
    print(epoch, *('%s=%.4f' % (k, v[epoch]) for k, v in log.history.items()))

print('test:', net.evaluate(X_test, Y_test, verbose=0))
error = net.predict(X_test, verbose=0) - Y_test
print('bias of each target:', error.mean(axis=0), 'spread:', error.std(axis=0))
