"""Masks in functional graphs: where they arrive, and where they are refused."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np
from keras import layers

tokens = np.random.randint(1, 50, size=(64, 10))
y = np.random.rand(*(64, 1)).astype("float32")
inputs = keras.Input((10,))
embedded = layers.Embedding(50, 8, mask_zero=True)(inputs)
"""
TAIL = """
model = keras.Model(inputs, layers.Dense(1)(last))
model.compile("sgd", "mse")
model.fit(tokens, y)
"""


def migrated(script: str) -> tuple[str, list[str]]:
    outcome = migrate((HEAD + script + TAIL).encode(), "script.py")
    return outcome.text or "", [f.code for f in outcome.findings]


@pytest.mark.parametrize(
    "script",
    [
        "last = layers.LSTM(4)(layers.BatchNormalization()(embedded))",
        "last = layers.LSTM(4)(layers.Softmax()(embedded))",
        "last = layers.LSTM(4)(layers.Concatenate(axis=1)([embedded, embedded]))",
        "other = layers.Embedding(50, 8, mask_zero=True)(keras.ops.flip(inputs, 1))\n"
        "last = layers.LSTM(4)(layers.Add()([embedded, other]))",
        "last = layers.Dense(2)(embedded)",  # the loss, and targets without steps
    ],
)
def test_a_mask_that_goes_elsewhere_is_refused(script: str) -> None:
    text, codes = migrated(script)
    assert "K2T114" in codes
    assert "skip_padding" not in text


@pytest.mark.parametrize(
    ("script", "written"),
    [
        (
            "last = layers.LSTM(4)(layers.LSTM(4, return_sequences=True)(embedded))",
            "skip_padding(self.lstm1, embedded, mask)[0], mask",
        ),
        ("last = layers.GlobalAveragePooling1D()(embedded)", "/ mask.sum(1, keepdim=True)"),
        ("last = layers.LSTM(4)(layers.Add()([embedded, embedded]))", "mask = inputs != 0"),
        ("last = layers.LSTM(4, go_backwards=True)(embedded)", ".flip(1), mask.flip(1))"),
        ("last = layers.LSTM(4, activation='relu')(embedded)", "MaskedLSTM(8, 4"),
        (
            "last = layers.LSTM(4)(layers.Masking(2.5)(embedded))",
            "mask = (embedded != 2.5).any(-1)",
        ),
        (
            "last = layers.Bidirectional(layers.GRU(4, reset_after=False))(embedded)",
            "MaskedBidirectional(",
        ),
    ],
)
def test_a_mask_is_handed_to_the_layers_that_use_it(script: str, written: str) -> None:
    text, codes = migrated(script)
    assert set(codes) <= {"K2T124"}
    assert written in text


def test_keras_3_hands_no_mask_to_a_layer_with_first_states() -> None:
    script = "y, h = layers.GRU(4, return_state=True)(embedded)\n"
    script += "last = layers.GRU(4)(embedded, initial_state=h)"
    text, _ = migrated(script)
    assert text.count("skip_padding(") == 2  # its definition, and one call
    old = (HEAD + script + TAIL).replace("import keras", "from tensorflow import keras")
    again = migrate(old.replace("from keras", "from tensorflow.keras").encode(), "script.py")
    assert (again.text or "").count("skip_padding(") == 3


ATTENDED = """\
attended = layers.MultiHeadAttention(2, 4)(embedded, embedded)
h = layers.Add()([embedded, attended])
"""


def test_keras_3_takes_masks_off_what_attention_reads() -> None:
    """Measured: a second one, and the loss, do not see them; means and recurrent layers do."""
    second = ATTENDED + (
        "h = layers.MultiHeadAttention(2, 4)(h, h)\nlast = layers.GlobalMaxPooling1D()(h)"
    )
    loss = (HEAD + ATTENDED + "last = h" + TAIL).replace("(64, 1)", "(64, 10, 1)")
    assert "K2T114" in migrated(second)[1]
    assert "K2T114" in [f.code for f in migrate(loss.encode(), "script.py").findings]
    assert migrated(ATTENDED + "last = layers.GlobalAveragePooling1D()(h)")[1] == []
    old = (HEAD + second + TAIL).replace("import keras", "from tensorflow import keras")
    old = old.replace("from keras", "from tensorflow.keras")
    assert [f.code for f in migrate(old.encode(), "script.py").findings] == []


