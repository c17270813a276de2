"""The History of a migrated script has the names and lengths of Keras's."""

import json
import logging

import pytest
from helper_cases import histories
from helper_child import run_keras

from k2t.pipeline import migrate


@pytest.fixture(scope="module", params=["keras3", "tf_keras"])
def theirs(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param) / "out.npz"
    found = run_keras("keras_histories.py", request.param, out=out)
    return request.param, json.loads(str(found["found"]))


@pytest.mark.parametrize("number", range(len(histories())))
def test_names_and_lengths(theirs, number, capsys):
    dialect, found = theirs
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    done = migrate(histories()[number].encode(), "train.py", dialect=dialect)
    assert not [f.code for f in done.findings if f.severity.value == "error"]
    namespace: dict = {"__name__": "train"}
    exec(done.text, namespace)
    ours = {name: len(values) for name, values in namespace["h"].history.items()}
    assert ours == found[number]


def test_histories_are_of_several_kinds(theirs):
    """Else the comparison would say nothing."""
    _, found = theirs
    assert len({tuple(sorted(one)) for one in found}) > 8
    assert len({tuple(sorted(one.items())) for one in found}) > 12
    assert any(one["loss"] > one.get("val_loss", 99) > 0 for one in found)
