"""What Keras makes of the cases: `python -m tests.rows.keras_side CASES OUT`."""

from __future__ import annotations

import json
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

from .cases import Case
from .keras_model import CREATED, forward, watch_layers
from .keras_training import trained
from .training import Trained

KINDS = {"Case": (Case, forward), "Trained": (Trained, trained)}


def main() -> None:
    given, out = sys.argv[1:]
    watch_layers()
    results: dict[str, Any] = {}
    for kind, fields in json.loads(Path(given).read_text()):
        if "shapes" in fields:
            fields["shapes"] = tuple(map(tuple, fields["shapes"]))
        cls, compute = KINDS[kind]
        case = cls(**fields)
        CREATED.clear()
        try:
            results[case.name] = compute(case)
        except Exception:
            results[case.name] = traceback.format_exc()
    Path(out).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
