"""A Result as one HTML page: curves, stages, causes; nothing is fetched, all works from a file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from k2t.verify.compare import FIRST
from k2t.verify.judge import LIMITS, Limits
from k2t.verify.result import Curve, Result
from k2t.verify.views import wording
from k2t.verify.views.curves import Chart, chart, label
from k2t.version import __version__


def html(result: Result, limits: Limits = LIMITS) -> str:
    """The page; `limits`: those the result was judged by.

    It can be read without scripts; with them, pointing at a curve shows its values.
    """
    return str(
        _template().render(
            result=result,
            wording=wording,
            draw=draw,
            label=label,
            first=FIRST,
            limits=limits,
            version=__version__,
        )
    )


def draw(curve: Curve, limits: Limits = LIMITS) -> Chart:
    """The chart of a fit, with its limits."""
    return chart(curve, FIRST, limits.first_ten, limits.floor)


@cache
def _template() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=True,
    ).get_template("page.html.j2")
