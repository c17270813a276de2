"""Recurrent layers with ``stateful=True``: what becomes of them, and of ``reset_states``."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from k2t.pipeline import migrate
from k2t.render.helpers.recurrent import Stateful, reset_states

pytestmark = pytest.mark.quick

SCRIPT = """\
import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 6, 4).astype("float32")
y = np.random.rand(64, 1).astype("float32")
STATEFUL = {flag}
inputs = keras.Input((6, 4), batch_size=16)
layer = {layer}
outputs = layers.Dense(1)(layer({before}))
model = keras.Model(inputs, outputs)
model.compile("sgd", "mse")
model.fit(x, y, batch_size=16, shuffle=False)
{after}
"""
PLAIN = {"flag": True, "layer": "layers.LSTM(8, stateful=True)", "before": "inputs", "after": ""}


def migrated(dialect: str | None = None, **changed: object) -> tuple[str, list[str]]:
    script = SCRIPT.format(**{**PLAIN, **changed})
    outcome = migrate(script.encode(), "script.py", **({"dialect": dialect} if dialect else {}))
    return outcome.text or "", [f.code for f in outcome.findings]


@pytest.mark.parametrize(
    ("changed", "written"),
    [
        ({}, "self.layer = Stateful(nn.LSTM(4, 8, batch_first=True))"),
        (
            {"layer": "layers.GRU(8, stateful=STATEFUL)"},
            "Stateful(nn.GRU(4, 8, batch_first=True), STATEFUL)",
        ),
        (
            {"layer": "layers.GRU(8, stateful=STATEFUL)", "flag": False},
            "Stateful(nn.GRU(4, 8, batch_first=True), STATEFUL)",
        ),
        (
            {"layer": "layers.LSTM(8, stateful=True, kernel_regularizer='l2')"},
            "self.layer.rnn.weight_ih_l0.square()",
        ),
        (
            {"layer": "layers.RNN(layers.LSTMCell(8), stateful=True)"},
            "self.layer = Stateful(nn.LSTM(4, 8, batch_first=True))",
        ),
        ({"after": "model.reset_states()"}, "\nreset_states(model)\n"),
        (
            {
                "after": "ends = keras.callbacks.LambdaCallback(\n"
                "    on_epoch_end=lambda epoch, logs: model.reset_states()\n)\n"
                "model.fit(x, y, batch_size=16, callbacks=[ends])"
            },
            "lambda epoch, logs: reset_states(model)",
        ),
        ({"after": "layer.reset_state()"}, "\nmodel.layer.reset_states()\n"),
        ({"after": "model.layers[1].reset_states()"}, "\nmodel.layer.reset_states()\n"),
    ],
)
def test_states_go_on(changed: dict[str, object], written: str) -> None:
    text, codes = migrated(**changed)
    assert {*codes} <= {"K2T720"}
    assert written in text.replace("self.lstm", "self.layer").replace("model.lstm", "model.layer")


@pytest.mark.parametrize(
    "changed",
    [
        {"before": "layers.Masking()(inputs)"},
        {"layer": "layers.Bidirectional(layers.LSTM(8, stateful=True))"},
        {
            "before": "layers.Reshape((2, 3, 4))(inputs)",
            "layer": "layers.TimeDistributed(layers.LSTM(8, stateful=True))",
        },
        {"before": "inputs, initial_state=layers.GRU(8, return_state=True)(inputs)[1:] * 2"},
        {"layer": "layers.LSTM(8)", "after": "print(model.reset_states())"},
    ],
)
def test_states_that_are_refused(changed: dict[str, object]) -> None:
    text, codes = migrated(**changed)
    assert {"K2T190", "K2T100"} & {*codes}
    assert "raise NotImplementedError" in text


def test_without_stateful_layers_there_is_nothing_to_put_back() -> None:
    text, codes = migrated(layer="layers.LSTM(8)", after="model.reset_states()")
    assert codes == ["K2T710"]
    assert "reset_states" not in text


def test_keras_2_wants_to_be_told_the_size_of_the_batches() -> None:
    assert "K2T190" not in migrated(dialect="keras2", after="model.predict(x, batch_size=16)")[1]
    assert "K2T190" in migrated(dialect="keras2", after="model.predict(x)")[1]


def test_a_model_trained_by_batches_predicts_all_rows_at_once() -> None:
    script = SCRIPT.format(**{**PLAIN, "after": "model.predict(x, batch_size=16)"})
    script = script.replace("model.fit(x, y, batch_size=16, shuffle=False)", "{}")
    loop = "for i in range(4):\n    model.train_on_batch(x[16 * i : 16 * i + 16], y[:16])"
    outcome = migrate(script.format(loop).encode(), "script.py")
    assert [f.code for f in outcome.findings if f.severity == "error"] == ["K2T190"]


def test_no_gradient_goes_into_the_batch_before() -> None:
    layer = Stateful(nn.LSTM(3, 4, batch_first=True))
    first, second = torch.randn(2, 2, 5, 3, requires_grad=True).unbind()
    first.retain_grad()
    with torch.inference_mode():  # as validation has it
        layer(torch.randn(2, 5, 3))
    layer(first)
    layer(second)[0].sum().backward()
    assert first.grad is None


def test_states_are_put_back_in_all_layers() -> None:
    model = nn.Sequential(Stateful(nn.GRU(3, 4, batch_first=True)), nn.Identity())
    x = torch.randn(2, 5, 3)
    before = model[0](x)[0]
    assert not torch.equal(model[0](x)[0], before)
    reset_states(model)
    assert torch.equal(model[0](x)[0], before)
    assert model.state_dict().keys() == {f"0.rnn.{n}" for n, _ in model[0].rnn.named_parameters()}


def test_keras_2_is_known_by_its_batch_input_shape() -> None:
    layer = "layers.LSTM(8, stateful=True, batch_input_shape=(16, 6, 4))"
    text, codes = migrated(layer=layer)
    assert "recurrent_activation=hard_sigmoid" in text
    assert "K2T124" in codes


def test_a_model_for_other_batches_takes_the_weights() -> None:
    made = "keras.Sequential([keras.Input((6, 4), batch_size={}), layers.LSTM(8, stateful=True)])"
    script = f"import keras\nfrom keras import layers\n\nold = {made.format(4)}\n"
    script += f"new = {made.format(1)}\nold.compile('sgd', 'mse')\nold.fit(x, y, batch_size=4)\n"
    script += "new.compile('sgd', 'mse')\nnew.set_weights(old.get_weights())\n"
    script += "new.predict(x, batch_size=1)\n"
    outcome = migrate(script.encode(), "script.py")
    assert outcome.findings == ()
    assert "new.load_state_dict(old.state_dict())" in (outcome.text or "")


def test_a_prediction_that_only_leaves_its_states_is_not_put_together() -> None:
    text, codes = migrated(after="model.predict(x, batch_size=16)\n")
    assert codes == []
    assert "\ntrainer.predict(model, make_loader(x, batch_size=16))\n" in text


@pytest.mark.parametrize("test", ["", 'if hasattr(one, "reset_states"):', "if one.stateful:"])
def test_a_loop_over_the_layers_puts_all_of_them_back(test: str) -> None:
    call = f"    {test}\n        one.reset_states()" if test else "    one.reset_states()"
    text, codes = migrated(after=f"for one in model.layers:\n{call}\nprint(model.count_params())")
    assert codes == []
    assert "\nreset_states(model)\nprint(" in text


def test_a_loop_that_does_more_than_put_back_is_refused() -> None:
    after = "for one in model.layers:\n    if one.stateful:\n        print(one)\n"
    _, codes = migrated(after=f"{after}        one.reset_states()")
    assert "K2T900" in codes


def test_what_a_callback_asks_a_stateful_model_is_refused() -> None:
    after = "ends = keras.callbacks.LambdaCallback(\n    on_epoch_end=lambda epoch, logs: print("
    after += "model.evaluate(x, y, batch_size=16))\n)\n"
    _, codes = migrated(after=f"{after}model.fit(x, y, batch_size=16, callbacks=[ends])")
    assert "K2T190" in codes