def test_first_states_under_a_mask_are_refused_in_keras_2() -> None:
    script = "y, h = layers.GRU(4, reset_after=True, recurrent_activation='sigmoid', "
    script += "return_state=True)(embedded)\nlast = layers.GRU(4, reset_after=True, "
    script += "recurrent_activation='sigmoid')(embedded, initial_state=h)"
    outcome = migrate((HEAD + script + TAIL).encode(), "script.py", dialect="keras2")
    assert "K2T128" in [f.code for f in outcome.findings]


def test_an_operator_loses_a_mask() -> None:
    text, codes = migrated("last = layers.LSTM(4)(embedded * 2)")
    assert codes == []
    assert "mask" not in text


def test_a_mask_at_the_end_counts_in_the_loss() -> None:
    script = HEAD + "last = layers.GRU(4, return_sequences=True)(embedded)" + TAIL
    script = script.replace("(64, 1)", "(64, 10, 1)")
    text = migrate(script.encode(), "script.py").text or ""
    assert "y_pred, y = self(x)[mask], y[mask]" in text


def test_a_mask_reaches_the_layer_that_uses_it() -> None:
    text, codes = migrated("last = layers.GRU(4)(layers.Dropout(0.1)(embedded))")
    assert codes == []
    assert "pack_padded_sequence" in text


def test_a_mask_that_is_of_no_use_is_left_out() -> None:
    text, codes = migrated("last = layers.Flatten()(embedded)")
    assert codes == []
    assert "padding" not in text


def test_states_leave_the_variables_of_the_script_alone() -> None:
    text, codes = migrated(
        "plain = layers.Embedding(50, 8)(inputs)\n"
        "h = layers.Flatten()(plain)\n"
        "both = layers.Bidirectional(layers.LSTM(6))(plain)\n"
        "last = layers.concatenate([h, both])"
    )
    assert codes == []
    assert "_, (h1, _) = self.lstm(" in text


CLASS = """\
class Reader(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = {first}
        self.gru = layers.GRU(4, return_sequences={sequences})
        self.dense = layers.Dense(1)

    def call(self, inputs):
        {call}


model = Reader()
model.compile("sgd", "mse")
model.fit({fed}, y)
"""
PLAIN = {
    "first": "layers.Embedding(50, 8, mask_zero=True)",
    "sequences": False,
    "call": "return self.dense(self.gru(self.first(inputs)))",
    "fed": "tokens",
}


def in_class(**changed: object) -> tuple[str, list[str]]:
    outcome = migrate((HEAD + CLASS.format(**{**PLAIN, **changed})).encode(), "script.py")
    return outcome.text or "", [f.code for f in outcome.findings]


@pytest.mark.parametrize(
    ("changed", "written"),
    [
        ({}, "mask = inputs != 0"),
        (
            {"first": "layers.Masking(2.5)", "fed": "np.random.rand(64, 10, 3)"},
            "self.gru, inputs * mask.unsqueeze(-1), mask)",
        ),
        (
            {
                "call": "# the mask goes along\n        "
                "return self.dense(self.gru(self.first(inputs)))"
            },
            "padding_mask = inputs != 0",
        ),
    ],
)
def test_a_mask_inside_a_class(changed: dict[str, object], written: str) -> None:
    text, codes = in_class(**changed)
    assert codes == []
    assert written in text


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"sequences": True}, "K2T114"),  # it would leave the class
        (
            {
                "call": "x = self.first(inputs)\n        x = self.gru(x) + self.gru(x * 2)\n"
                "        return self.dense(x)"
            },
            "K2T115",
        ),
        (
            {
                "call": "x, y = self.gru(self.first(inputs)), self.gru(self.first(inputs + 1))\n"
                "        return self.dense(x + y)"
            },
            "K2T114",
        ),
        (
            {
                "call": "if len(inputs.shape) == 2:\n            x = self.first(inputs)\n"
                "            return self.dense(self.gru(x))\n        return inputs"
            },
            "K2T114",
        ),
    ],
)
def test_a_mask_inside_a_class_that_is_refused(changed: dict[str, object], code: str) -> None:
    _, codes = in_class(**changed)
    assert {*codes} == {code, "K2T903"}  # which is said of what needs the model


