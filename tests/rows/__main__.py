"""`python -m tests.rows [SECTION]`: a table: row, samples, worst error."""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

from .run import errors, keras_values
from .training import all_cases


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    cases = [c for c in all_cases() if wanted in c.name]
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
