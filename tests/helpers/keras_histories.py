"""Child process: the names and lengths of what is in the History, after each script of a list.

Usage: python keras_histories.py OUT.npz keras3|tf_keras
"""

import json
import sys

import numpy as np
from helper_cases import histories

from k2t.verify.probes.engines import load_engine

load_engine(sys.argv[2])
found = []
for script in histories():
    namespace: dict = {}
    exec(script, namespace)
    found.append({name: len(values) for name, values in namespace["h"].history.items()})
np.savez(sys.argv[1], found=json.dumps(found))
