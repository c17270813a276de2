"""The emitted ImageDataGenerator moves and normalizes images as tf-keras does, from equal draws."""

import numpy as np
import pytest
from helper_cases import FILL_MODES, MOVED, NORMALIZED, pictures
from helper_child import run_keras

from k2t.render.helpers import images

FORMS = ["ImageDataGenerator", "ImageDataGeneratorFull"]


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    pytest.importorskip("scipy", reason="Keras moves images with it")
    return run_keras("keras_images.py", out=tmp_path_factory.mktemp("images") / "keras.npz")


def batch(form, x, **options):
    made = getattr(images, form)(**options)
    if hasattr(made, "fit"):
        made.fit(x)
    np.random.seed(3)
    rows = np.arange(len(x))
    return next(iter(made.flow(x, rows, batch_size=len(x), shuffle=False)))[0].numpy()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize("number", range(len(MOVED)))
def test_moved(keras, form, mode, number):
    for width in (8, 13):
        ours = batch(form, pictures(width), fill_mode=mode, cval=0.5, **MOVED[number])
        np.testing.assert_allclose(ours, keras[f"moved {number} {mode} {width}"], atol=3e-7)


@pytest.mark.parametrize("number", range(len(NORMALIZED)))
def test_normalized(keras, number):
    form = "ImageDataGeneratorFull"
    ours = batch(form, pictures(8), width_shift_range=0.1, **NORMALIZED[number])
    assert ours.dtype == "float32"
    np.testing.assert_allclose(ours, keras[f"normalized {number}"], atol=1e-6)


def test_keras_2_moves_rows_by_the_height():
    """Its centre lies half a pixel beyond the middle; nothing else differs."""
    ranges = images.ImageDataGenerator(height_shift_range=[2])
    np.random.seed(0)
    x_shift, y_shift = (images.draw_places(ranges, 9, 8) - places(9, 8))[4, 4]
    np.random.seed(0)
    old = (images.draw_places_by_rows(ranges, 9, 8) - places(9, 8))[4, 4]
    assert (x_shift, y_shift) == (old[1], old[0])
    assert abs(old[1]) == 2


def places(h, w):
    return np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1)
