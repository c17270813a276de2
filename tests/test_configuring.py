"""What a script says to TensorFlow about devices, sessions and versions, and what becomes of it."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = "import os\nimport numpy as np\nimport tensorflow as tf\nfrom tensorflow import keras\n\n"
TAIL = (
    '\nx = np.random.rand(64, 8).astype("float32")\n'
    "model = keras.Sequential([keras.layers.Dense(1, input_shape=(8,))])\n"
    'model.compile("sgd", "mse")\nmodel.fit(x, x[:, :1])\n'
)

GROWTH = """
gpus = tf.config.experimental.list_physical_devices("GPU")
if gpus:
    try:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        logical = tf.config.experimental.list_logical_devices("GPU")
        print(len(gpus), "physical,", len(logical), "logical")
    except RuntimeError as e:
        print(e)
"""
SESSION = """
config = tf.compat.v1.ConfigProto()
config.gpu_options.allow_growth = True
tf.compat.v1.keras.backend.set_session(tf.compat.v1.Session(config=config))
"""


def migrated(body: str) -> tuple[str, list[str]]:
    done = migrate((HEAD + body + TAIL).encode(), "train.py")
    assert done.text is not None
    return done.text, [f.code for f in done.findings if f.severity.value == "error"]


@pytest.mark.parametrize(
    "body",
    [
        GROWTH,
        SESSION,
        "tf.get_logger().setLevel('ERROR')\n",
        "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n",
        "tf.keras.backend.set_floatx('float32')\n",
        "tf.__version__\n",
        "assert tf.__version__.startswith('2.')\n",
        "assert int(tf.__version__.split('.')[0]) >= 2, 'TensorFlow 2'\n",
        "physical = tf.config.list_physical_devices('GPU')\n"
        "if len(physical) > 0:\n    tf.config.experimental.set_memory_growth(physical[0], True)\n",
    ],
)
def test_it_goes_as_a_whole(body):
    text, errors = migrated(body)
    assert errors == []
    plain, _ = migrated("")
    assert [line for line in text.split("\n") if line] == [s for s in plain.split("\n") if s]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("print(len(tf.config.list_physical_devices('GPU')))", "print(torch.cuda.device_count())"),
        (
            "gpus = tf.config.list_physical_devices('GPU')\nprint(gpus)",
            'gpus = [torch.device("cuda"',
        ),
        (
            "print('a' if tf.config.list_physical_devices('GPU') else 'b')",
            "torch.cuda.is_available()",
        ),
        ("print(tf.test.is_gpu_available())", "print(torch.cuda.is_available())"),
        ("print(tf.__version__)", "print(torch.__version__)"),
        ("with tf.device('/GPU:0'):\n    size = 3", "\nsize = 3"),
    ],
)
def test_what_has_an_answer(line, wanted):
    text, errors = migrated(line + "\n")
    assert errors == []
    assert wanted in text


@pytest.mark.parametrize(
    "line",
    [
        "if tf.__version__ < '2':\n    raise SystemExit",
        "sess = tf.compat.v1.Session()\nprint(sess.run(None))",
        "print(tf.config.list_physical_devices())",
        "tf.keras.backend.set_floatx('float64')",
        "for gpu in tf.config.list_physical_devices('GPU'):\n    np.save(gpu.name, np.zeros(3))\n"
        "    tf.config.experimental.set_memory_growth(gpu, True)\n    tf.nothing()",
        "tf.compat.v1.Session().run(train)",
        "physical = tf.config.list_physical_devices(np.random.rand())",
        "config = tf.compat.v1.ConfigProto()\nconfig.gpu_options.share = np.random.rand()\n"
        "tf.compat.v1.keras.backend.set_session(tf.compat.v1.Session(config=config))",
    ],
)
def test_what_is_refused(line):
    _, errors = migrated(line + "\n")
    assert set(errors) == {"K2T900"}


def test_what_else_a_block_computes_stays():
    block = (
        "gpus = tf.config.list_physical_devices('GPU')\nif gpus:\n    print({})\n"
        "    tf.config.experimental.set_memory_growth(gpus[0], True)\n"
    )
    text, errors = migrated(block.format("'seed', np.random.seed(3)"))
    assert errors == []
    assert "    print('seed', np.random.seed(3))" in text.replace('"', "'")
    assert "gpus" not in migrated(block.format("'{} of {}'.format(gpus[0].name, str(gpus))"))[0]
    text, _ = migrated("os.environ['TF_CPP_MIN_LOG_LEVEL'] = str(np.random.randint(3))\n")
    assert "np.random.randint(3)" in text


def test_a_loop_that_does_more_stays():
    text, errors = migrated(
        "for gpu in tf.config.list_physical_devices('GPU'):\n    print(gpu.type)\n    np.zeros(3)\n"
    )
    assert errors == []
    assert "    np.zeros(3)" in text


SCOPE = """
strategy = tf.distribute.{}
print(strategy.num_replicas_in_sync)
with strategy.scope():
    # in the scope
    size = 3
