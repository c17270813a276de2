"""Does an answer fit its question? Pairs of token rows, padded at either end."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader

VOCABULARY = 60
QUESTION = 7
ANSWER = 12

rng = np.random.RandomState(13)
topics = rng.randint(0, 4, size=(300, 2))
topics[::2, 1] = topics[::2, 0]
fits = (topics[:, 0] == topics[:, 1]).astype("float32")


def tokens(topic, longest):
    """Words of a topic, in a row of any length."""
    return list(1 + 14 * topic + rng.randint(0, 14, size=rng.randint(2, longest + 1)))


def pad_sequences(
    sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0
):
    """Sequences of uneven length as one array (n, maxlen): short ones filled up, long ones cut."""
    longest = max(sequences, key=len)
    maxlen = len(longest) if maxlen is None else maxlen
    padded = np.full(
        (len(sequences), maxlen, *np.shape(longest)[1:]), value, dtype=dtype
    )
    for row, sequence in zip(padded, sequences):
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if len(kept) > 0:
            start = maxlen - len(kept) if padding == "pre" else 0
            row[start : start + len(kept)] = kept
    return padded


questions = pad_sequences([tokens(t, QUESTION) for t in topics[:, 0]], maxlen=QUESTION)
answers = [tokens(t, ANSWER) for t in topics[:, 1]]
answers = pad_sequences(answers, maxlen=ANSWER, padding="post")


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
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
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


class Matcher(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding1 = nn.Embedding(VOCABULARY, 10)
        self.gru = nn.GRU(10, 12, batch_first=True)
        self.embedding2 = nn.Embedding(VOCABULARY, 10)
        self.dense1 = nn.Linear(10, 10)
        self.lstm = nn.LSTM(10, 8, batch_first=True, bidirectional=True)
        self.dense2 = nn.Linear(12 + 2 * 8, 16)
        self.dense3 = nn.Linear(16, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        question, answer = inputs
        # mask_zero: the recurrent layer skips padding, wherever it stands;
        # move it to the end and pack
        padding = question == 0
        question = question.gather(1, padding.int().argsort(dim=1, stable=True))
        lengths = (~padding).sum(1).cpu()
        padding1 = answer == 0
        answer = answer.gather(1, padding1.int().argsort(dim=1, stable=True))
        lengths1 = (~padding1).sum(1).cpu()
        q = self.embedding1(question)
        packed = pack_padded_sequence(
            q, lengths, batch_first=True, enforce_sorted=False
        )
        _, h = self.gru(packed)
        q = h[-1]
        a = self.embedding2(answer)
        a = self.dense1(a).tanh()
        packed1 = pack_padded_sequence(
            a, lengths1, batch_first=True, enforce_sorted=False
        )
        _, (h1, _) = self.lstm(packed1)
        a = torch.cat([h1[0], h1[1]], 1)  # last state of each direction
        x = torch.cat([q, a], 1)
        x = F.relu(self.dense2(x))
        return self.dense3(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

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


model = Matcher()
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(
        [questions[:240], answers[:240]], fits[:240], batch_size=24, shuffle=True
    ),
    make_loader([questions[240:], answers[240:]], fits[240:], batch_size=24),
)
print(
    "accuracy: %.3f"
    % list(
        trainer.test(
            model,
            make_loader([questions[240:], answers[240:]], fits[240:]),
            verbose=False,
        )[0].values()
    )[1]
)
