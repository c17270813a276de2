import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

TOKENS, WIDTH = 20, 16


class Encoder(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 8)
        self.lstm = LSTMWithStates(8, units, batch_first=True, return_sequences=True)

    def forward(self, x):
        x = self.embedding(x)
        x, h, c = self.lstm(x)
        return x, [h, c]


class Decoder(nn.Module):
    """Words from the words before, what the encoder remembers and where it ended."""

    def __init__(self, units):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 8)
        self.lstm = LSTMWithStates(8, units, batch_first=True, return_sequences=True)
        self.blend = nn.Linear(16, units)
        self.out = nn.Linear(units, TOKENS)

    def forward(self, x, states, memory=None):
        x = self.embedding(x)
        x = self.lstm(x, states)[0]
        x = x + self.blend(memory.mean(dim=1, keepdim=True)).tanh()
        return self.out(x)


class Translator(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.encoder = Encoder(units)
        self.decoder = Decoder(units)

    def forward(self, inputs):
        source, target = inputs
        memory, states = self.encoder(source)
        return self.decoder(target, states, memory=memory)


rng = np.random.RandomState(0)
source = rng.randint(0, TOKENS, (240, 7))
target = np.flip(source, 1)
shifted = np.concatenate([np.zeros((240, 1), dtype="int64"), target[:, :-1]], 1)


class LSTMWithStates(nn.LSTM):
    """One-layer LSTM, batch first, that takes and gives its states as Keras's: (batch, units)."""

    def __init__(self, *sizes, return_sequences=False, **options):
        super().__init__(*sizes, **options)
        self.return_sequences = return_sequences

    def forward(self, x, states=None):
        if states is not None:
            states = tuple(state.unsqueeze(0) for state in states)
        outputs, (h, c) = super().forward(x, states)
        return outputs if self.return_sequences else h[0], h[0], c[0]


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.LSTM):
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


class LitTranslator(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Translator(WIDTH)
        self.apply(init_weights)

    def forward(self, inputs):
        return self.model(inputs)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits.flatten(0, -2), y.flatten())
        accuracy = (logits.argmax(-1) == y).float().mean()
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

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


model = LitTranslator()
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader([source, shifted], target, shuffle=True))
print(
    torch.cat(trainer.predict(model, make_loader([source[:2], shifted[:2]])))
    .numpy()
    .argmax(-1)
)
