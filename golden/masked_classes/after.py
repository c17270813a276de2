"""Reviews and the readings that came with them: masks inside classes of the script."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader

WORDS = 60
LONGEST = 10
STEPS = 6
MISSING = -9.0

rng = np.random.default_rng(23)
reviews = rng.integers(1, WORDS, size=(300, LONGEST))
reviews[np.arange(LONGEST) >= rng.integers(1, LONGEST + 1, 300)[:, None]] = 0
readings = rng.normal(size=(300, STEPS, 2)).astype("float32")
liked = (reviews % 7 == 1).sum(axis=1) + readings[..., 0].mean(axis=1) > 1
# what was not read is missing throughout
readings[rng.random((300, STEPS)) < 0.3] = MISSING


class Words(nn.Module):
    """What a review says: padding is read by none of the two layers."""

    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width)
        self.dropout = nn.Dropout(0.1)
        self.first = nn.GRU(width, width, batch_first=True)
        self.second = nn.LSTM(width, width, batch_first=True)

    def forward(self, tokens):
        # zeros are no words
        mask = tokens != 0
        x = self.embedding(tokens)
        x = skip_padding(self.first, self.dropout(x), mask)[0]
        return skip_padding(self.second, x, mask)[0][:, -1]


class Readings(nn.Module):
    """The mean of what was measured."""

    def __init__(self, in_features, width):
        super().__init__()
        self.dense = nn.Linear(in_features, width)

    def forward(self, values):
        mask = (values != MISSING).any(-1)
        return (self.dense(values * mask.unsqueeze(-1)).tanh() * mask.unsqueeze(2)).sum(
            1
        ) / mask.sum(1, keepdim=True)


class Opinion(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = Words(8)
        self.readings = Readings(2, 6)
        self.out = nn.Linear(14, 1)

    def forward(self, inputs):
        tokens, values = inputs
        both = torch.cat([self.words(tokens), self.readings(values)], -1)
        return self.out(both).sigmoid()


def skip_padding(rnn, x, mask, states=None):
    """Run a recurrent layer over the steps where the mask (batch, time) is true, as in Keras.

    A step left out repeats the output before it (zeros at first), or gives zeros if there are two
    directions; a row without any keeps its first states.
    """
    count = mask.cumsum(1)
    order = (~mask).int().argsort(dim=1, stable=True)  # padding to the end, for packing
    x = x.gather(1, order.unsqueeze(2).expand_as(x))
    lengths = count[:, -1].clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, last = rnn(packed, states)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    seen = mask if rnn.bidirectional else count > 0
    place = (count - 1).clamp(min=0).unsqueeze(2).expand_as(outputs)
    outputs = outputs.gather(1, place) * seen.unsqueeze(2)
    some = mask.any(1).unsqueeze(1)
    if not isinstance(last, tuple):
        return outputs, torch.where(some, last, 0 if states is None else states)
    return outputs, tuple(
        torch.where(some, s, f) for s, f in zip(last, states or (0, 0))
    )


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.GRU):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            else:
                nn.init.zeros_(p)
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


class LitOpinion(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Opinion()
        self.apply(init_weights)
        self.model.eval()  # as Keras 3 trains it: its call takes no training

    def forward(self, inputs):
        return self.model(inputs)

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        y = y.view_as(y_pred)
        loss = F.binary_cross_entropy(y_pred.clamp(1e-7, 1 - 1e-7), y)
        accuracy = tm.accuracy(y_pred, y, task="binary")
        logs = {"loss": loss, "accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def make_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    n = len(parts[0][0] if isinstance(parts[0], (list, tuple)) else parts[0])
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


model = LitOpinion()
x, y = [reviews, readings], liked.astype("float32")
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x, y, batch_size=20, shuffle=True))
loss, accuracy = trainer.test(model, make_loader(x, y), verbose=False)[0].values()
print(f"loss {loss:.4f}, accuracy {accuracy:.3f}")
