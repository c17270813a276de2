"""The terminal and JSON say all that a Result holds, in a pipe too, and let no name do harm."""

import io
import json
import math
import re
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from threading import Thread
from types import GenericAlias
from typing import get_args, get_type_hints

import pytest

from k2t.verify.result import Divergence, Result, Run, Stage, State
from k2t.verify.views import result_json, show, wording
from tests.verify import results

pytestmark = pytest.mark.quick

ESCAPE = "\x1b"


def text(result, width=80):
    return show.text(result, colour=False, width=width)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "90")
    return Terminal()


# ------------------------------------------------------------------------------------ the terminal


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("make", results.ALL, ids=lambda make: make.__name__)
def test_plain_text_fits_and_needs_no_terminal(make, width):
    lines = text(make(), width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("make", results.ALL, ids=lambda make: make.__name__)
def test_nothing_is_left_out(make):
    result = make()
    shown = text(result, 300)
    for run in result.runs:
        for stage in run.stages:
            figures = [wording.figure(stage), wording.limit(stage)]
            words = [stage.name, stage.state.value, *figures]
            assert re.search(".*".join(map(re.escape, filter(None, words))), shown)
    for code, message in result.declared:
        assert re.search(rf"^  {code} +{re.escape(message)}$", shown, re.M)
    for child in result.resources:
        assert re.search(rf"^  {re.escape(child.name)} .*(s|min) .*[MG]B$", shown, re.M)


def test_the_first_divergence_is_one_sentence():
    line = "first divergence: output of dense_1, before the first step: 3.1e-01; between: "
    assert f"\n{line}MaxPooling2D, Flatten\n" in text(results.diverging(), 120)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (Divergence("loss", "", (), 0, 2.5e-3), "loss, step 0: 2.5e-03"),
        (Divergence("loss", "", (), 7, math.inf), "loss, step 7: inf"),
        (Divergence("gradients", "d kernel", (), 0, 0.5), "gradients of d kernel, step 0: 5.0e-01"),
        (Divergence("predict", "", (), None, 0.1), "predict: 1.0e-01"),
        (Divergence("steps: 50 and 40 steps", "", (), None, math.inf), "steps: 50 and 40 steps"),
    ],
)
def test_divergences_in_words(found, sentence):
    assert wording.divergence(found) == sentence


def test_causes_come_with_their_rule_page():
    shown = text(results.diverging())
    assert "\n  Flatten reads the features in another order: the inputs of dense_1" in shown
    assert "\n  k2t explain K2T105\n" in shown
    assert "k2t explain \n" not in shown


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (results.agreeing, "follows Keras"),
        (results.declared, "follows Keras once the declared differences are taken out"),
        (results.diverging, "parts from Keras"),
        (results.broken, "parts from Keras"),
        (results.empty, "nothing could be compared"),
    ],
)
def test_the_verdict_is_the_last_line(make, words):
    assert text(make()).splitlines()[-1] == f"verdict: {words}"


def test_stages_that_were_not_measured_are_counted_before_the_verdict():
    assert text(results.agreeing()).splitlines()[-2] == "1 of 9 stages not measured"
    unknown = Run("as they are", (), (Stage("losses", State.UNKNOWN, note="no fit"),), ())
    last = text(results.result([unknown])).splitlines()[-2:]
    assert last == ["1 of 1 stage not measured", "verdict: nothing could be compared"]


def test_a_run_with_more_taken_out_is_not_preferred():
    """A port that follows as it is needs no excuse."""
    result = results.declared()
    clean = replace(result.runs[1], neutralised=())
    assert wording.verdict(replace(result, runs=(clean, *result.runs[1:]))) == "follows Keras"
    assert wording.decisive(result) is result.runs[1]


