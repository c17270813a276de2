"""Layers and models that are classes of the script: what is written, and what is refused where."""

import pytest

from k2t.ir.finding import Severity
from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

LAYER = """\
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from keras import backend as K


{classes}


inputs = keras.Input({shape})
x = {front}
outputs = layers.Dense(1)({call})
model = keras.Model(inputs, outputs)
model.compile(loss="mse")
model.fit(np.zeros((8, *{shape}), "float32"), np.zeros((8, 1), "float32"))
"""
MODEL = """\
import keras
import numpy as np
from keras import layers, ops


{classes}


model = Net()
model.compile(loss="mse")
model.fit(np.zeros((8, 4), "float32"), np.zeros((8, 1), "float32"))
"""


def layer(classes: str, call: str = "Own()(x)", shape: str = "(4,)", front: str = "inputs"):
    text = LAYER.format(classes=classes, call=call, shape=shape, front=front)
    return migrate(text.encode(), "script.py")


def model(classes: str):
    return migrate(MODEL.format(classes=classes).encode(), "script.py")


def errors(result) -> list[str]:
    return [f.message for f in result.findings if f.severity is Severity.ERROR]


def carried(result) -> str:
    assert errors(result) == []
    compile(result.text, "script_lightning.py", "exec")
    return " ".join(result.text.split())


def own(body: str, init: str = "") -> str:
    made = f"    def __init__(self):\n        super().__init__()\n{init}\n" if init else ""
    return f"class Own(layers.Layer):\n{made}    def call(self, x, training=None):\n{body}"


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (own("        self.add_metric(ops.mean(x))\n        return x"), "it calls add_metric"),
        (
            own("        if training:\n            self.add_loss(ops.mean(x))\n        return x"),
            "add_loss",
        ),
        (own("        self.add_loss(x)\n        return x"), "not known to be one number"),
        (own("        return ops.eig(x)"), "ops.eig is not migrated"),
        (own("        training = False\n        return x"), "binds training or mask anew"),
        (own("        return x if ops.mean(x) > 0 else -x"), "not known"),
        (own("        return layers.Dense(3)(x)"), "it makes a layer outside of"),
        (
            own(
                "        return self.b(x, training=True)",
                "        self.b = layers.GaussianNoise(0.5)",
            ),
            "GaussianNoise called with training=True",
        ),
        (
            own(
                "        return self.b(x)",
                "        self.b = layers.Dense(3, kernel_constraint='x')",
            ),
            "the constraint 'x' is not known",
        ),
        (own("        return self.w", "        self.w = self.add_weight((4,))"), "shape"),
        (
            own(
                "        return x * self.w",
                "        self.r = 0.1\n"
                "        self.w = self.add_weight(\n"
                "            shape=(4,), regularizer=keras.regularizers.L2(self.r))",
            ),
            "numbers of its own",
        ),
        (
            own(
                "        return x * self.w",
                "        self.w = self.add_weight(shape=tuple(np.load('s')), initializer='ones')",
            ),
            "the shape of a weight is not known",
        ),
    ],
)
def test_what_is_not_carried_over_in_a_layer(classes: str, reason: str) -> None:
    found = errors(layer(classes))
    assert any(reason in message for message in found), found


def test_training_is_what_torch_has() -> None:
    body = "        if training:\n            x = 2 * x\n        return x if training else -x"
    text = carried(layer(own(body)))
    assert "def forward(self, x): if self.training: x = 2 * x" in text
    assert "return x if self.training else -x" in text


def test_recurrent_layers_inside() -> None:
    one = own("        return self.b(x)", "        self.b = layers.GRU(3)")
    assert "return self.b(x)[0][:, -1]" in carried(layer(one, shape="(5, 4)"))
    steps = one.replace("GRU(3)", "LSTM(3, return_sequences=True)")
    call = "layers.Flatten()(Own()(x))"
    assert "return self.b(x)[0]" in carried(layer(steps, call, "(5, 4)"))
    both = one.replace("GRU(3)", "Bidirectional(layers.LSTM(3))")
    assert any(
        "Bidirectional like this" in message for message in errors(layer(both, shape="(5, 4)"))
    )