@pytest.mark.parametrize(
    ("script", "written"),
    [
        ("layers.Attention()([plain, embedded])", "attn_mask=mask.unsqueeze(1) * 1e9 - 1e9"),
        ("layers.Attention()([embedded, plain])", "embedded, plain, plain, query_mask=mask)"),
        (
            "layers.Attention()([embedded, plain], [None, keras.ops.greater(inputs, 2)])",
            "embedded, plain, plain, value_mask=inputs > 2)",
        ),
        (
            "layers.AdditiveAttention()([plain, embedded], use_causal_mask=True)",
            "value_mask=mask, use_causal_mask=True)",
        ),
    ],
)
def test_attention_of_one_head_is_told_its_masks(script: str, written: str) -> None:
    plain = "plain = layers.Embedding(50, 8)(inputs)\n"
    text, codes = migrated(f"{plain}last = layers.GlobalMaxPooling1D()({script})")
    assert codes == []
    assert written in in_one_line(text)


def in_one_line(text: str) -> str:
    """Without the breaks that black puts into long calls."""
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")").replace(",)", ")")


def test_what_goes_on_behind_attention_is_the_mask_of_its_queries() -> None:
    plain = "plain = layers.Embedding(50, 8)(inputs)\n"
    last = "last = layers.GlobalAveragePooling1D()(layers.Attention()([{}, {}]))"
    text, codes = migrated(plain + last.format("embedded", "plain"))
    assert codes == []
    assert "mask.sum(1" in text
    text, codes = migrated(plain + last.format("plain", "embedded"))
    assert codes == []
    assert ".mean(1)" in text
    said = "layers.Attention()([plain, plain], mask=[keras.ops.greater(inputs, 2), None])"
    text, codes = migrated(f"{plain}last = layers.GRU(4)({said})")
    assert codes == []
    assert "self.gru, self.attention(" in in_one_line(text)
    assert "mask = sequence.bool()" in text


def test_what_an_embedding_computes_of_its_mask_is_a_comparison() -> None:
    asked = "table = layers.Embedding(50, 8, mask_zero=True)\ntold = table.compute_mask(inputs)\n"
    last = (
        "last = layers.GlobalMaxPooling1D()(layers.Attention()([table(inputs)] * 2, [told, told]))"
    )
    text, codes = migrated(asked + last)
    assert codes == []
    assert "inputs != 0" in text
    plain = asked.replace(", mask_zero=True", "")
    assert "K2T900" in migrated(plain + last)[1]


def test_attention_behind_a_mask_that_keras_3_has_taken_off_is_refused() -> None:
    single = "last = layers.GlobalMaxPooling1D()(layers.Attention()([h, h]))"
    assert "K2T114" in migrated(ATTENDED + single)[1]


@pytest.mark.parametrize(
    ("call", "written"),
    [
        (
            "x, y = self.first(inputs), self.other(inputs + 1)\n"
            "        z = self.attend([x, y])\n"
            "        return self.dense(self.gru(z) + self.pool(z))",
            "self.attend(x, y, y, query_mask=mask, value_mask=mask_2)",
        ),
        (
            "x = self.first(inputs) + self.other(inputs)\n"
            "        y, scores = self.attend([x, x], mask=[None, inputs > 1],"
            " return_attention_scores=True)\n"
            "        return self.dense(self.pool(y) + self.gru(x))",
            "self.attend(x, x, x, value_mask=inputs > 1, return_attention_scores=True)",
        ),
    ],
)
def test_attention_in_a_class_is_told_its_masks(call: str, written: str) -> None:
    more = PLAIN["first"] + "\n        self.other = layers.Embedding(50, 8, mask_zero=True)\n"
    more += "        self.attend = layers.AdditiveAttention()\n"
    more += "        self.pool = layers.GlobalMaxPooling1D()"
    text, codes = in_class(call=call, first=more)
    assert codes == []
    assert written in in_one_line(text)


def test_a_mask_that_a_call_says_goes_no_further_in_a_class() -> None:
    more = PLAIN["first"] + "\n        self.attend = layers.AdditiveAttention()"
    call = "x = self.first(inputs)\n        y = self.attend([x, x], mask=[inputs > 1, None])\n"
    _, codes = in_class(call=call + "        return self.dense(self.gru(y))", first=more)
    assert "K2T114" in codes


def test_recurrent_layers_of_several_forms_have_their_classes() -> None:
    text, _ = migrated(
        "plain = layers.Embedding(50, 8)(inputs)\n"
        "plain = layers.LSTM(4, activation='relu', return_sequences=True)(plain)\n"
        "last = layers.LSTM(4, recurrent_dropout=0.1)(plain)"
    )
    assert "class LSTM(nn.LSTM)" in text
    assert "class LSTMFull(nn.LSTM)" in text
