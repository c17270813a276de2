"""Callbacks of the script's own: their methods, and what these do with the model."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

OWN = """\
import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 8).astype("float32")
y = x[:, :1]


class Own(keras.callbacks.Callback):
{}


model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, y, callbacks=[Own()])
"""


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("def on_epoch_end(self, epoch, logs=None):\n        print(epoch)",
         "def on_train_epoch_end(self, trainer, module):\n        epoch = trainer.current_epoch\n"),
        ("def on_epoch_begin(self, e, l={}):\n        pass",
         "def on_train_epoch_start(self, trainer, module):\n        pass"),
        ("def on_train_batch_end(self, step, logs=None):\n        print(step)",
         "def on_train_batch_end(self, trainer, module, outputs, data, step):\n        print("),
        ("def on_train_end(self, logs=None):\n        print(trainer)",
         "def on_train_end(self, trainer_, module):"),
        ("def on_epoch_end(self, epoch, logs=None):\n        self.model.stop_training = True",
         "        trainer.should_stop = True"),
        ("def on_train_batch_end(self, batch, logs=None):\n        self.model.stop_training = True",
         "        trainer.should_stop = True"),
        ("def on_train_end(self, l):\n        self.model.set_weights(self.model.get_weights())",
         "        module.load_state_dict(module.state_dict())"),
        ("def on_epoch_begin(self, epoch, logs=None):\n        self.model.optimizer.lr *= 0.5",
         'for group in trainer.optimizers[0].param_groups:\n            group["lr"] *= 0.5'),
        ("def on_epoch_end(self, e, logs=None):\n        print(self.model.optimizer.lr.numpy())",
         'print(trainer.optimizers[0].param_groups[0]["lr"])'),
        ("def on_train_end(self, logs):\n        print(model.optimizer.lr.numpy())",
         'print(trainer.optimizers[0].param_groups[0]["lr"])'),
        ("def on_train_end(self, logs=None):\n        print(self.model(x[:2], training=False))",
         "print(predict(module, x[:2]))"),
        ("def __init__(self):\n        super(keras.callbacks.Callback, self).__init__()",
         "        super().__init__()"),
        ("def on_test_end(self, logs=None):\n        print(1)",
         "def on_validation_end(self, trainer, module):\n        print(1)"),
        ("def on_train_begin(self, logs=None):\n        print(self.params['epochs'])",
         "print(trainer.max_epochs)"),
        ("def on_batch_end(self, step, logs=None):\n        print(logs['loss'])",
         'logs = {"loss": self.mean_loss(outputs, data, step)}'),
        ("def told(self):\n        return self.model.predict(x)\n\n"
         "    def on_epoch_end(self, epoch, logs=None):\n        print(self.told())",
         "def setup(self, trainer, module, stage):\n        self.model = module"),
    ],
)  # fmt: skip
def test_own_callbacks(method, wanted):
    done = migrate(OWN.format("    " + method).encode(), "train.py")
    assert [f.code for f in done.findings] == []
    assert wanted in done.text
    assert "class Own(L.Callback):" in done.text or "class Own(BatchLoss):" in done.text


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("def on_predict_end(self, logs=None):\n        pass", "on_predict_end"),
        ("def on_batch_end(self, batch, logs=None):\n        print(logs)", "logs in"),
        ("def on_batch_end(self, batch, logs=None):\n        print(logs['mae'])", "logs in"),
        ("def on_test_batch_end(self, batch, logs=None):\n        print(logs)", "logs in"),
        (
            "def on_epoch_begin(self, epoch, logs=None):\n        self.model.stop_training = True",
            "stop_training",
        ),
        ("def on_train_end(self, logs=None):\n        print(self.params)", "self.params"),
        ("def on_train_end(self, logs=None):\n        print(self.params['samples'])", "samples"),
        ("def setup(self):\n        pass", "setup"),
        ("def on_epoch_end(self, e, logs=None):\n        logs['f1'] = 0.5", "into the logs"),
        ("def on_epoch_end(self, e, logs=None):\n        logs.update(f1=0.5)", "into the logs"),
        ("def on_epoch_end(self, e, logs):\n        print(other.optimizer.lr)", "of another model"),
        ("def on_epoch_end(self, *args):\n        pass", "parameters"),
        ("def on_epoch_end(self, epoch, logs=None):\n        super().on_epoch_end(epoch)", "super"),
        ("def on_batch_end(self, b, l):\n        pass\n\n"
         "    def on_train_batch_end(self, b, l):\n        pass", "old name"),
    ],
)  # fmt: skip
def test_own_callbacks_that_are_not_carried_over(method, why):
    done = migrate(OWN.format("    " + method).encode(), "train.py")
    errors = [f for f in done.findings if f.severity.value == "error"]
    assert errors[0].code == "K2T902"
    assert why in errors[0].message
    assert "raise NotImplementedError(" in done.text


def test_a_class_that_extends_another_keeps_its_base():
    one = "    def on_train_begin(self, logs=None):\n        self.seen = []\n\n\n"
    text = OWN.format(one + "class More(Own):\n    def on_epoch_end(self, epoch, logs=None):\n"
                      "        self.seen.append(epoch)").replace("[Own()]", "[More()]")  # fmt: skip
    done = migrate(text.encode(), "train.py")
    assert [f.code for f in done.findings] == []
    assert "class More(Own):" in done.text


def test_a_loss_by_itself_in_old_keras():
    """Up to 2.3 a batch's logs are its own loss."""
    told = "    def on_batch_end(self, batch, logs=None):\n        print(logs.get('loss'))"
    done = migrate(OWN.format(told).encode(), "train.py", dialect="keras2")
    assert 'logs = {"loss": outputs["loss"].item()}' in done.text
    assert "BatchLoss" not in done.text


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("self.model.compile('sgd', 'mae')", "K2T900"),
        ("self.model.layers[0].trainable = False", "K2T900"),
        ("self.model.fit(x, y)", "K2T900"),
        ("print(self.model.optimizer.iterations)", "K2T900"),
        ("print(sum(self.model.get_weights()))", "K2T803"),
    ],
)
def test_what_a_method_does_that_is_not_carried_over(line, code):
    method = f"    def on_epoch_end(self, epoch, logs=None):\n        {line}"
    done = migrate(OWN.format(method).encode(), "train.py")
    assert code in [f.code for f in done.findings if f.severity.value == "error"]


def test_an_evaluation_between_batches_is_refused():
    """In Keras it begins the means of the epoch anew."""
    method = "    def on_batch_end(self, batch, logs=None):\n        self.model.evaluate(x, y)"
    done = migrate(OWN.format(method).encode(), "train.py")
    assert [f.code for f in done.findings if f.severity.value == "error"] == ["K2T900"]


def test_a_callback_that_no_fit_is_given():
    method = "    def on_epoch_end(self, epoch, logs=None):\n        print(self.model.predict(x))"
    text = OWN.format(method).replace("callbacks=[Own()]", "epochs=2")
    done = migrate(text.encode(), "train.py")
    assert [f.code for f in done.findings if f.severity.value == "error"] == ["K2T902"]
