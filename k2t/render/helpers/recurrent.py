"""One-layer LSTM, GRU and SimpleRNN for what the native kernels lack: Keras's loop over time.

Batch first; parameters and results are those of nn.LSTM, nn.GRU and nn.RNN. The plain forms have
activations only, the Masked ones a mask too, the Full ones everything. The mask (batch, time) is
true where a step counts; a masked step repeats the last output and state (zeros at first). Dropout
draws one mask a gate and batch, the same for all steps, as Keras does if recurrent_dropout is set.
"""
# ruff: noqa: B905

import torch
import torch.nn.functional as F
from torch import nn


class LSTM(nn.LSTM):
    """One-layer LSTM, batch first, with a choice of activations, as in Keras."""

    def __init__(
        self, input_size, hidden_size, activation=torch.tanh, recurrent_activation=torch.sigmoid
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation

    def forward(self, x, state=None):
        h, c = state or x.new_zeros(2, 1, len(x), self.hidden_size)
        outputs = []
        for step in F.linear(x, self.weight_ih_l0, self.bias_ih_l0).unbind(1):
            i, f, g, o = (step + F.linear(h, self.weight_hh_l0)).chunk(4, -1)
            i, f, o = map(self.recurrent_activation, (i, f, o))
            c = f * c + i * self.activation(g)
            h = o * self.activation(c)
            outputs.append(h[0])
        return torch.stack(outputs, 1), (h, c)


class MaskedLSTM(nn.LSTM):
    """One-layer LSTM, batch first, that repeats its output and state where the mask is false."""

    def __init__(
        self, input_size, hidden_size, activation=torch.tanh, recurrent_activation=torch.sigmoid
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation

    def forward(self, x, mask, state=None):
        h, c = state or x.new_zeros(2, 1, len(x), self.hidden_size)
        outputs = []
        gates = F.linear(x, self.weight_ih_l0, self.bias_ih_l0)
        for step, keep in zip(gates.unbind(1), mask.unsqueeze(2).unbind(1)):
            i, f, g, o = (step + F.linear(h, self.weight_hh_l0)).chunk(4, -1)
            i, f, o = map(self.recurrent_activation, (i, f, o))
            c = torch.where(keep, f * c + i * self.activation(g), c)
            h = torch.where(keep, o * self.activation(c), h)
            outputs.append(h[0])
        return torch.stack(outputs, 1), (h, c)


class LSTMFull(nn.LSTM):
    """One-layer LSTM, batch first, with Keras's activations, mask and dropout constant in time."""

    def __init__(
        self,
        input_size,
        hidden_size,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
        dropout=0.0,
        recurrent_dropout=0.0,
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(self, x, state=None, mask=None):
        h, c = state or x.new_zeros(2, 1, len(x), self.hidden_size)
        mask = torch.ones_like(x[..., 0], dtype=torch.bool) if mask is None else mask
        # (gate, batch, 1, features) and (gate, batch, units): each gate drops inputs of its own
        keep_x = F.dropout(x.new_ones(4, len(x), 1, x.shape[2]), self.dropout, self.training)
        keep_h = F.dropout(h.new_ones(4, *h.shape[1:]), self.recurrent_dropout, self.training)
        w_x, w_h, bias = (
            p.unflatten(0, (4, -1)) for p in (self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0)
        )
        gates = torch.einsum("gbti,gui->tgbu", x * keep_x, w_x) + bias.unsqueeze(1)
        outputs = []
        for t, step in enumerate(gates):
            i, f, g, o = step + (h * keep_h) @ w_h.mT
            i, f, o = map(self.recurrent_activation, (i, f, o))
            c = torch.where(mask[:, t, None], f * c + i * self.activation(g), c)
            h = torch.where(mask[:, t, None], o * self.activation(c), h)
            outputs.append(h[0])
        return torch.stack(outputs, 1), (h, c)


class GRU(nn.GRU):
    """One-layer GRU, batch first, with a choice of activations, as in Keras."""

    def __init__(
        self, input_size, hidden_size, activation=torch.tanh, recurrent_activation=torch.sigmoid
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation

    def forward(self, x, h=None):
        h = x.new_zeros(1, len(x), self.hidden_size) if h is None else h
        outputs = []
        for step in F.linear(x, self.weight_ih_l0, self.bias_ih_l0).unbind(1):
            x_r, x_z, x_n = step.chunk(3, -1)
            h_r, h_z, h_n = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, -1)
            r, z = self.recurrent_activation(x_r + h_r), self.recurrent_activation(x_z + h_z)
            h = z * h + (1 - z) * self.activation(x_n + r * h_n)
            outputs.append(h[0])
        return torch.stack(outputs, 1), h


class MaskedGRU(nn.GRU):
    """One-layer GRU, batch first, that repeats its output and state where the mask is false."""

    def __init__(
        self, input_size, hidden_size, activation=torch.tanh, recurrent_activation=torch.sigmoid
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation

    def forward(self, x, mask, h=None):
        h = x.new_zeros(1, len(x), self.hidden_size) if h is None else h
        outputs = []
        gates = F.linear(x, self.weight_ih_l0, self.bias_ih_l0)
        for step, keep in zip(gates.unbind(1), mask.unsqueeze(2).unbind(1)):
            x_r, x_z, x_n = step.chunk(3, -1)
            h_r, h_z, h_n = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, -1)
            r, z = self.recurrent_activation(x_r + h_r), self.recurrent_activation(x_z + h_z)
            new = z * h + (1 - z) * self.activation(x_n + r * h_n)
            h = torch.where(keep, new, h)
            outputs.append(h[0])
        return torch.stack(outputs, 1), h


class ResetBeforeGRU(nn.GRU):
    """One-layer GRU of Keras's reset_after=False: the reset gate acts on h before the product."""

    def __init__(
        self, input_size, hidden_size, activation=torch.tanh, recurrent_activation=torch.sigmoid
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation

    def forward(self, x, h=None):
        h = x.new_zeros(1, len(x), self.hidden_size) if h is None else h
        w_r, w_z, w_n = self.weight_hh_l0.chunk(3)
        outputs = []
        for step in F.linear(x, self.weight_ih_l0, self.bias_ih_l0).unbind(1):
            x_r, x_z, x_n = step.chunk(3, -1)
            r = self.recurrent_activation(x_r + F.linear(h, w_r))
            z = self.recurrent_activation(x_z + F.linear(h, w_z))
            h = z * h + (1 - z) * self.activation(x_n + F.linear(r * h, w_n))
            outputs.append(h[0])
        return torch.stack(outputs, 1), h


class GRUFull(nn.GRU):
    """One-layer GRU, batch first, with Keras's activations, mask and dropout constant in time."""

    def __init__(
        self,
        input_size,
        hidden_size,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
        dropout=0.0,
        recurrent_dropout=0.0,
        reset_after=True,
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.reset_after = reset_after

    def forward(self, x, h=None, mask=None):
        h = x.new_zeros(1, len(x), self.hidden_size) if h is None else h
        # (gate, batch, 1, features) and (gate, batch, units): each gate drops inputs of its own
        keep_x = F.dropout(x.new_ones(3, len(x), 1, x.shape[2]), self.dropout, self.training)
        keep_h = F.dropout(h.new_ones(3, *h.shape[1:]), self.recurrent_dropout, self.training)
        w_x, b_x = (p.unflatten(0, (3, -1)) for p in (self.weight_ih_l0, self.bias_ih_l0))
        w_r, w_z, w_n = self.weight_hh_l0.chunk(3)
        b_r, b_z, b_n = self.bias_hh_l0.chunk(3)
        gates = torch.einsum("gbti,gui->tgbu", x * keep_x, w_x) + b_x.unsqueeze(1)
        outputs = []
        for t, (x_r, x_z, x_n) in enumerate(gates):
            h_r, h_z, h_n = h * keep_h
            r = self.recurrent_activation(x_r + F.linear(h_r, w_r, b_r))
            z = self.recurrent_activation(x_z + F.linear(h_z, w_z, b_z))
            h_n = r * F.linear(h_n, w_n, b_n) if self.reset_after else F.linear(r * h_n, w_n)
            new = z * h + (1 - z) * self.activation(x_n + h_n)
            h = new if mask is None else torch.where(mask[:, t, None], new, h)
            outputs.append(h[0])
        return torch.stack(outputs, 1), h


class SimpleRNN(nn.RNN):
    """One-layer RNN, batch first, with any activation, as in Keras."""

    def __init__(self, input_size, hidden_size, activation=torch.tanh):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation

    def forward(self, x, h=None):
        h = x.new_zeros(1, len(x), self.hidden_size) if h is None else h
        outputs = []
        for step in F.linear(x, self.weight_ih_l0, self.bias_ih_l0).unbind(1):
            h = self.activation(step + F.linear(h, self.weight_hh_l0))
            outputs.append(h[0])
        return torch.stack(outputs, 1), h


class MaskedSimpleRNN(nn.RNN):
    """One-layer RNN, batch first, that repeats its output and state where the mask is false."""

    def __init__(self, input_size, hidden_size, activation=torch.tanh):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation

    def forward(self, x, mask, h=None):
        h = x.new_zeros(1, len(x), self.hidden_size) if h is None else h
        outputs = []
        steps = F.linear(x, self.weight_ih_l0, self.bias_ih_l0)
        for step, keep in zip(steps.unbind(1), mask.unsqueeze(2).unbind(1)):
            h = torch.where(keep, self.activation(step + F.linear(h, self.weight_hh_l0)), h)
            outputs.append(h[0])
        return torch.stack(outputs, 1), h


class SimpleRNNFull(nn.RNN):
    """One-layer RNN, batch first, with Keras's activations, mask and dropout constant in time."""

    def __init__(
        self,
        input_size,
        hidden_size,
        activation=torch.tanh,
        dropout=0.0,
        recurrent_dropout=0.0,
    ):
        super().__init__(input_size, hidden_size, batch_first=True)
        self.activation = activation
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(self, x, h=None, mask=None):
        h = x.new_zeros(1, len(x), self.hidden_size) if h is None else h
        x = x * F.dropout(torch.ones_like(x[:, :1]), self.dropout, self.training)
        keep_h = F.dropout(torch.ones_like(h), self.recurrent_dropout, self.training)
        outputs = []
        for t, step in enumerate(F.linear(x, self.weight_ih_l0, self.bias_ih_l0).unbind(1)):
            new = self.activation(step + F.linear(h * keep_h, self.weight_hh_l0))
            h = new if mask is None else torch.where(mask[:, t, None], new, h)
            outputs.append(h[0])
        return torch.stack(outputs, 1), h


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


class GRUWithState(nn.GRU):
    """One-layer GRU, batch first, that takes and gives its state as Keras's: (batch, units)."""

    def __init__(self, *sizes, return_sequences=False, **options):
        super().__init__(*sizes, **options)
        self.return_sequences = return_sequences

    def forward(self, x, state=None):
        outputs, h = super().forward(x, None if state is None else state.unsqueeze(0))
        return outputs if self.return_sequences else h[0], h[0]


class SimpleRNNWithState(nn.RNN):
    """One-layer RNN, batch first, that takes and gives its state as Keras's: (batch, units)."""

    def __init__(self, *sizes, return_sequences=False, **options):
        super().__init__(*sizes, **options)
        self.return_sequences = return_sequences

    def forward(self, x, state=None):
        outputs, h = super().forward(x, None if state is None else state.unsqueeze(0))
        return outputs if self.return_sequences else h[0], h[0]


class Stateful(nn.Module):
    """A recurrent layer that goes on from batch to batch, as with Keras's stateful=True.

    Row i of a batch starts with the states in which row i of the batch before has ended: in
    training, validation and prediction, until reset_states(). No gradient goes back that far.
    """

    def __init__(self, rnn, stateful=True):
        super().__init__()
        self.rnn = rnn
        self.stateful = stateful
        self.register_buffer("states", None, persistent=False)

    def reset_states(self):
        self.states = None

    def forward(self, x):
        if not self.stateful:
            return self.rnn(x)
        before = None
        if self.states is not None:  # (1 or 2, 1, batch, units): h, or h and c
            before = self.states.clone()  # validation makes them in inference mode
            before = before[0] if len(before) == 1 else tuple(before)
        outputs, after = self.rnn(x, before)
        self.states = torch.stack(after if isinstance(after, tuple) else (after,)).detach()
        return outputs, after


def reset_states(model):
    """The stateful layers of a model start the next batch with zeros."""
    for module in model.modules():
        if isinstance(module, Stateful):
            module.reset_states()
