"""A table of rows, their samples and worst errors: `python -m tests.rows [SECTION] [--double]`.

--double: layers, activations and operations in double precision, where 1e-9 is the bound.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

from .cases import Case, in_double
from .run import errors, keras_values
from .training import all_cases


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    wanted = [a for a in sys.argv[1:] if not a.startswith("--")]
    cases = [c for c in all_cases() if all(w in c.name for w in wanted)]
    if "--double" in sys.argv:
        cases = [in_double(c) for c in cases if isinstance(c, Case)]
    with tempfile.TemporaryDirectory() as folder:
        keras = keras_values(cases, Path(folder))
    worst: dict[str, list[float]] = defaultdict(list)
    failed = []
    for case in cases:
        try:
            found = errors(case, keras)
        except Exception as error:
            last = f"{type(error).__name__}: {error}".strip().splitlines()[-1]  # of a traceback
            failed.append((case.name, last))
            continue
        what = max(found, key=found.__getitem__)
        worst[case.row].append(found[what])
        if found[what] > case.bound:
            failed.append(
                (case.name, ", ".join(f"{k} {v:.1e}" for k, v in found.items() if v > case.bound))
            )
    for row, values in worst.items():
        print(f"{row:40}{len(values):5}{max(values):10.1e}")
    print(f"{len(worst)} rows, {len(cases)} samples, {len(failed)} fail")
    for name, why in failed:
        print(f"FAIL {name}: {why[:600]}")


if __name__ == "__main__":
    main()
