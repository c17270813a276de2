"""Sequence to sequence: an LSTM reads digits, another one writes them backwards."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

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


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.LSTM):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
                nn.init.ones_(p.chunk(4)[1])
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(NUM_TOKENS, LATENT_DIM, batch_first=True)
        self.decoder_lstm = nn.LSTM(NUM_TOKENS, LATENT_DIM, batch_first=True)
        self.decoder_dense = nn.Linear(LATENT_DIM, NUM_TOKENS)
        self.apply(init_weights)

    def forward(self, inputs):
        encoder_inputs, decoder_inputs = inputs
        _, (state_h, state_c) = self.encoder(encoder_inputs)
        decoder_outputs, _ = self.decoder_lstm(decoder_inputs, (state_h, state_c))
        return self.decoder_dense(decoder_outputs)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits.flatten(0, -2), y.flatten(0, -2))
        accuracy = (logits.argmax(-1) == y.argmax(-1)).float().mean()
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    n = len(parts[0][0] if isinstance(parts[0], (list, tuple)) else parts[0])
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x (an array, or a list of them) in inference mode, as tensors."""

    def tensor(part):
        part = torch.as_tensor(part)
        return part.float() if part.is_floating_point() else part

    training = model.training
    outputs = model.eval()(
        [tensor(part) for part in x] if isinstance(x, list) else tensor(x)
    )
    model.train(training)
    return outputs


class EncoderModel(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.encoder = model.encoder

    def forward(self, encoder_inputs):
        _, (state_h, state_c) = self.encoder(encoder_inputs)
        return state_h[0], state_c[0]


class DecoderModel(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.decoder_lstm = model.decoder_lstm
        self.decoder_dense = model.decoder_dense

    def forward(self, inputs):
        decoder_inputs, decoder_state_h, decoder_state_c = inputs
        decoder_outputs, (state_h, state_c) = self.decoder_lstm(
            decoder_inputs, (decoder_state_h.unsqueeze(0), decoder_state_c.unsqueeze(0))
        )
        decoder_outputs = self.decoder_dense(decoder_outputs).softmax(-1)
        return decoder_outputs, state_h[0], state_c[0]


model = Model()
split = int(len(encoder_input_data) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        [encoder_input_data[:split], decoder_input_data[:split]],
        decoder_target_data[:split],
        batch_size=BATCH_SIZE,
        shuffle=True,
    ),
    make_loader(
        [encoder_input_data[split:], decoder_input_data[split:]],
        decoder_target_data[split:],
        batch_size=BATCH_SIZE,
    ),
)

# to write answers, the two halves work one after the other
encoder_model = EncoderModel(model)
decoder_model = DecoderModel(model)


def write(sequences):
    """The most likely answers, token by token."""
    states = [output.numpy() for output in predict(encoder_model, sequences)]
    tokens = np.full(len(sequences), START)
    written = []
    for _ in range(LENGTH):
        token_input = one_hot[tokens][:, np.newaxis]
        probabilities, h, c = [
            output.numpy() for output in predict(decoder_model, [token_input] + states)
        ]
        tokens = probabilities[:, -1].argmax(axis=-1)
        written.append(tokens)
        states = [h, c]
    return np.stack(written, axis=1)


found = write(encoder_input_data[:8])
print("right:", (found == digits[:8, ::-1]).mean())
