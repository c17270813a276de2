"""Networks of keras.applications as torchvision's, and ``training=`` in functional models."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from k2t import table
from k2t.ir.finding import Severity
from k2t.pipeline import Migration, migrate

ROOT = Path(__file__).parent.parent
NETWORKS = {n: r for n, r in table.load().rows["applications"].items() if "windows" in r.data}
SMALL = ["VGG16", "MobileNetV2", "MobileNetV3Small", "InceptionV3", "EfficientNetB0"]
HEAD = """
model = keras.Sequential([base, layers.Flatten(), layers.Dense(3)])
model.compile("sgd", "mse")
model.fit(np.zeros((8, 64, 64, 3), "float32"), np.zeros((8, 3), "float32"))
"""


def migrated(body: str, dialect: str = "keras3") -> Migration:
    start = "import keras\nimport numpy as np\nfrom keras import layers\n"
    return migrate((start + body).encode(), "train.py", dialect=dialect)


def codes(done: Migration, severity: Severity = Severity.ERROR) -> list[str]:
    return [f.code for f in done.findings if f.severity is severity]


# ------------------------------------------------------------------------------------------ texts


@pytest.mark.quick
def test_a_trained_base_stays_where_it_is_made() -> None:
    base = "base = keras.applications.VGG16(include_top=False, input_shape=(64, 64, 3))\n"
    done = migrated(base + "base.trainable = False" + HEAD)
    assert done.text is not None
    assert 'base = vgg16(weights="IMAGENET1K_V1").features\nbase.requires_grad_(False)' in done.text
    assert "self.base = base" in done.text
    # what was trained is not initialised again
    assert "self.apply(init_weights)" not in done.text
    assert ".apply(init_weights)" in done.text
    assert codes(done, Severity.WARNING) == ["K2T151"]


@pytest.mark.quick
def test_one_that_no_variable_holds_is_a_layer_of_the_class() -> None:
    base = "base = keras.applications.VGG16(include_top=False, input_shape=(64, 64, 3))\n"
    inside = HEAD.replace("[base,", f"[{base[7:].strip()},")
    done = migrated(inside)
    assert done.text is not None
    assert 'vgg16(weights="IMAGENET1K_V1").features' in done.text.partition("class Model")[2]
    assert not codes(done)


@pytest.mark.quick
def test_a_name_of_the_script_is_not_overwritten() -> None:
    text = "vgg16 = keras.applications.VGG16(include_top=False, input_shape=(64, 64, 3))"
    done = migrated(text + HEAD.replace("base", "vgg16"))
    assert done.text is not None
    assert 'vgg16 = torchvision.models.vgg16(weights="IMAGENET1K_V1").features' in done.text
    assert "import torchvision\n" in done.text


@pytest.mark.quick
def test_a_network_of_batchnorm_is_frozen_by_a_helper_that_is_there() -> None:
    base = "base = keras.applications.ResNet50(include_top=False, pooling='avg')\n"
    done = migrated(base + "base.trainable = False" + HEAD)
    assert done.text is not None
    assert done.text.index("def set_trainable") < done.text.index("set_trainable(base, False)")
    assert "nn.AdaptiveAvgPool2d(1)" in done.text


@pytest.mark.quick
def test_a_loop_over_all_its_layers_freezes_it() -> None:
    base = "base = keras.applications.VGG16(include_top=False, input_shape=(64, 64, 3))\n"
    done = migrated(base + "for layer in base.layers:\n    layer.trainable = False" + HEAD)
    assert done.text is not None
    assert "\nbase.requires_grad_(False)\n" in done.text
    assert not codes(done)


EACH = "for layer in base.layers[{}]:\n    layer.trainable = {}"
SLICES = {
    EACH.format(":15", False): "base[:22].requires_grad_(False)",
    EACH.format("-4:", True): "base[24:].requires_grad_(True)",
    "base.get_layer('block5_conv1').trainable = False": "base[24].requires_grad_(False)",
    """switch = False
