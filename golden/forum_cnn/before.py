# Classify small photos of coloured shapes.
# Same model in Keras and PyTorch should give the same accuracy, shouldn't it?
import numpy as np
import tensorflow as tf
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Input, Conv2D, ReLU, MaxPool2D, Flatten, Dense, Dropout
from tensorflow.keras.utils import Sequence

np.random.seed(42)
tf.random.set_seed(42)

CLASSES = ['square', 'cross', 'frame']
IMG_SIZE = 28
BATCH_SIZE = 32
EPOCHS = 3


def draw(label):
    img = np.random.randint(0, 60, size=(IMG_SIZE, IMG_SIZE, 3))
    r, c = np.random.randint(2, IMG_SIZE - 12, size=2)
    color = np.random.randint(60, 110, size=3)
    color[label] += 80  # squares tend to be red, crosses green, frames blue
    if label == 0:  # filled square
        img[r:r + 10, c:c + 10] += color
    elif label == 1:  # cross
        img[r + 3:r + 7, c:c + 10] += color
        img[r:r + 10, c + 3:c + 7] += color
    else:  # frame
        img[r:r + 10, c:c + 10] += color
        img[r + 3:r + 7, c + 3:c + 7] -= color
    return np.clip(img, 0, 255).astype(np.uint8)


labels = np.random.choice(len(CLASSES), size=460, p=[0.5, 0.3, 0.2])
images = np.stack([draw(label) for label in labels])
print('images:', images.shape, images.dtype, 'per class:', np.bincount(labels))


def stratified_split(y, test_fraction):
    """Indices of train and test with the same share of every class."""
    train_idx, test_idx = [], []
    for cls in np.unique(y):
        idx = np.random.permutation(np.where(y == cls)[0])
        n_test = int(round(len(idx) * test_fraction))
        test_idx.extend(idx[:n_test])
        train_idx.extend(idx[n_test:])
    return np.random.permutation(train_idx), np.array(test_idx)


train_idx, test_idx = stratified_split(labels, 0.2)
one_hot = np.eye(len(CLASSES), dtype='float32')[labels]


class ImageGenerator(Sequence):
    def __init__(self, x_set, y_set, batch_size):
        super().__init__()
        self.x, self.y = x_set, y_set
        self.batch_size = batch_size

    def __len__(self):
        return int(np.ceil(len(self.x) / self.batch_size))

    def __getitem__(self, idx):
        batch_x = self.x[idx * self.batch_size:(idx + 1) * self.batch_size]
        batch_y = self.y[idx * self.batch_size:(idx + 1) * self.batch_size]
        return batch_x * (1. / 255), batch_y


train_gen = ImageGenerator(images[train_idx], one_hot[train_idx], BATCH_SIZE)
test_gen = ImageGenerator(images[test_idx], one_hot[test_idx], BATCH_SIZE)

model = Sequential([
    Input(shape=(IMG_SIZE, IMG_SIZE, 3)),
    Conv2D(8, 3, padding='same'),
    ReLU(),
    MaxPool2D(),
    Conv2D(16, 3, padding='same'),
    ReLU(),
    MaxPool2D(),
    Conv2D(16, 3),
    ReLU(),
    MaxPool2D(),  # 5 x 5 -> 2 x 2
    Flatten(),
    Dense(32),
    ReLU(),
    Dropout(0.3),
    Dense(len(CLASSES), activation='softmax'),
])
model.summary()
model.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy'])

history = model.fit(train_gen, validation_data=test_gen, epochs=EPOCHS, verbose=2)
print('best val accuracy: %.3f' % max(history.history['val_accuracy']))

loss, acc = model.evaluate(test_gen, verbose=0)
print('Test loss: %.4f  accuracy: %.4f' % (loss, acc))

y_pred = model.predict(test_gen).argmax(axis=1)
y_true = labels[test_idx]
confusion = np.zeros((len(CLASSES), len(CLASSES)), dtype=int)
for t, p in zip(y_true, y_pred):
    confusion[t, p] += 1
print(confusion)
for i, name in enumerate(CLASSES):
    print(f'{name:8s} recall {confusion[i, i] / confusion[i].sum():.3f}')
