"""`k2t weights`: every format of Keras into golden and other classes, and every way to refuse."""

import ast
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from k2t.verify.run import QUIET

HERE = Path(__file__).parent / "weights"
GOLDEN = Path(__file__).parents[2] / "golden"
FORMATS = {
    "keras3": (".keras", ".h5", ".weights.h5"),
    "tf_keras": (".keras", ".h5", ".weights.h5", ".w.h5"),
}
KINDS = ("residual", "images", "words", "branches")
GOLDENS = {
    "keras3": (
        "batchnorm_cnn",
        "builder_function",
        "class_weight",
        "gru_forecast",
        "imdb_style_bilstm",
        "layer_zoo",
        "loop_depth",
        "regression_functional",
        "save_and_load",
        "simple_rnn_bidirectional",
        "star_import",
    ),
    "tf_keras": ("builder_function", "gru_forecast", "legacy_spelling", "regression_functional"),
}
CASES = [
    (engine, name, suffix)
    for engine, suffixes in FORMATS.items()
    for name in (*GOLDENS[engine], *KINDS)
    for suffix in suffixes
    if not (name == "residual" and suffix == ".h5")  # a class of one's own has no config there
]
# what a file of weights alone does not tell
REFUSED = {
    ("keras3", "batchnorm_cnn", ".weights.h5"): "do not tell which weight is which",
    ("keras3", "branches", ".weights.h5"): "is which of short and long.0",
    ("tf_keras", "branches", ".weights.h5"): "is which of short and long.0",
    ("tf_keras", "branches", ".w.h5"): "is which of short and long.0",
}


def child(*command):
    env = {**os.environ, **QUIET, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(GOLDEN.parent)}
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr[-3000:]


def script_of(name):
    """The migrated script of a case, and its class."""
    if name in KINDS:
        return HERE / "kinds_torch.py", name.capitalize()
    path = GOLDEN / name / "after.py"
    classes = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef)]
    bases = {c.name: ast.unparse(c.bases[0]) for c in classes if c.bases}
    return path, next(c for c, base in bases.items() if base == "L.LightningModule")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def saved(folder):
    for engine in FORMATS:
        child(HERE / "save_models.py", engine, folder)
    return folder


@pytest.fixture(scope="module")
def results(saved):
    """For each case the difference of the two frameworks' outputs, or the words of a refusal."""
    jobs = []
    for number, (engine, name, suffix) in enumerate(CASES):
        base = f"{engine}-{name}"
        out = saved / f"out-{base}{suffix}{('.pt', '.safetensors')[number % 2]}"
        script, class_name = script_of(name)
        jobs.append([saved / f"{base}{suffix}", script, class_name, saved / f"{base}.npz", out])
    (saved / "jobs.json").write_text(json.dumps([[str(part) for part in job] for job in jobs]))
    child(HERE / "load_models.py", saved / "jobs.json", saved / "results.json")
    return dict(zip(CASES, json.loads((saved / "results.json").read_text()), strict=True))


def test_each_class_computes_what_keras_computed(results):
    """One test for all files, so that one worker saves the models, once."""
    assert len(results) == len(CASES) > 50
    for case, words in REFUSED.items():
        assert words in results.pop(case)
    wrong = {case: found for case, found in results.items() if not close(found)}
    assert wrong == {}


def close(found):
    return isinstance(found, float) and found < 1e-5


# ------------------------------------------------------------------------------------- the command