@pytest.mark.parametrize("method", ["train_step", "test_step", "compile", "fit"])
def test_a_model_that_trains_itself_is_refused_at_the_method(method: str) -> None:
    net = (
        "class Net(keras.Model):\n"
        "    def __init__(self):\n        super().__init__()\n        self.d = layers.Dense(1)\n"
        "    def call(self, x):\n        return self.d(x)\n"
        f"    def {method}(self, data):\n        return {{}}\n"
    )
    assert any(f"it has a {method} of its own" in message for message in errors(model(net)))


def test_one_class_used_with_different_operations_is_refused() -> None:
    classes = """\
class Own(layers.Layer):
    def __init__(self, axis):
        super().__init__()
        self.d = layers.Dense(4, activation=axis)

    def call(self, x):
        return self.d(x)
"""
    assert errors(layer(classes, "Own('relu')(Own('relu')(x))")) == []
    text = carried(layer(classes, "Own('relu')(Own('tanh')(x))"))
    assert "ACTIVATIONS[axis]()" in text  # looked up, not taken from the first


def test_layers_of_several_kinds_in_one_list_are_called_alike() -> None:
    classes = """\
class Own(layers.Layer):
    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(6, activation="relu"), layers.Dropout(0.2), layers.Dense(4)]

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x
"""
    text = carried(layer(classes))
    assert "nn.Sequential(nn.Linear(in_features, 6), nn.ReLU()), nn.Dropout(0.2)," in text
    assert "x = part(x)" in text


def test_a_list_of_layers_widens_from_one_to_the_next() -> None:
    classes = """\
class Own(layers.Layer):
    def __init__(self, widths):
        super().__init__()
        self.parts = []
        for width in widths:
            self.parts.append(layers.Dense(width, activation="relu"))

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x
"""
    text = carried(layer(classes, "Own([8, 6, 5])(x)"))
    assert "for before, width in zip([in_features, *widths], widths):" in text
    assert "self.parts.append(nn.Linear(before, width))" in text
    assert "x = F.relu(part(x))" in text
    assert "Own(4, [8, 6, 5])" in text


def test_a_sequential_in_a_list_widens_inside() -> None:
    """What comes behind its first layer had the width of the round before."""
    classes = """\
class Own(layers.Layer):
    def __init__(self, widths):
        super().__init__()
        self.parts = []
        for width in widths:
            self.parts.append(
                keras.Sequential([layers.Dense(width), layers.LayerNormalization()])
            )

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x
"""
    text = carried(layer(classes, "Own([8, 6, 5])(x)"))
    assert "nn.Sequential(nn.Linear(before, width), nn.LayerNorm(width, eps=1e-3))" in text


def test_layers_of_the_script_in_a_list_know_their_width() -> None:
    """What such a layer gives is known by its number alone."""
    classes = """\
class Part(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)


class Own(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.first = layers.Dense(units)
        self.parts = [Part(units) for _ in range(2)]

    def call(self, x):
        x = self.first(x)
        for part in self.parts:
            x = part(x)
        return x
"""
    text = carried(layer(classes, "Own(5)(x)"))
    assert "nn.ModuleList([Part(units, units) for _ in range(2)])" in text


@pytest.mark.parametrize("initializer", ["", ', initializer="zeros"'])
def test_a_weight_may_be_one_number(initializer: str) -> None:
    classes = f"""\
class Own(layers.Layer):
    def build(self, shape):
        self.shift = self.add_weight(shape=(){initializer})

    def call(self, x):
        return x + self.shift
"""
    made = (
        "torch.zeros(())" if initializer else "nn.init.uniform_(torch.empty(()), -(3**0.5), 3**0.5)"
    )
    assert f"self.shift = nn.Parameter({made})" in carried(layer(classes))


