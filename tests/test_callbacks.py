"""Callbacks of fit in migrated scripts: what stays, what is added, left out, and refused."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """
import keras
import numpy as np
from keras.callbacks import *

x = np.random.rand(64, 8).astype("float32")
y = np.random.rand(64, 1).astype("float32")


def build():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


model = build()
"""
FIT = "\nmodel.fit(x, y, epochs=4, validation_split=0.5, callbacks={})\n"


def text_of(body: str, dialect: str = "keras3") -> str:
    done = migrate((HEAD + body).encode(), "train.py", dialect=dialect)
    assert [f for f in done.findings if f.severity.value == "error"] == []
    assert done.text is not None
    return done.text


def errors(body: str, dialect: str = "keras3") -> list[tuple[str, int]]:
    done = migrate((HEAD + body).encode(), "train.py", dialect=dialect)
    lines = HEAD + body
    return [
        (f.code, lines[: f.span.start].count("\n") - HEAD.count("\n"))
        for f in done.findings
        if f.severity.value == "error"
    ]


def test_where_lightnings_acts_alike_it_is_taken():
    text = text_of(FIT.format('[EarlyStopping("val_mae", patience=3)]'))
    assert 'callbacks=[EarlyStopping("val_mae", patience=3, check_finite=False)]' in text
    assert "from lightning.pytorch.callbacks import EarlyStopping" in text
    assert "class " + "EarlyStopping" not in text
    # patience 0 is Keras's default, 3 Lightning's
    text = text_of(FIT.format("EarlyStopping()"))
    assert 'EarlyStopping(monitor="val_loss", patience=0, check_finite=False)' in text


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("restore_best_weights=True", "RestoringEarlyStopping"),
        ("baseline=0.5", "KerasEarlyStopping"),
        ("start_from_epoch=2", "KerasEarlyStopping"),
        ("restore_best_weights=x.sum() > 3", "KerasEarlyStopping"),
    ],
)
def test_early_stopping_with_more_is_a_class(arguments, name):
    text = text_of(FIT.format(f"[EarlyStopping(patience=3, {arguments})]"))
    assert f"{name}(" in text
    assert f"class {name}(" in text


def test_one_object_for_several_fits_begins_anew_with_each():
    loop = "\nfor seed in range(3):\n    model = build()\n    model.fit(x, y, callbacks={})\n"
    shared = 'stop = EarlyStopping("loss")' + loop.format("[stop]")
    assert "class KerasEarlyStopping(" in text_of(shared)
    own = loop.format('[EarlyStopping("loss")]')
    assert "class KerasEarlyStopping(" not in text_of(own)


def test_a_list_that_several_trainers_get_is_copied():
    """A Trainer adds its progress bar to the list it gets."""
    again = "callbacks = [TerminateOnNaN()]\nmodel.fit(x, y, callbacks=callbacks)\n"
    assert "callbacks=callbacks," in text_of(again)
    twice = again + "build().fit(x, y, callbacks=callbacks)\n"
    assert (
        text_of(twice.replace("build().fit", "other = build()\nother.fit")).count(
            "callbacks=[*callbacks]"
        )
        == 2
    )


def test_the_history_joins_the_list():
    body = "history = model.fit(x, y, callbacks={})\nprint(history.history)\n"
    assert "callbacks=[TerminateOnNaN(), history]" in text_of(body.format("[TerminateOnNaN()]"))
    named = "cbs = [TerminateOnNaN()]\n" + body.format("cbs")
    assert "callbacks=[*cbs, history]" in text_of(named)
    single = "nan = TerminateOnNaN()\n" + body.format("nan")
    assert "callbacks=[nan, history]" in text_of(single)


@pytest.mark.parametrize(
    ("dialect", "call", "mode"),
    [
        ("keras3", 'ReduceLROnPlateau("val_mae")', None),
        ("keras3", 'ModelCheckpoint("w.keras", "val_loss", save_best_only=True)', None),
        ("tf_keras", 'EarlyStopping("val_mae")', None),
        ("keras2", 'ReduceLROnPlateau("val_mean_absolute_error", epsilon=0.1)', None),
        ("keras3", 'ReduceLROnPlateau("val_mae", mode="max")', "max"),
        ("keras3", "ReduceLROnPlateau('val_mae', mode='auto')", "min"),
    ],
)
def test_the_direction_is_settled(dialect, call, mode):
    text = text_of(FIT.format(f"[{call}]"), dialect)
    assert (f'mode="{mode}"' in text) == (mode is not None)
    assert "epsilon" not in text


def test_accuracy_is_better_when_it_is_higher():
    body = HEAD.replace('"mae"', '"accuracy"') + FIT.format('[EarlyStopping("val_accuracy")]')
    text = migrate(body.encode(), "train.py", dialect="keras3").text
    assert text is not None
    assert 'EarlyStopping("val_accuracy", mode="max", patience=0, check_finite=False)' in text


def test_callbacks_before_the_model_have_their_class_before_them():
    body = HEAD.replace("\n\ndef build", '\nplateau = ReduceLROnPlateau("loss")\n\n\ndef build')
    done = migrate((body + FIT.format("[plateau]")).encode(), "train.py")
    assert done.text is not None
    assert done.text.index("class ReduceLROnPlateau") < done.text.index("plateau = Reduce")
    assert done.text.count("class ReduceLROnPlateau") == 1


def test_sgd_keeps_its_momentum_when_the_rate_changes():
    body = HEAD.replace('"sgd"', "keras.optimizers.SGD(0.1, momentum=0.9)")
    for call, name in (
        ('ReduceLROnPlateau("loss")', "momentum_buffer"),
        ("LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))", "the rate may become zero"),
    ):
        done = migrate((body + FIT.format(f"[{call}]")).encode(), "train.py")
        assert done.text is not None
        assert name in done.text
    plain = migrate((body + FIT.format("[TerminateOnNaN()]")).encode(), "train.py").text
    assert plain is not None
    assert "class SGD" not in plain


def test_what_never_acts_or_has_no_counterpart_is_left_out():
    text = text_of(
        'log = TensorBoard("logs")\n'
        'cbs = [log, TerminateOnNaN(), EarlyStopping("val_acc")]\n' + FIT.format("cbs")
    )
    assert "cbs = [TerminateOnNaN()]" in text
    assert "log =" not in text
    assert "callbacks" not in text_of(FIT.format('[TensorBoard("logs")]'))
    assert "callbacks" not in text_of(FIT.format('[BackupAndRestore("b"), ProgbarLogger()]'))
    bars = "from tqdm.keras import TqdmCallback\n" + FIT.format("[TqdmCallback()], verbose=0")
    assert "tqdm" not in text_of(bars)
    assert "progress_bar" not in text_of(bars)


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        (FIT.format('[ModelCheckpoint("w.keras", save_freq=9, save_best_only=True)]'), "K2T706", 1),
        (FIT.format('[ModelCheckpoint("{epoch}{loss}", save_freq=9)]'), "K2T706", 1),
        ('c = ModelCheckpoint("w.keras", period=2)' + FIT.format("[c]"), "K2T706", 0),
        ('ModelCheckpoint("w.keras")\nmodel.fit(x, y)\n', "K2T706", 0),
        ("s = LearningRateScheduler(np.poly1d([0.1]))" + FIT.format("[s]"), "K2T706", 0),
        (FIT.format('[ModelCheckpoint("w.keras", "val_acc", 0, True)]'), "K2T706", 1),
        (FIT.format('[ReduceLROnPlateau("val_mae", mode=x.name)]'), "K2T706", 1),
        (FIT.format('[ReduceLROnPlateau("loss")] + x.callbacks'), "K2T703", 1),
        (FIT.format("[RemoteMonitor()]"), "K2T900", 1),
        (FIT.format("[SwapEMAWeights()]"), "K2T900", 1),
        (
            'tb = TensorBoard("logs")\ncbs = []\ncbs.append(tb)' + FIT.format("cbs"),
            "K2T707",
            0,
        ),
        ("e = EarlyStopping()" + FIT.format("[e]") + "print(e.best_weights)\n", "K2T900", 2),
        ("e = EarlyStopping('val_acc')" + FIT.format("[e]") + "print(e.wait)\n", "K2T708", 0),
        (
            "h = model.fit(x, y, callbacks=[ReduceLROnPlateau('loss')])\nprint(h.history['lr'])\n",
            "K2T709",
            1,
        ),
    ],
)
def test_what_is_refused_is_refused_at_its_line(body, code, line):
    found = errors(body)
    assert (code, line) in found, found


def test_the_rate_is_in_the_history_where_it_is_read():
    fit = "h = model.fit(x, y, epochs=4, callbacks=[ReduceLROnPlateau('loss')])\n"
    text = text_of(fit + "print(h.history['learning_rate'])\n")
    assert 'h = History("learning_rate")' in text
    assert 'h = History("lr")' in text_of(fit + "print(h.history['lr'])\n", "tf_keras")
    assert "h = History()" in text_of(fit + "print(h.history['loss'])\n")
    both = "print(h.epoch, h.history['learning_rate'])\n"
    assert errors(fit + both) == [("K2T709", 1)]


def test_old_keras_restores_only_what_it_stopped():
    text = text_of(FIT.format("[EarlyStopping(restore_best_weights=True)]"), "keras2")
    assert "if self.stopped_epoch:" in text
    assert errors(FIT.format("[EarlyStopping(baseline=1.0)]"), "keras2") == [("K2T706", 1)]


def test_functions_that_a_callback_calls_do_not_start_a_trainer():
    head = (
        "import keras\nimport numpy as np\nfrom keras import layers\n\n"
        'x = np.random.rand(64, 8).astype("float32")\ny = x[:, :1]\n'
        "model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])\n"
        'model.compile("sgd", "mse")\n\n\n'
    )
    tail = (
        "\n\nmodel.fit(x, y, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=told)])\n"
        "print(model.predict(x))\n"
    )
    asked = (
        "def ask():\n    return model.predict(x)\n\n\ndef told(epoch, logs):\n    print(ask())\n"
    )
    done = migrate((head + asked + tail).encode(), "train.py")
    assert [f.code for f in done.findings] == []
    assert "    return predict(model, x).numpy()" in done.text
    assert "print(torch.cat(trainer.predict(model, make_loader(x))).numpy())" in done.text
    tried = "def told(epoch, logs):\n    print(model.evaluate(x, y))\n"
    done = migrate((head + tried + tail).encode(), "t.py")
    assert 'print(evaluate(model, make_loader(x, y))["loss"])' in done.text
    short = tail.replace("=told", "=lambda epoch, logs: print(model.evaluate(x, y))")
    done = migrate((head + short).encode(), "t.py")
    assert [f.code for f in done.findings] == []
    assert "evaluate(model, make_loader(x, y))" in done.text
    assert done.text.startswith("import")
    cleared = tail.replace("=told", "=lambda epoch, logs: keras.backend.clear_session()")
    found = [f.code for f in migrate((head + cleared).encode(), "t.py").findings]
    assert found == ["K2T900"]


@pytest.mark.parametrize(
    ("arguments", "read", "wanted"),
    [
        ("", "e.stopped_epoch + 1", "print(e.stopped_epoch + 1)"),
        ("", "e.best, e.wait", "print(e.best_score.item(), e.wait_count)"),
        ("restore_best_weights=True", "e.best", "print(e.best_score.item())"),
        ("start_from_epoch=2", "e.best, e.wait", "print(e.best.item(), e.wait)"),
        ("", "e.best_epoch", "print(e.best_epoch)"),
    ],
)
def test_what_is_read_of_an_early_stopping(arguments, read, wanted):
    text = text_of(f"e = EarlyStopping({arguments})" + FIT.format("[e]") + f"print({read})\n")
    assert wanted in text
    assert ("class KerasEarlyStopping" in text) == ("best_epoch" in read or "start" in arguments)
