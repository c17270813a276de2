"""The emitted layers compute what Keras's do, gradients and running statistics included."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helper_child import run_keras
from torch import nn

from k2t.render.helpers import layers, recurrent, sequences

GATES = {
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_sigmoid_2": layers.hard_sigmoid,
}
ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": F.relu,
    "linear": nn.Identity(),
    "sigmoid": torch.sigmoid,
}
CONV_CASES = [
    "11,3,2,1,1",
    "12,3,2,1,1",
    "12,4,3,1,1",
    "11,5,3,1,2",
    "12,4,1,2,1",
    "7,2,4,1,1",
    "10,1,2,1,1",
]
POOL_CASES = ["11,3,2", "12,3,2", "12,2,2", "11,2,2", "9,4,3", "8,3,1", "7,2,4"]


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    return run_keras("keras_layers.py", out=tmp_path_factory.mktemp("keras") / "layers.npz")


def case(keras, name):
    return {k.rsplit("/")[-1]: v for k, v in keras.items() if k.startswith(name + "/")}


def first(x):
    """Channels first."""
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def error(a, b):
    """Largest absolute difference, relative to the largest value."""
    a = a.detach().numpy() if isinstance(a, torch.Tensor) else a
    assert a.shape == b.shape
    return np.abs(a - b).max() / np.abs(b).max()


def compare(saved, forward, bound=2e-6):
    """Output and input gradient of `forward` against the saved ones."""
    x = torch.tensor(saved["x"], requires_grad=True)
    y = forward(x)
    assert error(y, saved["y"]) < bound
    (y * torch.tensor(saved["dy"])).sum().backward()
    assert error(x.grad, saved["dx"]) < bound


@pytest.mark.parametrize("kind", ["SameConv1d", "SameConv2d", "CausalConv1d"])
@pytest.mark.parametrize("sizes", CONV_CASES)
def test_convolution(keras, kind, sizes):
    saved = case(keras, f"{kind}:{sizes}")
    _, k, s, d, groups = map(int, sizes.split(","))
    layer = getattr(layers, kind)(4, 6, k, stride=s, dilation=d, groups=groups)
    with torch.no_grad():
        kernel = torch.tensor(saved["w0"])
        layer.weight.copy_(kernel.movedim((-1, -2), (0, 1)))
        layer.bias.copy_(torch.tensor(saved["w1"]))
    compare(saved, lambda x: last(layer(first(x))))


@pytest.mark.parametrize("kind", ["Max", "Avg"])
@pytest.mark.parametrize("sizes", POOL_CASES)
def test_pooling(keras, kind, sizes):
    _, k, s = map(int, sizes.split(","))
    pool = getattr(layers, f"Same{kind}Pool1d")(k, s)
    compare(case(keras, f"Same{kind}Pool1d:{sizes}"), lambda x: last(pool(first(x))))
    pool = getattr(layers, f"Same{kind}Pool2d")((k, k + 1), s)
    compare(case(keras, f"Same{kind}Pool2d:{sizes}"), lambda x: last(pool(first(x))))


@pytest.mark.parametrize(
    "name", ["BatchNorm1d:2", "BatchNorm1d:3", "BatchNorm2d:4", "BatchNorm3d:5"]
)
def test_batch_norm(keras, name):
    """Three training steps move the running statistics; `momentum` is one minus Keras's."""
    for suffix, steps, momentum in [("", 3, 0.1), (",inference", 1, 0.01)]:
        saved = case(keras, name + suffix)
        layer = getattr(layers, name.split(":")[0])(5, eps=1e-3, momentum=momentum)
        weights = [torch.tensor(saved[f"w{i}"]) for i in range(4)]
        layer.load_state_dict(
            dict(zip(["weight", "bias", "running_mean", "running_var"], weights, strict=True)),
            strict=False,
        )
        layer.train(steps == 3)
        for _ in range(steps - 1):
            layer(first(torch.tensor(saved["x"])))
        compare(saved, lambda x, layer=layer: last(layer(first(x))), bound=5e-6)
        assert error(layer.running_mean, saved["moving0"]) < 1e-6
        assert error(layer.running_var, saved["moving1"]) < 1e-6
        assert set(layer.state_dict()) >= {"running_mean", "running_var"}