def k2t(*argv, **environment):
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment}
    done = subprocess.run(
        [sys.executable, "-m", "k2t", "weights", *map(str, argv)],
        capture_output=True,
        text=True,
        env=env,
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, done.stdout, done.stderr


LINEAR = """
import torch
from torch import nn

raise_at_import = [1]
units = raise_at_import[0] + 3


class Net(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.hidden = nn.Linear(3, units)
        self.out = nn.Linear(units, 2)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.LazyLinear(4)
        self.out = nn.Linear(4, 2)


data = torch.load("data.pt")
open("written.txt", "w").write("the script was run")


class Wide(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.hidden = nn.Linear(3, units)


model = Net(units)
wide = Wide(data.shape[1])
raise SystemExit("training was run")
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(LINEAR)
    return path


def write_h5(path, hidden=4, kernel=None):
    """A file of weights of two Dense layers, as tf.keras writes it."""
    rng = np.random.default_rng(0)
    arrays = {
        "dense": [rng.normal(size=(3, hidden)), np.zeros(hidden)],
        "dense_1": [rng.normal(size=(hidden, 2)), np.ones(2)],
    }
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [*arrays]
        for layer, (weight, bias) in arrays.items():
            names = [f"{layer}/kernel:0", f"{layer}/bias:0"]
            file.create_group(layer).attrs["weight_names"] = names
            file[layer][names[0]] = weight.astype("float32") if kernel is None else kernel
            file[layer][names[1]] = bias.astype("float32")
    return path


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_state_dict_is_written_and_nothing_else(tmp_path, script, suffix):
    source = write_h5(tmp_path / "model.h5")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    out = tmp_path / f"net{suffix}"
    status, said, errors = k2t(source, "--script", f"{script}:Net", "-o", out)
    assert (status, errors) == (0, "")
    assert said == f"{out}: 4 arrays (26 numbers) of 2 layers in 4 parameters and 0 buffers\n"
    after = {path: path.read_bytes() for path in tmp_path.iterdir() if path != out}
    assert after == before
    with h5py.File(source) as file:
        kernel = file["dense_1/dense_1/kernel:0"][()]
    if suffix == ".pt":
        state = torch.load(out, weights_only=True)
    else:
        from safetensors.torch import load_file

        state = load_file(out)
    assert np.array_equal(state["out.weight"].numpy(), kernel.T)
    assert k2t(source, "--script", f"{script}:Net", "-o", out)[0] == 2  # it exists
    written = out.read_bytes()
    assert k2t(source, "--script", f"{script}:Net", "-o", out, "--force")[0] == 0
    assert out.read_bytes()[-64:] == written[-64:]


def test_weights_of_another_architecture_are_refused(tmp_path, script):
    source = write_h5(tmp_path / "model.h5", hidden=5)
    status, said, errors = k2t(source, "--script", f"{script}:Net", "-o", tmp_path / "o.pt")
    assert (status, said) == (1, "")
    lines = errors.splitlines()
    assert lines[0] == f"k2t: the weights do not fit Net(4) of {script}:"
    assert "dense 0: dense {'kernel': (3, 5), 'bias': (5,)} and hidden" in lines[1]
    assert not (tmp_path / "o.pt").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Lazy", "hidden.weight of Lazy has no shape before the model has seen data"),
        ("Wide", "Wide needs data.shape[1], but line 23 calls torch.load()"),
        ("Missing", "it defines no class Missing (it has Net, Lazy, Wide)"),
    ],
)
def test_a_class_that_cannot_be_made_is_refused(tmp_path, script, name, words):
    source = write_h5(tmp_path / "model.h5")
    status, _, errors = k2t(source, "--script", f"{script}:{name}", "-o", tmp_path / "o.pt")
    assert status == 2
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "o.pt").exists()


def objects(path):
    with h5py.File(write_h5(path), "r+") as file:
        del file["dense/dense/kernel:0"]
        file.create_dataset("dense/dense/kernel:0", data=["a", "b"], dtype=h5py.string_dtype())


def link(path):
    with h5py.File(write_h5(path), "r+") as file:
        del file["dense/dense/kernel:0"]
        file["dense/dense/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/")


def hollow(path):
    with h5py.File(write_h5(path), "r+") as file:
        del file["dense/dense/kernel:0"]
        file.create_dataset("dense/dense/kernel:0", (1 << 24, 1 << 10), "f4", chunks=True)


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(80 << 20))


def npz(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.npz", b"")


BAD_FILES = {
    "pickle.h5": (lambda p: p.write_bytes(pickle.dumps([1])), "it is a Python pickle"),
    "text.h5": (lambda p: p.write_text("no"), "neither HDF5 nor a .keras archive"),
    "empty.keras": (lambda p: p.write_bytes(b""), "neither HDF5 nor a .keras archive"),
    "cut.keras": (lambda p: p.write_bytes(b"PK\3\4" + bytes(40)), "not a whole .keras archive"),
    "cut.h5": (lambda p: p.write_bytes(write_h5(p).read_bytes()[:3000]), "damaged"),
    "objects.h5": (objects, "holds objects instead of numbers"),
    "link.h5": (link, "is a link, which is not followed"),
    "hollow.h5": (hollow, "absurd for a file of this size"),
    "bomb.keras": (bomb, "absurdly large when unpacked"),
    "npz.keras": (npz, "an .npz can hold pickles"),
}


@pytest.fixture(scope="module")
def said_of_bad_files(tmp_path_factory):
    """What each bad file is refused with, by one child: it imports h5py but neither framework."""
    folder = tmp_path_factory.mktemp("bad")
    for name, (make, _) in BAD_FILES.items():
        make(folder / name)
    code = (
        "import json, sys; from pathlib import Path; from k2t.verify.saved.transfer import *\n"
        "said = {}\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: read_source(path)\n"
        "    except Stop as stop: said[path.name] = [stop.status, *stop.lines]\n"
        "assert not {'torch', 'tensorflow', 'keras'} & sys.modules.keys()\n"
        "Path(sys.argv[2]).write_text(json.dumps(said))\n"
    )
    child("-c", code, folder, folder.parent / "said.json")
    return json.loads((folder.parent / "said.json").read_text())


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(name, said_of_bad_files):
    status, line = said_of_bad_files[name]
    assert status == 2
    assert BAD_FILES[name][1] in line
    assert "\n" not in line


def test_a_bad_file_ends_the_command(tmp_path, script):
    source = tmp_path / "model.h5"
    source.write_bytes(pickle.dumps([1]))
    status, _, errors = k2t(source, "--script", f"{script}:Net", "-o", tmp_path / "o.pt")
    assert status == 2
    assert (
        errors
        == f"k2t: {source} cannot be read: it is a Python pickle, which could run any "
        + ("code: it is not loaded\n")
    )


@pytest.mark.parametrize("package", ["h5py", "torch"])
def test_a_missing_package_is_named(tmp_path, script, package):
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    hide = f"import sys\nsys.modules[{package!r}] = None\n"
    (hiding / "sitecustomize.py").write_text(hide)
    source = write_h5(tmp_path / "model.h5")
    status, _, errors = k2t(
        source, "--script", f"{script}:Net", "-o", tmp_path / "o.pt", PYTHONPATH=str(hiding)
    )
    assert status == 2
    assert errors == f"k2t: the package {package} is missing: pip install 'k2t[verify]'\n"


@pytest.mark.parametrize(
    ("source", "target", "out", "words"),
    [
        ("model.h5", "net.py", "o.pt", "FILE.py:Class is needed"),
        ("model.h5", "other.py:Net", "o.pt", "other.py cannot be read: there is no such file"),
        ("none.h5", "net.py:Net", "o.pt", "none.h5 cannot be read: there is no such file"),
        ("net.py", "net.py:Net", "o.pt", "is not a .keras, .h5 or .weights.h5 file"),
        ("model.h5", "net.py:Net", "o.bin", "the output is a .pt or a .safetensors file"),
        ("model.h5", "net.py:Net", "none/o.pt", "its folder is not there"),
        ("model.h5", "net.py:Net", "there.pt", "there.pt exists; --force overwrites it"),
    ],
)
def test_bad_usage(tmp_path, script, source, target, out, words, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_h5(tmp_path / "model.h5")
    (tmp_path / "there.pt").write_text("mine")
    monkeypatch.setenv("PYTHONPATH", str(GOLDEN.parent))
    status, _, errors = k2t(source, "--script", target, "-o", out)
    assert status == 2
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert (tmp_path / "there.pt").read_text() == "mine"