def test_a_name_that_is_bound_twice_is_no_width() -> None:
    classes = """\
class Own(layers.Layer):
    def __init__(self):
        super().__init__()
        n = 6
        self.a = layers.Dense(n)
        n = 5
        self.b = layers.Dense(n)

    def call(self, x):
        return self.b(self.a(x))
"""
    assert "self.b = nn.Linear(6, n)" in carried(layer(classes))


def test_channels_first_layers_are_called_on_a_view() -> None:
    classes = own(
        "        return self.pool(self.conv(x))",
        "        self.conv = layers.Conv2D(3, 3)\n        self.pool = layers.MaxPooling2D()",
    )
    call, front = "layers.Flatten()(Own()(x))", "layers.Conv2D(2, 3)(inputs)"
    text = carried(layer(classes, call, "(12, 12, 1)", front))
    assert "return self.pool(self.conv(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)" in text


def test_a_sum_that_ends_in_a_permutation_is_turned_as_a_whole():
    """Only the last term was, which a square image with as many channels did not show."""
    text = carried(
        layer(
            "class Own(layers.Layer):\n    def __init__(self):\n        super().__init__()\n"
            "        self.one = layers.Conv2D(4, 3, padding='same')\n"
            "        self.two = layers.Conv2D(4, 3, padding='same')\n\n"
            "    def call(self, x):\n        return self.two(x + self.one(x))",
            call="layers.Flatten()(Own()(x))",
            shape="(4, 4, 4)",
        )
    )
    turned = "(x + self.one(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)"
    assert turned in text.replace("( ", "(").replace(" )", ")").replace(" .p", ".p")


def test_classes_that_extend_each_other() -> None:
    classes = """\
class Base(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def scaled(self, x):
        return self.factor * ops.square(x)


class Own(Base):
    def __init__(self, factor, shift, **kwargs):
        super().__init__(factor, **kwargs)
        self.shift = shift

    def call(self, x):
        return self.scaled(x) + self.shift
"""
    text = carried(layer(classes, "Own(2, shift=1, name='own')(x)"))
    assert "class Base(nn.Module):" in text
    assert "class Own(Base):" in text
    assert "super().__init__(factor)" in text
    assert "return self.factor * x.square()" in text
    assert "self.own = Own(2, shift=1)" in text


def test_operations_in_place_become_new_tensors() -> None:
    body = "        x -= ops.mean(x, axis=1, keepdims=True)\n        x *= x + 1\n        return x"
    text = carried(layer(own(body)))
    assert "x = x - x.mean(dim=1, keepdim=True)" in text
    assert "x = x * (x + 1)" in text


def test_several_tensors_one_by_one_and_several_results() -> None:
    classes = """\
class Own(layers.Layer):
    def call(self, a, b):
        return a + b, a - b
"""
    call = "layers.Concatenate()(Own()(x, layers.Dense(4)(x)))"
    text = carried(layer(classes, call))
    assert "def forward(self, a, b):" in text
    assert "return a + b, a - b" in text


def test_a_class_that_nothing_calls_is_left_and_stops_once() -> None:
    result = layer(own("        return 2 * x"), "x")
    assert len(errors(result)) == 1
    assert "nothing calls it" in errors(result)[0]
    assert result.text.count("raise NotImplementedError(") == 1


def test_training_of_a_model_without_it_is_said() -> None:
    net = (
        "class Net(keras.Model):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.drop = layers.Dropout(0.5)\n        self.d = layers.Dense(1)\n"
        "    def call(self, x{training}):\n        return self.d(self.drop(x))\n"
    )
    said = [f.code for f in model(net.format(training="")).findings]
    assert said == ["K2T162"]
    assert model(net.format(training=", training=None")).findings == ()


def test_a_layer_of_the_script_is_not_frozen_silently() -> None:
    classes = own("        return self.d(x)", "        self.d = layers.Dense(4)")
    text = LAYER.format(classes=classes, call="layer(x)", shape="(4,)", front="inputs")
    text = text.replace("outputs =", "layer = Own()\noutputs =")
    text = text.replace("model.compile", "layer.trainable = False\nmodel.compile")
    found = errors(migrate(text.encode(), "script.py"))
    assert any("trainable of a layer of the script" in message for message in found), found