"""


@pytest.mark.parametrize(
    ("made", "codes"),
    [
        ("MirroredStrategy()", ["K2T724"]),
        ("MirroredStrategy(cross_device_ops=tf.distribute.ReductionToOneDevice())", ["K2T724"]),
        ("MultiWorkerMirroredStrategy()", ["K2T724"]),
        ("experimental.MultiWorkerMirroredStrategy()", ["K2T724"]),
        ("experimental.CentralStorageStrategy()", ["K2T724"]),
        ("OneDeviceStrategy('/gpu:0')", []),
        ("get_strategy()", []),
    ],
)
def test_a_strategy_is_one_device(made, codes):
    done = migrate((HEAD + SCOPE.format(made) + TAIL).encode(), "train.py")
    found = [f.code for f in done.findings if f.severity.value != "info"]
    assert found == codes
    assert "print(1)\n# in the scope\nsize = 3\n" in done.text
    assert "    devices=1,\n" in done.text


@pytest.mark.parametrize(
    "more",
    [
        "strategy = tf.distribute.experimental.ParameterServerStrategy(None)\n",
        "strategy = tf.distribute.MirroredStrategy()\nstrategy.run(print)\n",
        "strategy = tf.distribute.TPUStrategy(None)\n",
    ],
)
def test_strategies_that_are_refused(more):
    _, errors = migrated(more)
    assert "K2T900" in errors


IN_A_CLASS = """
class Own(keras.layers.Layer):
    @tf.function
    def call(self, x):
        with tf.name_scope("own"):
            # the rest of it
            return tf.nn.relu(x)


@tf.function(jit_compile=True, input_signature=[tf.TensorSpec((None, 1)), tf.TensorSpec((None, 1))])
def loss(y_true, y_pred):
    return tf.reduce_mean(tf.square(y_true - y_pred), axis=-1)


model = keras.Sequential([Own(input_shape=(8,)), keras.layers.Dense(1)])
model.compile("sgd", loss)
model.fit(np.zeros((64, 8)), np.zeros((64, 1)))
"""


def test_names_and_graphs_go_where_a_layer_and_a_loss_are_made() -> None:
    done = migrate((HEAD + IN_A_CLASS).encode(), "train.py")
    assert [f.message for f in done.findings if f.severity.value == "error"] == []
    text = done.text or ""
    assert "tf." not in text
    assert "    def forward(self, x):\n        # the rest of it\n        return F.relu(x)\n" in text
    assert "\n\ndef loss(y_true, y_pred):\n" in text


@pytest.mark.parametrize(
    "lines",
    [
        'with tf.name_scope("a") as scope:\n    print(scope)\n',
        "step = tf.function(print)\n",
        "keras.backend.set_learning_phase(1)\n",
        "print(tf.executing_eagerly())\n",
    ],
)
def test_what_is_read_of_it_or_changes_what_layers_do_is_refused(lines: str) -> None:
    assert migrated(lines)[1] == ["K2T900"]


@pytest.mark.parametrize(
    ("body", "said", "wanted"),
    [
        (
            SCOPE.format("MirroredStrategy()"),
            "batch_size=16 * strategy.num_replicas_in_sync",
            "batch_size=16 * 1, shuffle=True))",
        ),
        (
            "",
            "epochs=1 + len(tf.config.list_physical_devices('GPU'))",
            "max_epochs=1 + torch.cuda.device_count(),",
        ),
    ],
)
def test_a_fit_that_asks_for_replicas_or_devices_is_a_fit_all_the_same(body, said, wanted):
    """It stayed as it was: what stands in a statement was taken for the whole of it."""
    script = HEAD + body + TAIL.replace("x[:, :1])", f"x[:, :1], {said})")
    done = migrate(script.encode(), "train.py")
    assert wanted in done.text
    assert "trainer.fit(" in done.text
