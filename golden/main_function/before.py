#!/usr/bin/env python3
"""Recognise the waveform of a short signal.

usage: before.py [--epochs N] [--batch-size N] [--lr RATE] [--filters N] [--out FILE]
"""
import argparse
import json

import numpy as np
from keras import Model
from keras.layers import Conv1D as Conv
from keras.layers import Dense as FC
from keras.layers import Dropout, Flatten, Input
from keras.layers import AveragePooling1D as AvgPool
from keras.layers import MaxPooling1D as MaxPool
from keras.optimizers import Adam as AdamOptimizer

WAVES = ("sine", "square", "sawtooth")


def synthesize(n, length, noise, seed):
    """n signals (n, length, 1) with random frequency and phase, and their labels."""
    rng = np.random.default_rng(seed)
    label = rng.integers(len(WAVES), size=n)
    cycles = rng.uniform(2, 3, size=(n, 1)) * np.linspace(0, 1, length) + rng.random((n, 1))
    sine = np.sin(2 * np.pi * cycles)
    shapes = np.stack([sine, np.sign(sine), 2 * (cycles % 1) - 1])
    signal = shapes[label, np.arange(n)] + rng.normal(scale=noise, size=(n, length))
    return signal[:, :, None].astype("float32"), label


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=30)
    parser.add_argument("--lr", type=float, default=2e-3, help="learning rate")
    parser.add_argument("--filters", type=int, default=12)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--out", help="write the results to this JSON file")
    return parser.parse_args(argv)


def main(args):
    x_train, y_train = synthesize(400, args.length, args.noise, seed=0)
    x_val, y_val = synthesize(130, args.length, args.noise, seed=1)

    signal = Input(shape=(args.length, 1))
    x = Conv(args.filters, 5, padding="same", activation="relu")(signal)
    x = MaxPool(2)(x)
    x = Conv(2 * args.filters, 3, activation="relu")(x)
    x = AvgPool(2)(x)
    x = Flatten()(x)
    x = Dropout(0.1)(x)
    probabilities = FC(len(WAVES), activation="softmax")(x)
    model = Model(signal, probabilities)

    model.compile(
        optimizer=AdamOptimizer(args.lr),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(
        x_train,
        y_train,
        validation_data=(x_val, y_val),
        epochs=args.epochs,
        batch_size=args.batch_size,
        verbose=2,
    )

    loss, accuracy = model.evaluate(x_val, y_val, batch_size=args.batch_size, verbose=0)
    guesses = np.argmax(model.predict(x_val, batch_size=args.batch_size, verbose=0), axis=1)
    for index, wave in enumerate(WAVES):
        print(f"{wave:9s} {np.mean(guesses[y_val == index] == index):.3f}")

    results = {"loss": loss, "accuracy": accuracy, "history": history.history}
    if args.out:
        with open(args.out, "w") as file:
            json.dump(results, file, indent=2)
    return results


if __name__ == "__main__":
    main(parse_args())