@pytest.mark.parametrize(
    ("activation", "gate", "kernel", "padding", "stride"),
    [
        ("tanh", "sigmoid", (3, 3), "same", 1),
        ("relu", "hard_sigmoid", (2, 4), "same", 1),
        ("tanh", "hard_sigmoid_2", (3, 2), "valid", 2),
    ],
)
def test_lstm_of_convolutions(keras, activation, gate, kernel, padding, stride):
    saved = case(keras, f"ConvLSTM2d:{activation},{gate},{padding}")
    layer = sequences.ConvLSTM2d(
        2, 3, kernel, stride, padding, 1, True, ACTIVATIONS[activation], GATES[gate]
    )
    put_kernels(layer, saved)
    compare(saved, lambda x: last(layer(first(x))))


def put_kernels(layer, saved):
    with torch.no_grad():
        for weight, name in ((layer.input.weight, "w0"), (layer.recurrent.weight, "w1")):
            weight.copy_(torch.tensor(saved[name]).movedim((-1, -2), (0, 1)))
        layer.input.bias.copy_(torch.tensor(saved["w2"]))


def test_dropout_in_lstm_of_convolutions(keras, monkeypatch):
    """With Keras's own masks in place of torch's draws the outputs agree; eval drops nothing."""
    saved = case(keras, "ConvLSTM2d:dropout")
    layer = sequences.ConvLSTM2dFull(2, 3, 2, dropout=0.4, recurrent_dropout=0.3)
    plain = sequences.ConvLSTM2d(2, 3, 2)
    for module in (layer, plain):
        put_kernels(module, saved)
    x = torch.randn(2, 2, 4, 7, 6)
    torch.testing.assert_close(layer.eval()(x), plain(x))

    def replay(ones, p, training):
        assert training
        keep = torch.tensor(saved["keep_x" if p == 0.4 else "keep_h"])
        # (gate, batch, height, width, channels) to (batch, gates * channels, height, width)
        keep = keep.permute(1, 0, 4, 2, 3).flatten(1, 2)
        assert keep.numel() == ones.numel()
        return keep.view(ones.shape)

    monkeypatch.setattr(F, "dropout", replay)
    layer.train()
    compare(saved, lambda x: last(layer(first(x))))


@pytest.mark.parametrize("name", ["PReLU:2", "PReLU:4"])
def test_prelu(keras, name):
    saved = case(keras, name)
    layer = layers.PReLU(*saved["w0"].shape)
    assert layer.weight.abs().max() == 0
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(saved["w0"]))
    compare(saved, layer)


def test_hard_sigmoid(keras):
    compare(case(keras, "hard_sigmoid:"), layers.hard_sigmoid)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_plain_upsample_is_exact(keras, mode):
    layer = nn.Upsample(scale_factor=(2, 3), mode=mode)
    compare(case(keras, f"{mode}:"), lambda x: last(layer(first(x))))


@pytest.mark.parametrize("name", ["GaussianNoise", "GaussianDropout"])
def test_noise(keras, name):
    """Mean and deviation of 200,000 draws, to five standard errors; nothing in inference."""
    theirs = keras[f"{name}/y"]
    layer = getattr(layers, name)({"GaussianNoise": 0.3, "GaussianDropout": 0.2}[name])
    torch.manual_seed(0)
    x = torch.full(theirs.shape, 2.0)
    ours = layer(x).numpy()
    standard_error = theirs.std() / theirs.size**0.5
    assert abs(ours.mean() - theirs.mean()) < 5 * 2**0.5 * standard_error
    assert abs(ours.std() - theirs.std()) < 5 * standard_error
    assert torch.equal(layer.eval()(x), x)


def load_rnn(layer, saved):
    """Keras's kernels into torch's parameters; a GRU's gates: z, r, n there, r, z, n here."""

    def order(w):
        if not isinstance(layer, nn.GRU):
            return w
        z, r, n = w.chunk(3, -1)
        return torch.cat([r, z, n], -1)

    w, u, bias = (order(torch.tensor(saved[f"w{i}"])) for i in range(3))
    b_ih, b_hh = bias if bias.ndim == 2 else (bias, torch.zeros_like(bias))
    names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    layer.load_state_dict(dict(zip(names, [w.T, u.T, b_ih, b_hh], strict=True)))
    return layer


