"""Fixtures for tests that run scripts in child processes."""

import atexit
import os
from contextlib import ExitStack
from pathlib import Path

import pytest

import k2t.verify
from k2t.verify.launch import nurseries

os.environ.setdefault("K2T_SYNTHETIC_FEW", "1")  # children inherit it
VERIFY = Path(k2t.verify.__file__).parent
# children find their framework imported; nothing is started before the first of them
_NURSERIES = ExitStack()
LAUNCH = _NURSERIES.enter_context(nurseries())
atexit.register(_NURSERIES.close)
STUBS = (VERIFY / "standins" / "synthetic.py", VERIFY / "standins" / "plots.py")


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """A folder where recordings are kept while the tests run: the same run is not run twice."""
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="session")
def stubs():
    """Stand-ins for downloads and for matplotlib, to be given to `Setting(stubs=...)`."""
    return STUBS