for layer in base.layers:
    if layer.name == 'block5_conv1':
        switch = True
    layer.trainable = switch""": "base[:22].requires_grad_(False)\nbase[24:].requires_grad_(True)",
}


@pytest.mark.quick
@pytest.mark.parametrize("some", SLICES)
def test_some_of_its_layers_are_frozen(some: str) -> None:
    base = "base = keras.applications.VGG16(include_top=False, input_shape=(64, 64, 3))\n"
    done = migrated(base + some + HEAD)
    assert SLICES[some] in (done.text or "")
    assert not codes(done)


@pytest.mark.quick
def test_parts_of_a_block_are_frozen() -> None:
    base = "base = keras.applications.MobileNetV2(include_top=False, input_shape=(64, 64, 3))\n"
    done = migrated(base + "for layer in base.layers[:100]:\n    layer.trainable = False" + HEAD)
    for part in ("base[:12]", "base[12].conv[0][0]", "base[12].conv[0][1]"):
        assert f"set_trainable({part}, False)\n" in (done.text or "")


@pytest.mark.quick
def test_batchnorm_that_is_left_out_of_a_loop_stays_as_it_is() -> None:
    loop = """
for layer in base.layers[-20:]:
    if not isinstance(layer, layers.BatchNormalization):
        layer.trainable = False"""
    base = "base = keras.applications.{}(include_top=False, input_shape=(64, 64, 3))"
    done = migrated(base.format("MobileNetV2") + loop + HEAD)
    frozen = re.findall(r"^set_trainable\((.*), False\)", done.text or "", re.MULTILINE)
    convolutions = ["conv[0][0]", "conv[1][0]", "conv[2]"]
    blocks = [f"base[{n}].{part}" for n in (16, 17) for part in convolutions]
    assert frozen == [*blocks, "base[18][0]"]
    assert codes(migrated(base.format("ResNet50") + loop.replace("[-20:]", "") + HEAD))


@pytest.mark.quick
@pytest.mark.parametrize(
    "some",
    [
        "for layer in base.layers[:15]:\n    layer.trainable = False",
        "print(len(base.layers))",
        # one of them does not stand for all where something is asked
        "for layer in base.layers:\n    layer.trainable = layer.name == 'conv5_block3_out'",
        "n = 0\nfor layer in base.layers:\n    if n:\n        layer.trainable = False\n    n += 1",
        "print(base.get_layer('conv1_conv').output)",
    ],
)
def test_layers_whose_place_is_not_known_are_refused(some: str) -> None:
    base = "base = keras.applications.ResNet50(include_top=False, pooling='avg')\n"
    assert codes(migrated(base + some + HEAD))


@pytest.mark.quick
def test_layers_of_a_model_built_on_a_network_are_counted_as_keras_counts_them() -> None:
    built = """
h = layers.Dense(8)(layers.Flatten()(base.output))
model = keras.Model(base.input, h)
for layer in model.layers[:15]:
    layer.trainable = False
