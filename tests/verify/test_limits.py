"""How much of the data an evaluation inside a fit looks at."""

import numpy as np
import pytest

from k2t.verify.probes.keras_limits import shorten


@pytest.mark.quick
def test_fit_generator_is_given_fewer_rows() -> None:
    data = (np.arange(300), {"a": np.arange(300)})
    arguments = {"generator": object(), "validation_data": data}
    shorten(arguments, 4)
    x, y = arguments["validation_data"]
    assert len(x) == len(y["a"]) == 128
    assert "validation_steps" not in arguments
    shorten(arguments, 4)  # as many as there are: nothing to take away
    assert len(arguments["validation_data"][0]) == 128


@pytest.mark.quick
def test_fit_generator_is_given_fewer_steps_of_a_generator() -> None:
    arguments = {"validation_data": iter(()), "validation_steps": 90}
    shorten(arguments, 4)
    assert arguments["validation_steps"] == 4
