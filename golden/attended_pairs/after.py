"""Which answer fits a question: attention between them, that padding has no part in."""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader

WORDS = 40
UNITS = 12

rng = np.random.default_rng(11)
questions = rng.integers(1, WORDS, size=(320, 9))
answers = rng.integers(1, WORDS, size=(320, 7))
questions[np.arange(9) >= rng.integers(1, 10, 320)[:, None]] = 0
answers[np.arange(7) >= rng.integers(1, 8, 320)[:, None]] = 0
fits = (questions[:, 0] > answers[:, 0] + 8).astype("float32")


class Reader(nn.Module):
    """The words of a text, each with those before it, and how much it looks at them."""

    def __init__(self, units):
        super().__init__()
        self.project = nn.Linear(12, units)
        self.attention = AdditiveAttention(units)

    def forward(self, text, counts):
        keys = self.project(text).tanh()
        seen, scores = self.attention(
            keys,
            text,
            text,
            value_mask=counts,
            use_causal_mask=True,
            return_attention_scores=True,
        )
        return seen + text * scores[:, :, :1]


def masked_softmax(scores, value_mask=None, use_causal_mask=False):
    """Weights (batch, queries, values) of scores; what a query does not see has a score of -1e9."""
    hidden = torch.zeros_like(scores, dtype=torch.bool)
    if value_mask is not None:
        hidden = hidden | ~value_mask.bool().unsqueeze(1)
    if use_causal_mask:
        hidden = hidden | torch.ones_like(hidden).triu(1)
    return (scores - 1e9 * hidden).softmax(-1)


class AdditiveAttention(nn.Module):
    """Keras's AdditiveAttention over (batch, time, features): Bahdanau's scores, with masks.

    features: the size of the weight the scores are summed with; None: they are summed plainly.
    query_mask and value_mask (batch, time) are true where a step counts; a query that sees no value
    gets the mean of all, and a query that is left out gets zeros.
    """

    def __init__(self, features=None, dropout=0.0):
        super().__init__()
        self.dropout = dropout
        self.scale = None
        if features is not None:
            # Glorot uniform, as Keras counts the fans of a vector
            limit = (3 / features) ** 0.5
            self.scale = nn.Parameter(torch.empty(features).uniform_(-limit, limit))

    def forward(
        self,
        query,
        key,
        value,
        query_mask=None,
        value_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        scores = (query.unsqueeze(2) + key.unsqueeze(1)).tanh()
        scores = scores.sum(-1) if self.scale is None else scores @ self.scale
        weights = masked_softmax(scores, value_mask, use_causal_mask)
        x = F.dropout(weights, self.dropout, self.training) @ value
        x = x if query_mask is None else x * query_mask.bool().unsqueeze(2)
        return (x, weights) if return_attention_scores else x


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


class Attention(nn.Module):
    """Keras's Attention over (batch, time, features) with all it can be asked for.

    Scores are products of queries and keys, or with `concat` sums of tanh(query + key); either has
    its weight. query_mask and value_mask (batch, time) are true where a step counts; a query that
    sees no value gets the mean of all, and a query that is left out gets zeros.
    """

    def __init__(self, dropout=0.0, scaled=True, concat=False):
        super().__init__()
        self.dropout = dropout
        self.scale = nn.Parameter(torch.ones(())) if scaled else 1.0
        self.concat_scale = nn.Parameter(torch.ones(())) if concat else None

    def scores(self, query, key):
        if self.concat_scale is None:
            return query @ key.mT * self.scale
        both = query.unsqueeze(2) + key.unsqueeze(1)
        return self.concat_scale * (self.scale * both).tanh().sum(-1)

    def forward(
        self,
        query,
        key,
        value,
        query_mask=None,
        value_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
    ):
        weights = masked_softmax(self.scores(query, key), value_mask, use_causal_mask)
        x = F.dropout(weights, self.dropout, self.training) @ value
        x = x if query_mask is None else x * query_mask.bool().unsqueeze(2)
        return (x, weights) if return_attention_scores else x


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, 0.0, 1.0)
    elif isinstance(module, nn.GRU):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            else:
                nn.init.zeros_(p)
    elif isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        # the words of the question, each with what the answer says about it
        self.embed = nn.Embedding(WORDS, UNITS)
        self.gru1 = nn.GRU(UNITS, UNITS, batch_first=True)
        self.gru2 = nn.GRU(UNITS, UNITS, batch_first=True)
        self.attention = Attention()
        self.conv = nn.Conv1d(UNITS, UNITS, 3, padding="same")
        self.reader = Reader(UNITS)
        self.dense = nn.Linear(UNITS + 12, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        question, answer = inputs
        mask = question != 0
        q = skip_padding(self.gru1, self.embed(question), mask)[0]
        mask1 = answer != 0
        a = skip_padding(self.gru2, self.embed(answer), mask1)[0]
        context = self.attention(q, a, a, query_mask=mask, value_mask=mask1)
        q_pooled = (context * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True)
        # the answer as a whole
        counts = answer > 0
        x = self.conv(a.transpose(1, 2))  # NLC -> NCL
        read = self.reader(x.transpose(1, 2), counts)
        a_pooled = read.amax(1)
        h = torch.cat([q_pooled, a_pooled], 1)
        return self.dense(h)  # logits: the sigmoid is in the loss

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


model = Model()
split = int(len(questions) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader([questions[:split], answers[:split]], fits[:split], shuffle=True),
    make_loader([questions[split:], answers[split:]], fits[split:]),
)