model.compile("sgd", "mse")
model.fit(np.zeros((8, 64, 64, 3), "float32"), np.zeros((8, 8), "float32"))
"""
    network = "base = keras.applications.{}(include_top=False, input_shape=(64, 64, 3))"
    assert "\nbase[:22].requires_grad_(False)\n" in (
        migrated(network.format("VGG16") + built).text or ""
    )
    assert codes(migrated(network.format("ResNet50") + built))


@pytest.mark.quick
def test_an_inner_output_of_a_network_is_refused() -> None:
    base = "base = keras.applications.VGG16(include_top=False, input_shape=(64, 64, 3))\n"
    inner = "base = keras.Model(base.input, base.get_layer('block4_pool').output)"
    assert codes(migrated(base + inner + HEAD))


@pytest.mark.quick
@pytest.mark.parametrize(
    "arguments",
    [
        "MobileNetV2(alpha=0.5, include_top=False)",
        "MobileNetV3Small(minimalistic=True, include_top=False)",
        "VGG16(include_top=False, weights='vgg16.h5')",
        "ConvNeXtTiny(include_top=False)",
        "VGG16(weights=None, input_shape=(64, 64, 3), classes=10)",
        "Xception(include_top=False)",
        "VGG16(include_top=False, nonsense=3)",
    ],
)
def test_what_torchvision_does_not_have_is_refused(arguments: str) -> None:
    done = migrated(f"base = keras.applications.{arguments}" + HEAD)
    assert {"K2T150", "K2T154"} & set(codes(done))


@pytest.mark.quick
def test_a_classifier_ends_in_logits() -> None:
    done = migrated(
        "model = keras.applications.ResNet50(weights=None, classes=10, input_shape=(64, 64, 3))\n"
        "model.compile('sgd', 'sparse_categorical_crossentropy')\n"
        "model.fit(np.zeros((8, 64, 64, 3), 'float32'), np.zeros(8, 'int64'))\n"
    )
    assert done.text is not None
    assert "resnet50(num_classes=10)" in done.text
    assert "logits: the softmax is in the loss" in done.text
    assert "self.apply(init_weights)" in done.text
    assert not codes(done)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("network", "weights", "expected"),
    [
        ("vgg16", "None", "103.939"),
        ("vgg16", "'imagenet'", "0.485"),
        ("mobilenet_v2", "None", "127.5"),
        ("densenet", "None", "0.485"),
    ],
)
def test_images_are_prepared_for_the_weights(network: str, weights: str, expected: str) -> None:
    arguments = f"include_top=False, weights={weights}, input_shape=(64, 64, 3)"
    base = f"base = keras.applications.VGG16({arguments})\n"
    use = f"x = keras.applications.{network}.preprocess_input(np.zeros((8, 64, 64, 3)))\n"
    done = migrated(base + use + HEAD.replace('np.zeros((8, 64, 64, 3), "float32")', "x"))
    assert done.text is not None
    assert expected in done.text.partition("def preprocess_input")[2].partition("\n\n\n")[0]
    assert not codes(done)


@pytest.mark.quick
def test_a_network_that_scales_its_images_itself_is_given_a_normalize() -> None:
    for weights, mean in (("None", "[0.0, 0.0, 0.0]"), ("'imagenet'", "[123.675, 116.28, 103.53]")):
        arguments = f"include_top=False, weights={weights}, pooling='avg'"
        done = migrated(f"base = keras.applications.EfficientNetB0({arguments})" + HEAD)
        assert f"Normalize({mean}" in (done.text or "").replace("\n", "").replace("    ", "")


@pytest.mark.quick
def test_a_builder_that_runs_twice_freezes_batchnorm_both_times() -> None:
    done = migrated("""
