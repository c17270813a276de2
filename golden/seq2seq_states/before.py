"""Sequence to sequence: an LSTM reads digits, another one writes them backwards."""

import numpy as np
from tensorflow import keras
from tensorflow.keras.layers import LSTM, Dense, Input

LENGTH = 6
START, END = 10, 11
NUM_TOKENS = 12
LATENT_DIM = 24
BATCH_SIZE = 32
EPOCHS = 4

rng = np.random.default_rng(0)
digits = rng.integers(0, 10, size=(320, LENGTH))
answers = np.full((len(digits), LENGTH + 2), END)
answers[:, 0] = START
answers[:, 1:-1] = digits[:, ::-1]
one_hot = np.eye(NUM_TOKENS, dtype="float32")
encoder_input_data = one_hot[digits]
decoder_input_data = one_hot[answers[:, :-1]]
decoder_target_data = one_hot[answers[:, 1:]]

# the encoder: only its states are kept
encoder_inputs = Input(shape=(None, NUM_TOKENS))
encoder = LSTM(LATENT_DIM, return_state=True)
encoder_outputs, state_h, state_c = encoder(encoder_inputs)
encoder_states = [state_h, state_c]

# the decoder starts from them
decoder_inputs = Input(shape=(None, NUM_TOKENS))
decoder_lstm = LSTM(LATENT_DIM, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
decoder_dense = Dense(NUM_TOKENS, activation="softmax")
decoder_outputs = decoder_dense(decoder_outputs)

model = keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss="categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(
    [encoder_input_data, decoder_input_data],
    decoder_target_data,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_split=0.2,
    verbose=0,
)

# to write answers, the two halves work one after the other
encoder_model = keras.Model(encoder_inputs, encoder_states)
decoder_state_h = Input(shape=(LATENT_DIM,))
decoder_state_c = Input(shape=(LATENT_DIM,))
decoder_state_inputs = [decoder_state_h, decoder_state_c]
decoder_outputs, state_h, state_c = decoder_lstm(
    decoder_inputs, initial_state=decoder_state_inputs
)
decoder_outputs = decoder_dense(decoder_outputs)
decoder_model = keras.Model(
    [decoder_inputs] + decoder_state_inputs, [decoder_outputs, state_h, state_c]
)


def write(sequences):
    """The most likely answers, token by token."""
    states = encoder_model.predict(sequences, verbose=0)
    tokens = np.full(len(sequences), START)
    written = []
    for _ in range(LENGTH):
        token_input = one_hot[tokens][:, np.newaxis]
        probabilities, h, c = decoder_model.predict([token_input] + states, verbose=0)
        tokens = probabilities[:, -1].argmax(axis=-1)
        written.append(tokens)
        states = [h, c]
    return np.stack(written, axis=1)


found = write(encoder_input_data[:8])
print("right:", (found == digits[:8, ::-1]).mean())