def test_a_loop_over_tuples_keeps_the_width_before() -> None:
    classes = """\
class Own(layers.Layer):
    def __init__(self):
        super().__init__()
        self.parts, self.norms = [], []
        for kernel, filters in [(3, 8), (1, 6), (3, 5)]:
            self.parts.append(layers.Conv1D(filters, kernel, padding="same"))
            self.norms.append(layers.LayerNormalization(epsilon=1e-6))

    def call(self, x):
        for part, norm in zip(self.parts, self.norms):
            x = norm(part(x))
        return x
"""
    classes = classes.replace(
        "self.parts, self.norms = [], []", "self.parts = []\n        self.norms = []"
    )
    text = carried(layer(classes, "layers.Flatten()(Own()(x))", "(9, 4)"))
    assert "self.parts = nn.ModuleList()" in text
    assert "before = in_features for kernel, filters in" in text
    assert "nn.Conv1d(before, filters, kernel" in text
    assert "nn.LayerNorm(filters, eps=1e-6)" in text
    assert "before = filters" in text


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("'sparse_categorical_crossentropy'", "warning"),
        ("keras.losses.SparseCategoricalCrossentropy(from_logits=True)", "error"),
        ("'binary_crossentropy'", "error"),
        ("'mse'", None),
    ],
)
@pytest.mark.parametrize("where", ["functional", "sequential", "model"])
def test_keras_finds_the_logits_of_a_class(loss: str, said: str | None, where: str) -> None:
    """It takes what is before the softmax; a port that took it twice would train on."""
    body = "        return self.d(x)"
    made = "        self.d = layers.Dense(3, activation='softmax')"
    classes = own(body, made)
    if where == "model":
        text = MODEL.format(classes=classes.replace("Own(layers.Layer)", "Net(keras.Model)"))
    else:
        text = LAYER.format(classes=classes, call="x", shape="(4,)", front="inputs")
        text = text.replace("layers.Dense(1)(x)", "Own()(x)")
    if where == "sequential":
        text = text.replace("keras.Model(inputs, outputs)", "keras.Sequential([inputs, Own()])")
        text = text.replace("outputs = Own()(x)\n", "")
    text = text.replace('loss="mse"', f"loss={loss}").replace("(8, 1)", "8")
    found = [f for f in migrate(text.encode(), "script.py").findings if f.code == "K2T302"]
    assert [f.severity.value for f in found] == ([said] if said else [])


def test_types_and_decorators_of_keras_go() -> None:
    classes = """\
class Own(layers.Layer):
    def __init__(self, units: int = 4, start: "str" = "zeros"):
        super().__init__()
        self.dense = layers.Dense(units)

    @tf.function
    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.dense(x)
"""
    text = carried(layer(classes))
    assert 'def __init__(self, in_features, units: int = 4, start: "str" = "zeros"):' in text
    assert "def forward(self, x): return self.dense(x)" in text


@pytest.mark.parametrize(
    "line",
    [
        "from keras.engine.topology import Layer",
        "from keras.engine import Layer",
        "from keras.engine.base_layer import Layer",
        "from keras.layers.core import Layer",
        "from tensorflow.python.keras.layers import Layer",
        "Layer = tf.keras.layers.Layer",
        "from keras import Layer",
    ],
)
@pytest.mark.parametrize(
    ("size", "takes"), [("input_shape[-1]", "in_features"), ("input_shape[1]", "input_shape")]
)
def test_a_layer_by_any_name_that_only_has_build(line: str, size: str, takes: str) -> None:
    classes = f"""\
{line}


class Own(Layer):
    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=({size},), initializer="ones", trainable=True)
        super(Own, self).build(input_shape)

    def call(self, x):
        return x * self.w
"""
    text = carried(layer(classes))
    compile(layer(classes).text, "script_lightning.py", "exec")
    assert (
        f"def __init__(self, {takes}): super().__init__() self.w = nn.Parameter(torch.ones(" in text
    )
    assert "Layer =" not in text