def build():
    base = keras.applications.ResNet50(include_top=False, input_shape=(64, 64, 3))
    base.trainable = False
    model = keras.Sequential([base, layers.GlobalAveragePooling2D(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model
for fold in range(2):
    model = build()
    model.fit(np.zeros((8, 64, 64, 3), "float32"), np.zeros((8, 1), "float32"))
""")
    assert "    set_trainable(base, False)\n    model = Model(base)" in (done.text or "")
    assert not codes(done)
    assert codes(done, Severity.WARNING) == ["K2T151"]


# --------------------------------------------------------------------------------------- training=

FLAG = """
image = keras.Input((8, 8, 3))
base = keras.Model(image, layers.BatchNormalization()(layers.Conv2D(4, 3)(image)))
inputs = keras.Input((8, 8, 3))
x = base(inputs, training={flag})
model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))
model.compile("sgd", "mse")
model.fit(np.zeros((8, 8, 8, 3), "float32"), np.zeros((8, 1), "float32"))
"""


@pytest.mark.quick
def test_training_is_heeded_as_the_dialect_heeds_it() -> None:
    new = migrated(FLAG.format(flag=False))
    assert codes(new, Severity.WARNING) == ["K2T163"]
    assert "self.base.eval()" not in (new.text or "")
    old = migrated(FLAG.format(flag=False), "tf_keras")
    assert "self.base.eval()  # called with training=False" in (old.text or "")
    assert not codes(old)
    # always in training mode: torch's predict would not be
    assert codes(migrated(FLAG.format(flag=True), "tf_keras"))


@pytest.mark.quick
def test_a_part_that_is_called_in_both_ways_is_refused() -> None:
    both = FLAG.format(flag=False).replace("x = base", "z = base(inputs)\nx = base")
    assert codes(migrated(both, "tf_keras"))


@pytest.mark.quick
def test_a_part_in_inference_mode_is_not_set_to_train_by_another_model() -> None:
    """The emitted ``predict`` puts its model back into training mode, parts and all."""
    other = "features = base.predict(np.zeros((8, 8, 8, 3), 'float32'))\n"
    assert "K2T704" in codes(migrated(FLAG.format(flag=False) + other, "tf_keras"))
    assert not codes(migrated(FLAG.format(flag=False) + other, "keras3"))


def child(code: str, *arguments: str, **env: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


SAID = """
import json, sys
import numpy as np
keras = __import__(sys.argv[1])
x = (np.random.default_rng(0).normal(size=(64, 4)) * 5 + 3).astype("float32")
found = {}
for nested in (False, True):
    i, norm = keras.Input((4,)), keras.layers.BatchNormalization()
    j = keras.Input((4,))
    h = keras.Model(j, norm(j))(i, training=False) if nested else norm(i, training=False)
    m = keras.Model(i, keras.layers.Dense(1)(h))
    m.compile("sgd", "mse")
    m.fit(x, x[:, :1], verbose=0)
    found[f"moves {nested}"] = bool(np.abs(np.array(norm.moving_mean)).max() > 0)
i = keras.Input((4,))
m = keras.Model(i, keras.layers.Dropout(0.5)(i, training=True))
found["drops"] = bool((m.predict(x, verbose=0) == 0).any())
print(json.dumps(found))
"""


def test_what_keras_makes_of_training() -> None:
    heeded = {"moves False": False, "moves True": False, "drops": True}
    assert child(SAID, "tf_keras", TF_USE_LEGACY_KERAS="1") == heeded
    assert child(SAID, "keras") == {name: not said for name, said in heeded.items()}


# ----------------------------------------------------------------------------------------- shapes

KERAS_SHAPES = """
import json, sys
import keras
found = {}
for name in sys.argv[1].split():
    for size in (96, 101):
        made = getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=(size, size, 3)
        )
        found[f"{name} {size}"] = made.output_shape[1:]
    keras.backend.clear_session()
print(json.dumps(found))
"""
TORCH_SHAPES = """
import json, os, sys
import torch, torchmetrics
from torch import nn
from k2t.verify.standins import synthetic
synthetic.declare_operators()
sys.path.append(os.environ.get("K2T_TORCHVISION", ""))
import torchvision
from torchvision.models import *
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms.v2 import Normalize
found = {}
for name, module, call in json.loads(sys.argv[1]):
    with torch.device("meta"):
        made = eval(module)
        for size in (96, 101):
            x = torch.zeros(2, 3, size, size)
            y = eval(call, {"m": made.eval(), "x": x})
            found[f"{name} {size}"] = [*y.shape[2:], y.shape[1]]
