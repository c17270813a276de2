"""Transfers files one after the other and runs the classes: `load_models.py JOBS.json RESULT.json`.

JOBS: lists [file, script, class, data.npz, out]. RESULT: for each job its largest difference to
Keras's output, relative to the largest value, or the words of the refusal.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from k2t.verify.saved.definitions import Definitions
from k2t.verify.saved.transfer import Stop, transfer


def difference(job):
    source, script, name, data, out = job
    try:
        transfer(Path(source), Path(script), name, Path(out))
    except Stop as stop:
        assert not Path(out).exists()
        return "\n".join(stop.lines)
    state = load_file(out) if out.endswith(".safetensors") else torch.load(out, weights_only=True)
    found = np.load(data)
    for maker in Definitions(Path(script), name).makers():
        model = maker.make()
        try:
            model.load_state_dict(state, strict=True)
        except RuntimeError:
            continue  # the script makes several models of this class
        x = torch.as_tensor(found["x"])
        with torch.no_grad():
            y = model.eval()(x if x.dtype.is_floating_point else x.long())
        last = {"softmax": lambda y: y.softmax(1), "sigmoid": torch.sigmoid}
        y = last.get(str(found["activation"]), torch.nn.Identity())(y).numpy()
        return float(np.abs(y - found["y"]).max() / np.abs(found["y"]).max())
    raise AssertionError(f"no {name} of {script} loads {out}")


jobs = json.loads(Path(sys.argv[1]).read_text())
Path(sys.argv[2]).write_text(json.dumps([difference(job) for job in jobs]))