def test_colours_add_nothing_but_colours():
    result = results.diverging()
    coloured = show.text(result, colour=True, width=80)
    assert f"{ESCAPE}[1;31mdiffers" in coloured
    without = re.sub(rf"{ESCAPE}\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in without.splitlines()] == text(result).splitlines()


def test_a_pipe_gets_plain_text_and_a_terminal_colours(terminal, monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setenv("FORCE_COLOR", "1")
    show.show(results.diverging(), pipe)
    assert pipe.getvalue() == text(results.diverging())
    show.show(results.diverging(), terminal)
    assert terminal.getvalue() == show.text(results.diverging(), colour=True, width=90)


def test_the_user_may_switch_colours_off(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    show.show(results.diverging(), terminal)
    assert terminal.getvalue() == text(results.diverging(), 90)


def test_names_are_shown_and_not_obeyed():
    shown = text(results.hostile(), 300)
    assert "[bold]?[31m.py" in shown
    assert "as <b>they</b> are [red]" in shown


@pytest.mark.parametrize(
    ("value", "whole", "expected"),
    [
        (None, False, ""),
        (0.0, False, "0"),
        (3.14e-7, False, "3.1e-07"),
        (1.0, False, "1.0e+00"),
        (12.0, True, "12"),
        (0.5, True, "5.0e-01"),
        (math.inf, True, "inf"),
        (math.nan, False, "nan"),
    ],
)
def test_numbers(value, whole, expected):
    assert wording.number(value, whole=whole) == expected


# ------------------------------------------------------------------------------------ the progress


def test_progress_has_a_line_for_each_child(terminal):
    with show.progress(terminal) as tell:
        tell("Keras", 0, 0)

        def train(name, steps):
            for step in range(1, steps + 1):
                tell(name, step, 50)

        children = [Thread(target=train, args=pair) for pair in [("Keras", 12), ("PyTorch", 50)]]
        for child in children:
            child.start()
        for child in children:
            child.join()
    shown = terminal.getvalue()
    assert "Keras: step 12 of 50" in shown
    assert "PyTorch: step 50 of 50" in shown


def test_progress_is_silent_in_a_pipe(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    pipe = io.StringIO()
    with show.progress(pipe) as tell:
        tell("Keras", 1, 2)
    assert pipe.getvalue() == ""


def test_progress_does_not_swallow_errors(terminal):
    with pytest.raises(ZeroDivisionError), show.progress(terminal) as tell:
        tell("Keras", 1, 1 // 0)


# ------------------------------------------------------------------------------------------- JSON


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def parsed(result):
    return json.loads(result_json.text(result), parse_constant=refuse)


def build(kind, value):
    """A dataclass from what its JSON says, by the annotations of its fields."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{f.name: build(hints[f.name], value[f.name]) for f in fields(kind)})
    if isinstance(kind, GenericAlias):
        inner = get_args(kind)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(build(k, v) for k, v in zip(kinds, value, strict=True))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if value is None:
        assert type(None) in get_args(kind)
        return None
    options = get_args(kind) or (kind,)
    if float in options:
        return float(value)
    return build(options[0], value) if get_args(kind) else value


@pytest.mark.parametrize("make", results.ALL, ids=lambda make: make.__name__)
def test_json_holds_the_whole_result(make):
    result = make()
    # repr: a nan is not equal to itself
    assert repr(build(Result, parsed(result))) == repr(result)


def test_json_says_what_follows_from_the_fields():
    document = parsed(results.declared())
    assert list(document)[:5] == ["tool", "version", "format", "verdict", "agrees"]
    assert list(document)[5:] == [field.name for field in fields(Result)]
    assert document["verdict"] == "follows Keras once the declared differences are taken out"
    assert [document["agrees"], *(run["agrees"] for run in document["runs"])] == [True, False, True]


def test_json_has_strings_for_what_is_no_number():
    (curve,) = parsed(results.broken())["runs"][0]["curves"]
    assert curve["keras"][29:32] == [results.broken().runs[0].curves[0].keras[29], "inf", "nan"]
    assert curve["difference"][30:] == ["inf"] * 6


def test_json_is_for_people_too():
    lines = result_json.text(results.long()).splitlines()
    assert len(lines) < 150
    assert '          "name": "initial weights",' in lines
