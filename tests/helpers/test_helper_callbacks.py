"""The emitted callbacks act at the epochs of Keras's, on random sequences of the metric."""

import os
from collections import Counter
from types import SimpleNamespace

import lightning as L
import numpy as np
import pytest
import torch
from helper_cases import (
    BATCHES,
    CALLBACKS,
    HUNDRED,
    SERIES,
    batch_losses,
    sequences,
    table_of_rates,
)
from helper_child import run_keras
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn

from k2t.render.helpers import callbacks
from k2t.table import load

VERSIONS = ["keras", "tf_keras"]


@pytest.fixture(scope="module", params=VERSIONS)
def recorded(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param) / "out.npz"
    return run_keras("keras_callbacks.py", request.param, out=out)


def ours(name, arguments, kind):
    """The callback as it is emitted."""
    arguments = {k: v for k, v in arguments.items() if k != "save_weights_only"}
    if kind in ("EarlyStopping", "Restoring"):
        arguments.pop("restore_best_weights", None)
        cls = EarlyStopping if kind == "EarlyStopping" else callbacks.RestoringEarlyStopping
        return cls(**arguments, check_finite=False)
    full = "Full" if "initial_value_threshold" in arguments else ""
    return getattr(callbacks, kind + name + full)(**arguments)


def told(callback):
    """What a script may read of an EarlyStopping."""
    if isinstance(callback, EarlyStopping):
        return [callback.stopped_epoch, callback.wait_count, callback.best_score.item()]
    return [callback.stopped_epoch, callback.wait, callback.best.item(), callback.best_epoch]


def follow(callback, values):
    """Rates, number of epochs, the weight at the end, and files written, of one run."""
    weight = nn.Parameter(torch.zeros(()))
    model = nn.ParameterDict({"weight": weight})
    trainer = SimpleNamespace(
        optimizers=[torch.optim.SGD([weight], lr=1.0)],
        should_stop=False,
        sanity_checking=False,
        fast_dev_run=False,
        world_size=1,
        val_check_interval=1.0,
        check_val_every_n_epoch=1,
        state=SimpleNamespace(fn=TrainerFn.FITTING),
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
    )
    rates = []
    callback.setup(trainer, model, "fit")
    callback.on_train_start(trainer, model)
    for epoch, value in enumerate(values):
        trainer.current_epoch = epoch
        callback.on_train_epoch_start(trainer, model)
        weight.data += 1
        trainer.callback_metrics = {"loss": torch.tensor(value), "val_loss": torch.tensor(value)}
        callback.on_train_epoch_end(trainer, model)
        rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        if trainer.should_stop:
            break
    callback.on_train_end(trainer, model)
    return rates, len(rates), weight.item()