def compare_rnn(saved, layer, **kwargs):
    load_rnn(layer, saved)
    y, state = layer(torch.tensor(saved["x"]), **kwargs)
    for i, s in enumerate(state if isinstance(state, tuple) else [state]):
        assert error(s[0], saved[f"state{i}"]) < 2e-6
        assert s.shape[0] == 1
    assert y.shape == saved["y"].shape
    compare(saved, lambda x: layer(x, **kwargs)[0], bound=5e-6)


def rnn_class(rnn, form, reset):
    """The class for a form (plain, Masked or Full) or None where only Full covers it."""
    if form == "Full":
        return getattr(recurrent, f"{rnn}Full")
    if reset == "False":
        return recurrent.ResetBeforeGRU if form == "" else None
    return getattr(recurrent, form + rnn)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rnn", ["LSTM", "GRU", "SimpleRNN"])
def test_rnn(keras, rnn, masked):
    names = {k.split("/")[0] for k in keras if k.startswith(rnn + ":")}
    names = {n for n in names if "dropout" not in n and n.endswith("masked") == masked}
    tried = set()
    for name in sorted(names):
        saved = case(keras, name)
        activation, gate, reset = name.split(":")[1].split(",")[:3]
        options = {"activation": ACTIVATIONS[activation]}
        if gate:
            options["recurrent_activation"] = GATES[gate]
        kwargs = {"mask": torch.tensor(saved["mask"])} if masked else {}
        for form in ("Masked" if masked else "", "Full"):
            extra = {"reset_after": False} if (form, reset) == ("Full", "False") else {}
            cls = rnn_class(rnn, form, reset)
            if cls is not None:
                compare_rnn(saved, cls(4, 5, **options, **extra), **kwargs)
                tried.add(cls)
    assert len(tried) == (3 if rnn == "GRU" and not masked else 2)


@pytest.mark.parametrize("masked", ["", ",masked"])
@pytest.mark.parametrize(
    "name", ["LSTM:dropout,", "GRU:dropout,True", "GRU:dropout,False", "SimpleRNN:dropout,"]
)
def test_rnn_dropout(keras, monkeypatch, name, masked):
    """With Keras's own masks in place of torch's draws the outputs agree."""
    saved = case(keras, name + masked)
    rnn, reset = name.split(":dropout,")
    extra = {"reset_after": reset == "True"} if reset else {}
    layer = getattr(recurrent, rnn + "Full")(4, 5, dropout=0.4, recurrent_dropout=0.3, **extra)
    kwargs = {"mask": torch.tensor(saved["mask"])} if masked else {}

    def replay(ones, p, training):
        assert training
        keep = torch.tensor(saved["keep_x" if p == 0.4 else "keep_h"])
        if rnn == "GRU":
            keep = keep[[1, 0, 2]]  # z, r, n -> r, z, n
        assert keep.numel() == ones.numel()
        return keep.view(ones.shape)

    monkeypatch.setattr(F, "dropout", replay)
    compare_rnn(saved, layer, **kwargs)


@pytest.mark.parametrize("rnn", ["LSTM", "GRU", "SimpleRNN"])
def test_rnn_continues_from_a_state(rnn):
    """The second half, from the first's state, completes the whole; eval drops nothing."""
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4)
    native = {"LSTM": nn.LSTM, "GRU": nn.GRU, "SimpleRNN": nn.RNN}[rnn](4, 5, batch_first=True)
    expected, _ = native(x)
    full = getattr(recurrent, rnn + "Full")(4, 5, dropout=0.5, recurrent_dropout=0.5).eval()
    for layer in (getattr(recurrent, rnn)(4, 5), full):
        layer.load_state_dict(native.state_dict())
        if rnn != "GRU":
            layer.bias_ih_l0.data += layer.bias_hh_l0.data
        y1, state = layer(x[:, :3])
        y2, _ = layer(x[:, 3:], state)
        assert error(torch.cat([y1, y2], 1), expected.detach().numpy()) < 1e-6
