"""Neutralisers: for each difference that k2t declares, the edit of one side that takes it out.

`neutralisers/CODE.py` has the protocol of the stand-ins (`install_keras(keras)`,
`install_torch()`), is run in both children, and leaves scripts alone that the code is not about.
What remains between the two programs then is a fault, not a declared difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "neutralisers"
# warnings that change no number of a training run, or none but what chance decides, and why
NUMBERLESS = {
    "K2T133": "the same layers, written one by one",
    "K2T135": "the same layers; what a variable beside them holds",
    "K2T162": "the port runs the model in inference mode, as Keras 3 does: for the reader",
    "K2T163": "the port does not heed training= either, as Keras 3 does not: for the reader",
    "K2T302": "the emitted loss is what Keras on TensorFlow computes; it is said for the reader",
    "K2T407": "the verification hands lr= on, as up to TensorFlow 2.10",
    "K2T614": "rows by chance in both: drawn anew for each epoch, or going on with those left over",
    "K2T707": "event files; nothing of it is trained on",
    "K2T708": "what never acts changes nothing",
    "K2T709": "a column of a file",
    "K2T723": "which batches a validation takes; where others, the verdict says so",
    "K2T724": "one device on both sides",
    "K2T726": "a state for runs that are interrupted",
    "K2T732": "what an older version of the same Keras did",
    "K2T801": "a file that the script has written itself is read alike; one of Keras is not read",
}


def neutralisers(codes: Iterable[str]) -> tuple[Path, ...]:
    """The files to add to `Setting.stubs` for these finding codes, where there are any."""
    files = [FOLDER / f"{code}.py" for code in sorted(set(codes))]
    return tuple(file for file in files if file.exists())


def without(codes: Iterable[str]) -> tuple[str, ...]:
    """Those of the codes that may change numbers and have no neutraliser."""
    have = {file.stem for file in neutralisers(codes)} | NUMBERLESS.keys()
    return tuple(sorted(set(codes) - have))
