"""The emitted loaders and callbacks hand on and keep what Keras's `fit` does."""

import lightning as L
import numpy as np
import pytest
import torch
from helper_child import run_keras
from torch import nn

from k2t.render.helpers import callbacks, training

QUIET_TRAINER = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "accelerator": "cpu",
}
A = np.arange(14, dtype="float32").reshape(7, 2)
B = np.arange(7)


def test_make_loader():
    batches = list(training.make_loader(A, B, batch_size=3))
    assert [len(y) for _, y in batches] == [3, 3, 1]
    np.testing.assert_array_equal(torch.cat([x for x, _ in batches]).numpy(), A)
    shuffled = [y for _, y in training.make_loader(A, B, batch_size=3, shuffle=True)]
    assert sorted(torch.cat(shuffled).tolist()) == B.tolist()
    assert training.make_loader(A).batch_size == 32


def test_make_dict_loader():
    x, y = next(iter(training.make_dict_loader({"a": A, "b": B}, {"y": B}, batch_size=4)))
    assert x["a"].tolist() == A[:4].tolist()
    assert x["b"].tolist() == y["y"].tolist() == B[:4].tolist()


@pytest.mark.parametrize("name", ["make_list_loader", "make_mixed_loader"])
@pytest.mark.parametrize("parts", [([A, B], B), (A, [B, A]), ((A, B), [B, A])])
def test_make_nested_loader(name, parts):
    loader = getattr(training, name)(*parts, batch_size=4)
    assert len(loader) == 2

    def check(ours, theirs, rows):
        if isinstance(theirs, (list, tuple)):
            assert len(ours) == len(theirs)
            for mine, other in zip(ours, theirs, strict=True):
                check(mine, other, rows)
        else:
            np.testing.assert_array_equal(ours.numpy(), theirs[rows])

    for batch, rows in zip(loader, (slice(0, 4), slice(4, 7)), strict=True):
        check(batch, parts, rows)


@pytest.mark.parametrize("parts", [({"a": A}, B), (B, {"a": A}), ([A, {"b": B}], B)])
def test_make_mixed_loader(parts):
    loader = training.make_mixed_loader(*parts, batch_size=4)
    assert len(loader) == 2
    x, y = list(loader)[1]
    flat = [x, y] if isinstance(x, (torch.Tensor, dict)) else [*x, y]
    tensors = [v["a" if "a" in v else "b"] if isinstance(v, dict) else v for v in flat]
    assert all(len(t) == 3 for t in tensors)


def test_predict_keeps_the_mode():
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    y = training.predict(model, A)
    assert model.training
    assert not y.requires_grad
    assert torch.equal(y, model[0](torch.tensor(A)))
    assert torch.equal(training.predict(model.eval(), A), y)
    assert not model.training


class Walker(L.LightningModule):
    """Its one weight is the number of epochs run; val_loss is read from a list."""

    def __init__(self, losses):
        super().__init__()
        self.epochs = nn.Parameter(torch.zeros(()))
        self.losses = losses

    def training_step(self, batch, batch_idx):
        self.log("loss", batch[0].sum(), on_step=False, on_epoch=True)
        return -self.epochs

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", torch.tensor(self.losses[self.current_epoch]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    return run_keras("keras_early_stopping.py", out=tmp_path_factory.mktemp("keras") / "out.npz")


def test_early_stopping(keras):
    """On random loss curves: as many epochs, the same history and the same epoch's weight."""
    n = len(keras["losses"])
    restored = []
    for i in range(n):
        losses = keras["losses"][i].tolist()
        model, history = Walker(losses), training.History()
        stopping = callbacks.RestoringEarlyStopping(
            "val_loss",
            patience=int(keras["patience"][i]),
            min_delta=float(keras["min_delta"][i]),
            check_finite=False,
        )
        loader = training.make_loader(np.ones((1, 1), "float32"))
        trainer = L.Trainer(max_epochs=len(losses), callbacks=[stopping, history], **QUIET_TRAINER)
        trainer.fit(model, loader, loader)
        run = int(keras["epochs"][i])
        np.testing.assert_allclose(history.history["val_loss"], losses[:run], rtol=1e-6)
        assert history.history["loss"] == [1.0] * run
        assert model.epochs.item() == keras["weight"][i]
        restored.append(model.epochs.item() < run)
    assert 0 < sum(restored) < n or all(restored)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return run_keras("keras_weights.py", out=tmp_path_factory.mktemp("keras") / "out.npz")


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("dense", nn.Linear(5, 3)),
        ("bare", nn.Linear(5, 3, bias=False)),
        ("conv1d", nn.Conv1d(5, 3, 2)),
        ("conv2d", nn.Conv2d(5, 3, (2, 3))),
        ("conv3d", nn.Conv3d(2, 3, (2, 3, 1))),
        ("transposed", nn.ConvTranspose2d(2, 3, (2, 3))),
    ],
)
def test_weights_go_in_and_out_in_the_layout_of_keras(weights, name, layer):
    given = [weights[key] for key in (f"{name} 0", f"{name} 1") if key in weights]
    training.set_weights(layer, given)
    x = torch.tensor(weights[f"{name} x"])
    y = layer(x.movedim(-1, 1)).movedim(1, -1)
    np.testing.assert_allclose(y.detach().numpy(), weights[f"{name} y"], atol=1e-5)
    for ours, theirs in zip(training.get_weights(layer), given, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_frozen_norm_keeps_to_its_statistics():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    training.set_trainable(model, False)
    assert [part.training for part in model] == [True, False, True]
    assert not any(p.requires_grad for p in model.parameters())
    training.set_trainable(model[1], True)
    assert model[1].training
    assert model[1].weight.requires_grad
