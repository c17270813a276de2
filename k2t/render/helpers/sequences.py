"""Around recurrent layers: both directions, masks, cells of the script's own; ConvLSTM2d."""
# ruff: noqa: B905

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Bidirectional(nn.Module):
    """Two one-way recurrent layers, the second over reversed time: one that goes both ways."""

    def __init__(self, ahead, back):
        super().__init__()
        self.ahead, self.back = ahead, back

    def forward(self, x):
        ahead, last = self.ahead(x)
        back, first = self.back(x.flip(1))
        outputs = torch.cat([ahead, back.flip(1)], 2)
        if isinstance(last, tuple):
            return outputs, tuple(map(torch.cat, zip(last, first)))
        return outputs, torch.cat([last, first])


class MaskedBidirectional(nn.Module):
    """Two one-way recurrent layers, the second over reversed time; zeros where it is masked."""

    def __init__(self, ahead, back):
        super().__init__()
        self.ahead, self.back = ahead, back

    def forward(self, x, mask):
        ahead, last = self.ahead(x, mask=mask)
        back, first = self.back(x.flip(1), mask=mask.flip(1))
        outputs = torch.cat([ahead, back.flip(1)], 2) * mask.unsqueeze(2)
        if isinstance(last, tuple):
            return outputs, tuple(map(torch.cat, zip(last, first)))
        return outputs, torch.cat([last, first])


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
    return outputs, tuple(torch.where(some, s, f) for s, f in zip(last, states or (0, 0)))


class RNN(nn.Module):
    """A cell over the steps of (batch, time, features): output, states = cell(step, states)."""

    def __init__(self, cell, return_sequences=False):
        super().__init__()
        self.cell, self.return_sequences = cell, return_sequences

    def forward(self, x):
        sizes = self.cell.state_size
        sizes = sizes if isinstance(sizes, (list, tuple)) else [sizes]
        states = [x.new_zeros(len(x), size) for size in sizes]
        outputs = []
        for step in x.unbind(1):
            output, states = self.cell(step, states)
            outputs.append(output)
        return torch.stack(outputs, 1) if self.return_sequences else output


class ConvLSTM2d(nn.Module):
    """LSTM of convolutions over frames (batch, channels, time, height, width), as in Keras."""

    conv = nn.Conv2d

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        bias=True,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
    ):
        super().__init__()
        gates = 4 * out_channels
        self.input = self.conv(
            in_channels, gates, kernel_size, stride, padding, dilation, bias=bias
        )
        self.recurrent = self.conv(out_channels, gates, kernel_size, padding="same", bias=False)
        self.activation = activation
        self.recurrent_activation = recurrent_activation

    def forward(self, x):
        gates = self.input(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(x), -1))
        h = c = torch.zeros_like(gates[:, 0].chunk(4, 1)[0])
        outputs = []
        for step in gates.unbind(1):
            i, f, g, o = (step + self.recurrent(h)).chunk(4, 1)
            i, f, o = map(self.recurrent_activation, (i, f, o))
            c = f * c + i * self.activation(g)
            h = o * self.activation(c)
            outputs.append(h)
        return torch.stack(outputs, 2)


class ConvLSTM2dFull(nn.Module):
    """ConvLSTM2d with Keras's dropout: each gate drops numbers of its own, alike in all frames."""

    conv = nn.Conv2d

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        bias=True,
        activation=torch.tanh,
        recurrent_activation=torch.sigmoid,
        dropout=0.0,
        recurrent_dropout=0.0,
    ):
        super().__init__()
        inputs, gates = 4 * in_channels, 4 * out_channels
        # a group for each gate: the kernels have the shape of one convolution for all
        self.input = self.conv(inputs, gates, kernel_size, stride, padding, dilation, 4, bias)
        self.recurrent = self.conv(gates, gates, kernel_size, padding="same", groups=4, bias=False)
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(self, x):
        x = torch.cat([x.transpose(1, 2)] * 4, 2)  # (batch, time, 4 * channels, height, width)
        x = x * F.dropout(torch.ones_like(x[:, :1]), self.dropout, self.training)
        gates = self.input(x.flatten(0, 1)).unflatten(0, (len(x), -1))
        h = c = torch.zeros_like(gates[:, 0].chunk(4, 1)[0])
        keep = F.dropout(torch.ones_like(gates[:, 0]), self.recurrent_dropout, self.training)
        outputs = []
        for step in gates.unbind(1):
            i, f, g, o = (step + self.recurrent(torch.cat([h] * 4, 1) * keep)).chunk(4, 1)
            i, f, o = map(self.recurrent_activation, (i, f, o))
            c = f * c + i * self.activation(g)
            h = o * self.activation(c)
            outputs.append(h)
        return torch.stack(outputs, 2)


class ConvLSTM1d(ConvLSTM2d):
    """ConvLSTM2d over rows (batch, channels, time, width)."""

    conv = nn.Conv1d


class ConvLSTM1dFull(ConvLSTM2dFull):
    """ConvLSTM2dFull over rows (batch, channels, time, width)."""

    conv = nn.Conv1d


class ConvLSTM3d(ConvLSTM2d):
    """ConvLSTM2d over volumes (batch, channels, time, depth, height, width)."""

    conv = nn.Conv3d


class ConvLSTM3dFull(ConvLSTM2dFull):
    """ConvLSTM2dFull over volumes (batch, channels, time, depth, height, width)."""

    conv = nn.Conv3d