@pytest.mark.parametrize("number", range(len(CALLBACKS)))
def test_callback(recorded, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i, values in enumerate(sequences(number)):
        callback = ours(*CALLBACKS[number])
        rates, epochs, weight = follow(callback, values)
        at = f"{number}/{i}"
        assert epochs == recorded[f"{at}/epochs"]
        np.testing.assert_allclose(rates, recorded[f"{at}/rates"], rtol=1e-6)
        assert weight == recorded[f"{at}/weight"]
        if CALLBACKS[number][0] == "EarlyStopping":
            found = told(callback)
            np.testing.assert_allclose(found, recorded[f"{at}/told"][: len(found)], rtol=1e-6)
        assert sorted(os.listdir()) == sorted(recorded[f"{at}/files"])
        for file in os.listdir():
            os.remove(file)


def test_the_sequences_make_callbacks_act(recorded):
    """Else the comparison would say nothing."""
    for number, (name, _, _) in enumerate(CALLBACKS):
        at = [f"{number}/{i}" for i in range(SERIES)]
        if name == "EarlyStopping":
            assert len({int(recorded[f"{a}/epochs"]) for a in at}) > 1
        elif name == "ReduceLROnPlateau":
            assert len({float(recorded[f"{a}/rates"][-1]) for a in at}) > 1
        elif "save_best_only" in CALLBACKS[number][1]:
            assert len({len(recorded[f"{a}/files"]) for a in at}) > 1


def test_each_callback_has_a_hundred_sequences():
    counts = Counter(name for name, _, _ in CALLBACKS)
    assert min(counts.values()) * SERIES > 100


@pytest.mark.parametrize("number", range(len(BATCHES)))
def test_checkpoints_of_batches(recorded, number, tmp_path, monkeypatch):
    """What is saved in two fits of one object, which goes on to count."""
    if f"batches/{number}" not in recorded:
        return  # Keras 3 takes no period
    monkeypatch.chdir(tmp_path)
    callback = callbacks.ModelCheckpointFull(**BATCHES[number])
    model = Line((1.0,) * 4)
    for epochs in (5, 3):
        trained(model, callback, epochs=epochs, batches=4)
    assert sorted(os.listdir()) == sorted(recorded[f"batches/{number}"])


def test_csv_logger(recorded, tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    for _ in range(2):  # a second fit begins the file anew
        follow(logger, np.array([0.5, 0.25], "float32"))
    assert (tmp_path / "log.csv").read_bytes().decode() == str(recorded["csv"])


def test_schedules_on_a_hundred_tables(recorded):
    for number in range(HUNDRED):
        given = table_of_rates(number)
        found = follow(callbacks.LearningRateScheduler(given.__getitem__), given)[0]
        np.testing.assert_allclose(found, recorded[f"scheduled/{number}"], rtol=1e-6)
        scale = callbacks.LearningRateSchedulerFull(lambda i, rate: rate * given[i])  # noqa: B023
        np.testing.assert_allclose(follow(scale, given)[0], recorded[f"scaled/{number}"], rtol=2e-6)


def test_files_of_a_hundred_fits(recorded, tmp_path):
    """Each goes on in the file of the one before, or begins it anew."""
    for number in range(HUNDRED):
        file = tmp_path / "log.csv"
        logger = callbacks.CSVLogger(file, ",;\t"[number % 3], append=number % 4 > 1)
        follow(logger, np.array(table_of_rates(number), "float32"))
        assert file.read_bytes().decode() == str(recorded[f"csv/{number}"])


def test_a_hundred_losses_that_are_no_numbers(recorded):
    """The training ends at Keras's batch, in the middle of an epoch too."""
    ends = set()
    for number in range(HUNDRED):
        model = Line(batch_losses(number).tolist())
        model.whole = True
        assert trained(model, callbacks.TerminateOnNaN(), batches=4).steps == int(
            recorded[f"batches of {number}"]
        )
        ends.add(model.steps)
    assert ends == set(range(1, 13))


def test_directions_of_metrics(recorded):
    """``mode="auto"`` of Keras 3: what each metric says of itself."""
    rows = load().section("metrics")
    for name in ("accuracy", "AUC", "Precision", "Recall", "MeanAbsoluteError", "MeanSquaredError"):
        theirs = str(recorded[f"direction/{name}"])
        assert theirs == "none" or (rows[name].get("direction") == "up") == (theirs == "up")


class Line(L.LightningModule):
    whole = False  # whether the losses are of all epochs, or of each

    def __init__(self, losses=(1.0,)):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.losses, self.rates, self.steps = losses, [], 0

    def training_step(self, batch, batch_idx):
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        at = self.steps if self.whole else batch_idx
        self.steps += 1
        loss = self.weight * self.losses[min(at, len(self.losses) - 1)]
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


def trained(model, *given, epochs=3, batches=2):
    trainer = L.Trainer(
        max_epochs=epochs, callbacks=[*given], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(model, torch.utils.data.DataLoader(range(batches), batch_size=1))
    return model


def test_learning_rate_scheduler(capsys):
    """Set before the first batch of each epoch; Keras's numbers for the epochs."""
    model = trained(Line(), callbacks.LearningRateScheduler(lambda epoch: 0.1 * (epoch + 1)))
    np.testing.assert_allclose(model.rates, [0.1, 0.1, 0.2, 0.2, 0.3, 0.3])
    halved = callbacks.LearningRateSchedulerFull(lambda epoch, rate: rate / 2, verbose=1)
    model = trained(Line(), halved)
    np.testing.assert_allclose(model.rates, [0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625])
    assert "Epoch 3: setting learning rate to 0.0625." in capsys.readouterr().out


def test_terminate_on_nan():
    assert trained(Line((1.0, float("nan"))), callbacks.TerminateOnNaN()).steps == 2
    assert trained(Line(), callbacks.TerminateOnNaN()).steps == 6


def test_early_stopping_begins_anew_with_each_fit():
    stopping = callbacks.KerasEarlyStopping("loss", restore_best_weights=True, mode="max")
    for _ in range(2):
        model = trained(Line(), stopping)
        assert model.steps == 4  # the second epoch is worse
        assert model.weight.item() == 0.0


def test_restoring_once():
    """Keras 2.2 brings the best weights back only if it stopped the training itself."""
    options = {"monitor": "val_loss", "mode": "min", "patience": 2, "check_finite": False}
    worse = np.array([3, 1, 2, 4, 5], "float32")
    assert follow(callbacks.RestoringEarlyStoppingOnce(**options), worse)[1:] == (4, 2.0)
    better = np.array([3, 2, 1, 4], "float32")
    assert follow(callbacks.RestoringEarlyStoppingOnce(**options), better)[1:] == (4, 4.0)
