'''Sentiment of short reviews with a bidirectional LSTM.'''
import numpy as np
from keras.models import Sequential
from keras.layers import Dense, Dropout, Embedding, LSTM, Bidirectional
from keras.preprocessing.sequence import pad_sequences

max_features = 200  # vocabulary size, 0 is padding
# cut texts after this number of words
maxlen = 20
batch_size = 32

# ---- fake reviews: words 1..20 are good, 21..40 are bad, the rest says nothing ----
rng = np.random.default_rng(3)
reviews, sentiment = [], []
for _ in range(420):
    label = int(rng.integers(0, 2))
    length = int(rng.integers(4, 30))
    words = rng.integers(41, max_features, size=length)
    telling = rng.random(length) < 0.4
    words[telling] = rng.integers(1, 21, size=telling.sum()) + 20 * (1 - label)
    reviews.append(words.tolist())
    sentiment.append(label)

x_train, x_test = reviews[:350], reviews[350:]
y_train, y_test = np.array(sentiment[:350]), np.array(sentiment[350:])

print('Pad sequences (samples x time)')
x_train = pad_sequences(x_train, maxlen=maxlen)
x_test = pad_sequences(x_test, maxlen=maxlen)
print('x_train shape:', x_train.shape)
print('x_test shape:', x_test.shape)

model = Sequential()
model.add(Embedding(max_features, 16, mask_zero=True))
model.add(Bidirectional(LSTM(12)))
model.add(Dropout(0.5))
model.add(Dense(1, activation='sigmoid'))

model.compile(loss='binary_crossentropy', optimizer='rmsprop', metrics=['acc'])

print('Train...')
history = model.fit(x_train, y_train,
                    batch_size=batch_size,
                    epochs=4,
                    validation_data=(x_test, y_test))

acc = history.history['acc']
val_acc = history.history['val_acc']
for epoch, (a, v) in enumerate(zip(acc, val_acc), 1):
    print('epoch %d: acc %.3f, val_acc %.3f' % (epoch, a, v))

positive = model.predict(x_test, batch_size=64) > 0.5
print('positive reviews found:', int(positive.sum()), 'of', int(y_test.sum()))