@pytest.mark.parametrize(
    ("init", "body", "reason"),
    [
        ("        self.d = {'a': layers.Dense(4)}", "        return self.d['a'](x)", "layers that"),
        ("        self.d = [[layers.Dense(4)]]", "        return self.d[0][0](x)", "layers that"),
        (
            "        dense = layers.Dense(4)\n        self.f = lambda x: dense(x)",
            "        return self.f(x)",
            "layers that",
        ),
        (
            "        self.w = [self.add_weight(shape=(4,)) for _ in range(2)]",
            "        return x * self.w[0] + self.w[1]",
            "weights that",
        ),
    ],
)
def test_what_torch_would_not_find_is_refused(init: str, body: str, reason: str) -> None:
    found = errors(layer(own(body, init)))
    assert any(f"torch finds only {reason}" in message for message in found), found


def test_a_method_that_makes_layers_is_not_enough() -> None:
    classes = """\
class Own(layers.Layer):
    def __init__(self):
        super().__init__()
        self.parts = list(layers.Dense(4) for _ in range(2))
        others = [layers.Dense(4), layers.Dense(4)]
        self.others = others

    def call(self, x):
        for part in self.others:
            x = part(x)
        return x
"""
    text = layer(classes).text
    assert "self.others = nn.ModuleList(others)" in text


NET = """\
class Net(keras.Model):
    def __init__(self, units=1):
        super().__init__()
        self.d = layers.Dense(units)

    def call(self, x):
        return self.d(x)
"""


def test_a_builder_of_a_model_called_in_a_loop() -> None:
    text = MODEL.format(classes=NET + "\n\ndef make(units):\n    return Net(units)\n")
    text = text.replace("model = Net()", "for _ in range(2):\n    model = make(1)")
    text = text.replace("\nmodel.", "\n    model.")
    made = carried(migrate(text.encode(), "script.py"))
    assert "def __init__(self, units): super().__init__() self.net = Net(4, units)" in made
    assert "for _ in range(2): model = LitNet(1)" in made


def test_a_model_that_is_a_layer_of_another_one_too_is_refused() -> None:
    text = MODEL.format(classes=NET)
    text += "x = keras.Input((4,))\nboth = keras.Model(x, layers.Dense(2)(model(x)))\n"
    text += "both.compile(loss='mse')\nboth.fit(np.zeros((8, 4)), np.zeros((8, 2)))\n"
    found = errors(migrate(text.encode(), "script.py"))
    assert any("a model itself and a layer of another" in message for message in found), found


def test_a_condition_on_training_in_a_layer_of_a_model_without_it() -> None:
    """Keras 3 hands None to the layer inside, in training too."""
    classes = own("        return 2 * x if training else x") + "\n\n\n" + NET
    classes = classes.replace(
        "self.d = layers.Dense(units)", "self.d = layers.Dense(units)\n        self.o = Own()"
    )
    classes = classes.replace("return self.d(x)", "return self.d(self.o(x))")
    result = model(classes)
    assert [f.code for f in result.findings] == ["K2T162"]
    assert "self.net.eval()" in result.text or "self.model.eval()" in result.text


AUTOENCODER = """\
import keras
import numpy as np
from keras import layers

x = np.zeros((64, 4), "float32")


class Auto(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(3, activation="relu")])
        self.decoder = layers.Dense(4)

    def call(self, x):
        return self.decoder(self.encoder(x))


model = Auto()
model.compile("sgd", "mse")
model.fit(x, x)
codes = model.encoder(x).numpy()
print(model.decoder(codes).numpy())
"""


def test_what_a_model_holds_may_be_called_on_arrays() -> None:
    text = carried(migrate(AUTOENCODER.encode(), "script.py"))
    assert "codes = predict(model.model.encoder, x).numpy()" in text
    assert "print(predict(model.model.decoder, codes).numpy())" in text