print(json.dumps(found))
"""


def modules(names: list[str]) -> list[tuple[str, str, str]]:
    """What is written for each network: the module, and how it is called."""
    from k2t.ir.source import Span
    from k2t.ir.values import Arg, Const, Obj
    from k2t.lower.applications import network
    from k2t.lower.ops import Context

    ctx = Context(table.load(), "keras3", "faithful")
    found = []
    for name in names:
        given = {"network": name, "weights": None, "pooling": None, "top": False, "scaled": True}
        args = {key: Arg(Const(value)) for key, value in given.items()}
        (op,) = network(
            ctx,
            ctx.table.rows["layers"]["Application"],
            Obj(1, "Application", args, Span(0, 0), Span(0, 0)),
            None,
            None,
        )
        call = (op.call or "{m}({x})").replace("{m}", "m").replace("{x}", "x")
        found.append((name, op.module or "", call))
    return found


def ours(names: list[str]) -> dict[str, list[int]]:
    """The shapes that the analysis expects."""
    from k2t.analyse.shapes import network
    from k2t.ir.values import Arg, Const, as_int

    found = {}
    for name in names:
        row = NETWORKS[name]
        given = {"windows": row.data["windows"], "channels": row.data["channels"], "pooling": None}
        args = {key: Arg(Const(value)) for key, value in {**given, "top": False}.items()}
        for size in (96, 101):
            shape = network(args, [(Const(size), Const(size), Const(3))], lambda value: None)
            found[f"{name} {size}"] = [as_int(d) for d in shape or ()]
    return found


@pytest.mark.parametrize(
    "names", [SMALL, pytest.param(sorted(set(NETWORKS) - set(SMALL)), marks=pytest.mark.nightly)]
)
def test_shapes_are_those_of_keras_and_of_torchvision(names: list[str]) -> None:
    if importlib.util.find_spec("torchvision") is None and "K2T_TORCHVISION" not in os.environ:
        pytest.skip("torchvision is not installed")
    expected = ours(names)
    assert child(TORCH_SHAPES, json.dumps(modules(names))) == expected
    assert child(KERAS_SHAPES, " ".join(names)) == expected


PLACES = """
import json, sys
import keras
found = {}
for name in sys.argv[1].split():
    network = getattr(keras.applications, name)
    made = network(include_top=False, weights=None, input_shape=(96, 96, 3))
    shapes = [list(layer.weights[0].shape) if layer.weights else [] for layer in made.layers]
    found[name] = [[layer.name, shape] for layer, shape in zip(made.layers, shapes)]
print(json.dumps(found))
"""
TORCH_PLACES = (
    TORCH_SHAPES.partition("found = {}")[0]
    + """
found = {}
for name, module, places in json.loads(sys.argv[1]):
    with torch.device("meta"):
        made = eval(module)
    found[name] = [list(made.get_submodule(place).weight.shape) for place in places]
print(json.dumps(found))
"""
)


def test_the_layers_of_networks_are_where_they_are_said_to_be() -> None:
    if importlib.util.find_spec("torchvision") is None and "K2T_TORCHVISION" not in os.environ:
        pytest.skip("torchvision is not installed")
    known = {n: str(r.data["layers"]).split() for n, r in NETWORKS.items() if "layers" in r.data}
    keras = child(PLACES, " ".join(known))
    written = {name: module for name, module, _ in modules(list(known))}
    asked = [[n, written[n], [x.split("=")[1] for x in known[n] if "=" in x]] for n in known]
    torch = child(TORCH_PLACES, json.dumps(asked))
    for name, items in known.items():
        theirs: list[tuple[str, list[int]]] = keras[name]  # type: ignore[assignment]
        assert [item.split("=")[0] for item in items[1:]] == [layer for layer, _ in theirs[1:]]
        shapes = [shape for _, shape in theirs if shape]
        turned = [s if len(s) == 1 else [s[3], s[2], s[0], s[1]] for s in shapes]
        depthwise = [[s[1], s[0], *s[2:]] if s[0] == 1 and len(s) == 4 else s for s in turned]
        assert depthwise == torch[name]


KERAS_UNTRAINED = """
import json
import keras
from k2t.verify.standins import synthetic
synthetic.install_keras(keras)
made = keras.applications.MobileNetV2(include_top=False, input_shape=(32, 32, 3))
print(json.dumps({"largest": float(abs(made.get_layer("Conv1").kernel).numpy().max())}))
"""
TORCH_UNTRAINED = """
import json
from k2t.verify.standins import synthetic
synthetic.install_torch()
from torchvision.models import mobilenet_v2
made = mobilenet_v2(weights="IMAGENET1K_V1")
print(json.dumps({"largest": made.features[0][0].weight.abs().max().item()}))
"""


def test_without_the_net_networks_start_untrained_and_alike() -> None:
    if importlib.util.find_spec("torchvision") is None and "K2T_TORCHVISION" not in os.environ:
        pytest.skip("torchvision is not installed")
    limit = (6 / (27 + 9 * 32)) ** 0.5  # Glorot uniform
    for code in (KERAS_UNTRAINED, TORCH_UNTRAINED):
        assert child(code)["largest"] == pytest.approx(limit, rel=0.02)


MODES = {"caffe": "vgg16", "tf": "mobilenet_v2", "torch": "densenet"}
PREPARED = """
import json, sys
import numpy as np
import keras
images = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype("float32")
found = {}
for mode, name in json.loads(sys.argv[1]).items():
    prepare = getattr(keras.applications, name).preprocess_input
    found[mode] = np.asarray(prepare(images.copy())).tolist()
