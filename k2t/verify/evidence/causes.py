"""Why two programs part: settings that differ, and mistakes whose numbers are the port's numbers.

Each test is a function of one fit, on both sides, that gives causes with their evidence. What a
test computes from Keras's recording and finds again in the port counts most, then a setting that
differs where the programs part, then one that differs elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from k2t.verify.evidence import codes, layers, training
from k2t.verify.evidence.case import Case, Found
from k2t.verify.evidence.initial import initial_values
from k2t.verify.result import Cause, Divergence
from k2t.verify.run import Comparison

TESTS: tuple[Callable[[Case], Iterator[Found]], ...] = (  # in the order of a program
    layers.channels_by_view,
    layers.padding_in_front,
    layers.batch_first,
    layers.flatten_order,
    layers.batchnorm,
    layers.epsilon_of_norms,
    training.activation_twice,
    training.target_broadcast,
    training.loss_by_a_factor,
    layers.second_bias,
    training.adam_epsilon,
    training.optimizer_settings,
    training.macro_average,
    training.epoch_mean,
    training.eval_forgotten,
)


def causes(
    comparison: Comparison, divergence: Divergence, port_text: str, most: int = 5
) -> tuple[Cause, ...]:
    """Likely reasons of a divergence, the likeliest first; at most `most`, each title once."""
    keras, port, report = comparison.keras, comparison.torch, comparison.report
    found: list[Found] = []
    for a, b, fit in zip(keras.fits, port.fits, report.fits, strict=False):
        case = Case(a, b, fit, divergence, port_text)
        for test in TESTS:
            # arrays of shapes that nobody thought of are no evidence
            with suppress(ArithmeticError, LookupError, TypeError, ValueError):
                found += test(case)
    found += initial_values(keras, port, report)
    place = divergence.layer.split(" ")[0] or divergence.stage

    def weight(item: Found) -> tuple[int, bool]:
        return item[0], place in item[1].evidence.replace(":", " ").split()

    ranked = sorted(found, key=weight, reverse=True)  # ties stay in the program's order
    named: dict[str, Cause] = {}
    for _, cause in ranked:
        named.setdefault(cause.title, cause)
    return tuple(named.values())[:most]


# ------------------------------------------------------------------------------- ports that raise

LONG = "class numbers must be int64 (long), without an axis of length one"
DOUBLE = "float64 arrays: Keras casts them to float32, torch does not"

# what the last lines of a traceback say, the cause, its page
FAILURES: tuple[tuple[str, str, str], ...] = (
    (r"expected scalar type Long but found \w+", LONG, codes.LABELS),
    (r"expected target dtype to be Long or Byte, but got \w+", LONG, codes.LABELS),
    (r"0D or 1D target tensor expected, multi-target not supported", LONG, codes.LABELS),
    (
        r"Expected floating point type for target with class probabilities, got \w+",
        LONG,
        codes.LABELS,
    ),
    (r"tensors used as indices must be long.*", LONG, codes.LABELS),
    (r".*not implemented for '(Int|Char|Byte|Short)'", LONG, codes.LABELS),
    (r"mat1 and mat2 must have the same dtype, but got Double and Float", DOUBLE, codes.DOUBLE),
    (r"expected scalar type \w+ but found Double", DOUBLE, codes.DOUBLE),
    (r"expected scalar type Double but found \w+", DOUBLE, codes.DOUBLE),
    (r"Found dtype Double but expected Float", DOUBLE, codes.DOUBLE),
    (r"Input type \(double\) and (weight|bias) type.*", DOUBLE, codes.DOUBLE),
    (r"input must have the type torch.float32, got type torch.float64", DOUBLE, codes.DOUBLE),
    (
        r".*expected input\[.*\] to have \d+ channels, but got \d+ channels instead",
        "channels last: torch's convolutions want the channels first (permute)",
        codes.CHANNELS,
    ),
    (
        r"padding='same' is not supported for strided convolutions",
        'padding="same" with strides: torch has none; pad by hand, more on the far side',
        codes.PADDING,
    ),
    (
        r"Using a target size .* that is different to the input size .*",
        "target broadcast: (n, 1) against (n,)",
        codes.BROADCAST,
    ),
    (
        r"Target size .* must be the same as input size .*",
        "target and output have other shapes: (n,) against (n, 1)",
        codes.BROADCAST,
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied .*",
        "a Linear layer of another width than what it gets: Flatten, or the order of axes",
        codes.FLATTEN,
    ),
    (
        r"input.size\(-1\) must be equal to input_size.*",
        "a recurrent layer of another width than what it gets: the order of axes",
        codes.BATCH_FIRST,
    ),
    (
        r"Target \d+ is out of bounds",
        "class numbers beyond the number of outputs",
        codes.LABELS,
    ),
)


def causes_of_failure(message: str) -> tuple[Cause, ...]:
    """Likely reasons why a port raised; message: the end of its stderr."""
    named: dict[str, Cause] = {}
    for pattern, title, code in FAILURES:
        found = re.search(pattern, message)
        if found:
            named.setdefault(title, Cause(title, code, found[0].strip()))
    return tuple(named.values())