def test_a_call_in_a_class_may_tell_a_layer_its_phase() -> None:
    body = "        x = self.norm(x, training=False)\n        return self.drop(x, training=True)"
    made = (
        "        self.norm = layers.BatchNormalization()\n        self.drop = layers.Dropout(0.3)"
    )
    text = carried(layer(own(body, made)))
    assert "momentum=0.01).eval()" in text
    assert "return F.dropout(x, 0.3)" in text


PAIR = own("        return x, [2 * x, 3 * x]")


def test_two_outputs_of_a_layer_are_taken_apart_in_a_graph() -> None:
    text = carried(layer(own("        return x, 2 * x"), "layers.Add()(Own()(x))"))
    assert "x, x1 = self.own(" in text


def test_tensors_in_a_list_in_a_tuple_are_refused_outside_of_classes() -> None:
    left = errors(layer(PAIR, "layers.Add()(Own()(x)[1])"))
    assert "Own, which gives lists in a list, is not migrated" in left


def test_a_branch_of_build_that_is_not_taken_may_ask_for_more() -> None:
    text = carried(
        layer(
            "class Own(layers.Layer):\n"
            "    def __init__(self, many=False):\n"
            "        super().__init__()\n"
            "        self.many = many\n"
            "    def build(self, shape):\n"
            "        if self.many:\n"
            "            self.w = self.add_weight(shape=(shape[-2], shape[-1]))\n"
            "        else:\n"
            "            self.w = self.add_weight(shape=(shape[-1],))\n"
            "    def call(self, x):\n"
            "        return x * self.w"
        )
    )
    assert "torch.empty(shape[-2], shape[-1])" in text


FED = """import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 4).astype("float32")
y = np.random.rand(64, 1).astype("float32")


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs):
        {body}


model = Own()
model.compile("sgd", {loss})
model.fit({fed}, {y})
"""


@pytest.mark.parametrize(
    ("fed", "body"),
    [
        ("[x, x]", "one, two = inputs\n        return self.dense(one + two)"),
        ("(x, x)", "return self.dense(inputs[0]) + inputs[1][:, :1]"),
        ('{"a": x, "b": x}', 'return self.dense(inputs["a"] * inputs["b"])'),
    ],
)
def test_a_model_class_is_fed_several_arrays(fed: str, body: str) -> None:
    script = FED.format(fed=fed, body=body, loss='"mse"', y="y")
    text = carried(migrate(script.encode(), "script.py"))
    assert "def forward(self, inputs): return self.model(inputs)" in text


def test_outputs_without_names_that_share_a_log_are_refused() -> None:
    body = "return self.dense(inputs), self.dense(-inputs)"
    script = FED.format(fed="x", body=body, loss='["mse", "mse"]', y="[y, y]")
    left = errors(migrate(script.encode(), "script.py"))
    assert "share a loss or metric" in left[0]
    told = script.replace('["mse", "mse"]', '["mse", "mae"]')
    text = carried(migrate(told.encode(), "script.py"))
    assert '"mse_loss": mse_loss, "mae_loss": mae_loss' in text


def test_a_shape_asked_for_in_tensorflows_ways():
    text = carried(
        layer(
            "class Own(layers.Layer):\n    def call(self, x):\n"
            "        n, c = x.get_shape().as_list()\n"
            "        return x * x.shape.as_list()[-1] / c + tf.cast(tf.rank(x), tf.float32)"
        )
    )
    assert "n, c = list(x.shape)" in text
    assert "return x * list(x.shape)[-1] / c + float(x.dim())" in text


def test_a_tensor_is_not_none():
    text = carried(
        layer(
            "class Own(layers.Layer):\n    def call(self, x):\n        mask = tf.ones_like(x)\n"
            "        if mask is not None:\n            x = x * mask\n        return x"
        )
    )
    assert "if mask is not None: x = x * mask return x" in text