print(json.dumps(found))
"""
TORCH_PREPARED = (
    TORCH_SHAPES.partition("found = {}")[0]
    + """
import numpy as np
from k2t.render.helpers import networks
images = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype("float32")
found = {}
for mode, steps in json.loads(sys.argv[1]).items():
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    for module, call in steps:
        x = eval(call, {"m": module and eval(module), "x": x})
    array = getattr(networks, f"preprocess_{mode}")(images)
    assert array.dtype == np.float32
    found[mode] = [x.permute(0, 2, 3, 1).tolist(), array.tolist()]
print(json.dumps(found))
"""
)


def test_images_are_prepared_as_keras_prepares_them() -> None:
    """``preprocess_input`` of arrays and of tensors, for networks without ImageNet's weights."""
    from k2t.ir.source import Span
    from k2t.ir.values import Arg, Const, Obj
    from k2t.lower.applications import preprocess
    from k2t.lower.ops import Context

    if importlib.util.find_spec("torchvision") is None and "K2T_TORCHVISION" not in os.environ:
        pytest.skip("torchvision is not installed")
    ctx, nowhere = Context(table.load(), "keras3", "faithful"), Span(0, 0)
    row = ctx.table.rows["layers"]["Preprocess"]
    steps: dict[str, list[tuple[str | None, str]]] = {}
    for mode in MODES:
        layer = Obj(1, "Preprocess", {"mode": Arg(Const(mode))}, nowhere, nowhere)
        for op in preprocess(ctx, row, layer, None, None):
            call = op.first or op.call or "{m}({x})"
            call = call.replace("{m}", "m").replace("{x}", "x")
            steps.setdefault(mode, []).append((op.module, call))
    keras = child(PREPARED, json.dumps(MODES))
    torch = child(TORCH_PREPARED, json.dumps(steps))
    for mode in MODES:
        tensor, array = torch[mode]  # type: ignore[misc]
        expected = np.array(keras[mode])
        assert np.abs(np.array(array) - expected).max() < 1e-5 * np.abs(expected).max()
        assert np.abs(np.array(tensor) - expected).max() < 1e-5 * np.abs(expected).max()


WANTED = (
    TORCH_SHAPES.partition("found = {}")[0]
    + """
found = {}
for name in sys.argv[1].split():
    made = torchvision.models.get_model_weights(name).IMAGENET1K_V1.transforms()
    found[name] = [[255 * number for number in numbers] for numbers in (made.mean, made.std)]
print(json.dumps(found))
"""
)


def test_images_are_prepared_as_the_weights_of_torchvision_want_them() -> None:
    from k2t.lower.applications import IMAGENET

    if importlib.util.find_spec("torchvision") is None and "K2T_TORCHVISION" not in os.environ:
        pytest.skip("torchvision is not installed")
    rules = {str(row.data["torchvision"]): row for row in NETWORKS.values()}
    ours = {n: [json.loads(t) for t in r.get("imagenet", IMAGENET)] for n, r in rules.items()}
    theirs = child(WANTED, " ".join(rules))
    for name, numbers in ours.items():
        assert np.array(numbers) == pytest.approx(np.array(theirs[name])), name
