"""Names that generated code uses and the import line each needs."""

from __future__ import annotations

from k2t.render.aliases import MODULES
from k2t.render.emitted import import_lines
from k2t.table import load

TEMPLATE_NAMES = {
    "L": "import lightning as L",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "nn": "from torch import nn",
    "tm": "import torchmetrics.functional as tm",
    "np": "import numpy as np",
    "math": "import math",
    "DataLoader": "from torch.utils.data import DataLoader",
    "Dataset": "from torch.utils.data import Dataset",
    "ModelSummary": "from lightning.pytorch.utilities.model_summary import ModelSummary",
    "bisect_left": "from bisect import bisect_left",
    "LambdaLR": "from torch.optim.lr_scheduler import LambdaLR",
    "BinaryPrecision": "from torchmetrics.classification import BinaryPrecision",
    "BinaryRecall": "from torchmetrics.classification import BinaryRecall",
    "SumMetric": "from torchmetrics.aggregation import SumMetric",
    "torchvision": "import torchvision",
    "Normalize": "from torchvision.transforms.v2 import Normalize",
    "create_feature_extractor": (
        "from torchvision.models.feature_extraction import create_feature_extractor"
    ),
    "pack_padded_sequence": "from torch.nn.utils.rnn import pack_padded_sequence",
}


def vocabulary() -> dict[str, str]:
    """Name -> import line."""
    others = dict(MODULES.values())
    return {**import_lines(), **TEMPLATE_NAMES, **networks(), **others}


def networks() -> dict[str, str]:
    """The builders of torchvision."""
    rows = load().rows["applications"].values()
    built = [str(row.data["torchvision"]) for row in rows if "torchvision" in row.data]
    return {name: f"from torchvision.models import {name}" for name in built}
