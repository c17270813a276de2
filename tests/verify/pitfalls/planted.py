"""The fifteen mistakes people make most often in ports from Keras, as edits of correct ports.

Ranked by how often they came up in about sixty forum threads, blog posts and issues. Several rows
of one rank are several ways in which the same mistake is made.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pitfall:
    """edits: (old, new) in after.py of the pair. expected: words of the cause's title."""

    rank: int
    title: str
    pair: str
    edits: tuple[tuple[str, str], ...]
    expected: str
    raises: bool = False  # torch refuses: the port stops with an error


HOOK = """
    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
"""
VALIDATION = """
    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")
"""
BY_HAND = """
    @torch.no_grad()
    def on_train_epoch_end(self):
        losses = [F.cross_entropy(self(xb), yb) for xb, yb in make_loader(x[split:], y[split:])]
        self.log("val_loss", torch.stack(losses).mean())
"""
VALIDATION_LOADER = "\n    make_loader(x[split:], y[split:], batch_size=16),"
BATCHNORM = "BatchNorm2d(6, eps=1e-3, momentum=0.2)"
PADDED = """nn.ZeroPad2d((0, 1, 0, 1)),  # Keras's "same" pads an even picture on the far side only
            nn.Conv2d(2, 6, 3, stride=2, bias=False)"""
WEIGHTED = '(F.cross_entropy(self(x), y, reduction="none") * self.weight[y]).mean()'
ACCURACY = 'tm.accuracy(logits, y, task="multiclass", num_classes=3)'

PITFALLS = (
    Pitfall(
        1,
        "softmax in the model and `cross_entropy`",
        "pairs/mlp",
        (
            (
                "            nn.Linear(24, 3),\n",
                "            nn.Linear(24, 3),\n            nn.Softmax(1),\n",
            ),
        ),
        "double softmax",
    ),
    Pitfall(
        2,
        "torch's default initial values",
        "pairs/mlp",
        (("        self.apply(init_weights)\n", ""),),
        "torch's defaults",
    ),
    Pitfall(
        3,
        "(N, 1) against (N,) in `mse_loss`",
        "pitfalls/regression",
        (("self.layers(x).squeeze(1)", "self.layers(x)"),),
        "target broadcast",
    ),
    Pitfall(
        4,
        "`eval()` forgotten: validation by hand",
        "pairs/conv_bn",
        ((VALIDATION, BY_HAND), (VALIDATION_LOADER, "")),
        "eval() forgotten",
    ),
    Pitfall(
        5,
        "BatchNorm's momentum as in Keras",
        "pairs/conv_bn",
        ((BATCHNORM, "BatchNorm2d(6, eps=1e-3, momentum=0.8)"),),
        "BatchNorm momentum",
    ),
    Pitfall(
        5,
        "BatchNorm's epsilon left at torch's default",
        "pairs/conv_bn",
        ((BATCHNORM, "BatchNorm2d(6, momentum=0.2)"),),
        "BatchNorm epsilon",
    ),
    Pitfall(
        5,
        "torch's unbiased running variance",
        "pairs/conv_bn",
        ((BATCHNORM, "nn.BatchNorm2d(6, eps=1e-3, momentum=0.2)"),),
        "running variance",
    ),
    Pitfall(
        6,
        "NHWC to NCHW by `view`",
        "pairs/conv_bn",
        (("x.permute(0, 3, 1, 2)", "x.view(-1, 2, 12, 12)"),),
        "view or reshape",
    ),
    Pitfall(
        6,
        "no permute at all",
        "pairs/conv_bn",
        (("x.permute(0, 3, 1, 2)", "x"),),
        "channels last",
        raises=True,
    ),
    Pitfall(
        7,
        "Flatten in torch's order",
        "pairs/conv_bn",
        (("x.permute(0, 2, 3, 1).flatten(1)", "x.flatten(1)"),),
        "Flatten order",
    ),
    Pitfall(
        8,
        "stride 2 with `padding=1`",
        "pairs/conv_bn",
        ((PADDED, "nn.Conv2d(2, 6, 3, stride=2, padding=1, bias=False)"),),
        "far side",
    ),
    Pitfall(
        8,
        'stride 2 with `padding="same"`',
        "pairs/conv_bn",
        ((PADDED, 'nn.Conv2d(2, 6, 3, stride=2, padding="same", bias=False)'),),
        "padding",
        raises=True,
    ),
    Pitfall(
        9,
        "class numbers as floats",
        "pitfalls/weighted",
        (("y.squeeze(1).long()", "y.squeeze(1)"),),
        "class numbers",
        raises=True,
    ),
    Pitfall(
        9,
        "class numbers as a column",
        "pitfalls/weighted",
        (("y.squeeze(1).long()", "y.long()"),),
        "class numbers",
        raises=True,
    ),
    Pitfall(
        10,
        "float64 inputs",
        "pitfalls/regression",
        (("torch.from_numpy(x).float()", "torch.from_numpy(x)"),),
        "float64",
        raises=True,
    ),
    Pitfall(
        11,
        "`cross_entropy(weight=)` for `class_weight`",
        "pitfalls/weighted",
        ((WEIGHTED, "F.cross_entropy(self(x), y, weight=self.weight)"),),
        "weighted mean",
    ),
    Pitfall(
        12,
        "torchmetrics' macro average",
        "pairs/mlp",
        ((ACCURACY, "tm.classification.multiclass_accuracy(logits, y, num_classes=3)"),),
        "macro average",
    ),
    Pitfall(
        13,
        "Adam's epsilon left at torch's default",
        "pairs/mlp",
        (("lr=1e-3, eps=1e-7", "lr=1e-3"), (HOOK, "")),
        "Adam's epsilon",
    ),
    Pitfall(
        13,
        "Adam's epsilon after the bias correction",
        "pairs/mlp",
        ((HOOK, ""),),
        "Adam's epsilon",
    ),
    Pitfall(
        14,
        "`batch_first` forgotten",
        "pitfalls/sequence",
        (("nn.LSTM(3, 8, batch_first=True)", "nn.LSTM(3, 8)"),),
        "batch_first",
    ),
    Pitfall(
        15,
        "both biases of the LSTM trained",
        "pitfalls/sequence",
        (("self.lstm.bias_hh_l0.requires_grad_(False)", "pass"),),
        "two biases",
    ),
    Pitfall(
        15,
        "forget gate's bias starts at 0",
        "pitfalls/sequence",
        (("        nn.init.ones_(self.lstm.bias_ih_l0[8:16])  # forget gates\n", ""),),
        "forget gate",
    ),
    Pitfall(
        15,
        "recurrent kernel not orthogonal",
        "pitfalls/sequence",
        (("        nn.init.orthogonal_(self.lstm.weight_hh_l0)\n", ""),),
        "orthogonal",
    ),
)
