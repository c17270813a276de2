"""The page: its geometry, its markup, and what a browser makes of it."""

import json
import math
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from k2t.verify.compare import compare_fits
from k2t.verify.judge import Limits
from k2t.verify.recording import Fit
from k2t.verify.result import Curve
from k2t.verify.views import curves, page, wording
from tests.verify import results

TEMPLATE = Path(page.__file__).with_name("page.html.j2").read_text(encoding="utf-8")
quick = pytest.mark.quick
every = pytest.mark.parametrize("make", results.ALL, ids=lambda make: make.__name__)


# ---------------------------------------------------------------------------------------- geometry


def places(line):
    """The points of a line, (x, y) in the square, from left to right."""
    found = re.findall(r"[ML]([\d.e+-]+) ([\d.e+-]+)", line.path + line.points)
    return sorted((float(x), float(y)) for x, y in found)


@quick
def test_differences_are_those_that_are_judged():
    curve = results.curve(30, apart=1e-3)
    vanished = Curve((2.0, 1.0, 1e-6), (2.1, 1.0, 2e-6), ())
    for each in (curve, vanished):
        judged = compare_fits(*(Fit(0, losses=list(side)) for side in (each.keras, each.torch)))
        assert curves.differences(each) == pytest.approx(judged.losses, rel=1e-12)


@quick
def test_a_loss_that_is_no_number_spoils_no_other_step():
    curve = Curve((1.0, math.nan, math.inf, 1.0, 2.0), (1.5, 1.0, math.inf, math.nan, 2.0), ())
    assert curves.differences(curve) == (0.5, math.inf, math.inf, math.inf, 0.0)


@quick
@every
def test_every_step_has_its_place_in_every_curve(make):
    for curve in (curve for run in make().runs for curve in run.curves):
        chart = page.draw(curve)
        lines = [*chart.losses.lines, *chart.differences.lines]
        values = {"Keras": curve.keras, "PyTorch": curve.torch, "control": curve.control}
        values["difference"] = curves.differences(curve)
        assert {line.name for line in lines} == {name for name in values if values[name]}
        for line in lines:
            here = [step for step in chart.steps if step < len(values[line.name])]
            assert len(line.values) == len(chart.places) == len(chart.steps)
            assert len(places(line)) == len(here)
            shown = [float(value) for value in line.values if value]
            expected = [values[line.name][step] for step in here]
            assert shown == pytest.approx(expected, rel=0.06, nan_ok=True)
            assert all(0 <= y <= curves.SIDE for _, y in places(line))


@quick
def test_larger_is_higher():
    chart = page.draw(Curve((4.0, 3.0, 2.0), (4.0, 3.0001, 2.1), (1e-7, 1e-6, 1e-5)))
    keras = places(chart.losses.lines[0])
    assert [x for x, _ in keras] == [0, 500, 1000]
    heights = [1000 - y for _, y in keras]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.1)
    control, difference = (places(line) for line in chart.differences.lines)
    rise = [a[1] - b[1] for a, b in pairwise(control)]
    assert rise[0] == pytest.approx(rise[1], rel=1e-3)
    assert difference[0] == (0, 1000)  # no difference: under the axis
    assert difference[1][1] > difference[2][1]


@quick
def test_losses_over_decades_have_a_logarithmic_axis():
    assert not curves.loss_scale([1.0, 90.0]).log
    assert curves.loss_scale([1.0, 110.0]).log
    assert not curves.loss_scale([-1.0, 0.0, 110.0]).log


@quick
def test_thinning_keeps_what_stands_out():
    values = [1.0] * 50_000
    values[12_345], values[23_456], values[34_567] = 7.0, -7.0, math.nan
    steps = curves.thin(50_000, [values])
    assert {0, 12_345, 23_456, 34_567, 49_999} <= set(steps)
    assert len(steps) <= 2 * curves.MOST + 4
    assert curves.thin(600, [values]) == tuple(range(600))


@quick
@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 2.4, ["0", "0.5", "1", "1.5", "2"]), (0.693, 0.695, ["0.693", "0.6935", "0.694"])],
)
def test_ticks_of_a_linear_axis_are_round(low, high, expected):
    labels = [curves.label(value) for value in curves.nice_ticks(low, high)]
    assert labels[: len(expected)] == expected
    assert 4 <= len(labels) <= 6


@quick
def test_ticks_of_a_logarithmic_axis_are_decades():
    def labels(low, high):
        return [curves.label(value) for value in curves.log_ticks(low, high)]

    assert labels(1e-8, 1e-3) == ["1e-8", "1e-7", "1e-6", "1e-5", "1e-4", "1e-3"]
    assert labels(1e-12, 1e4) == ["1e-12", "1e-9", "1e-6", "1e-3", "1", "1000"]
    assert labels(0.3, 70.0) == ["1", "10"]


@quick
@pytest.mark.parametrize("total", [1, 2, 7, 50, 999, 50_000])
def test_ticks_of_steps_are_steps(total):
    ticks = curves.step_ticks(total)
    assert ticks[0] == 0
    assert ticks[-1] < total
    assert len(ticks) <= 7


@quick
@pytest.mark.parametrize("losses", [(0.0,) * 3, (5.0,) * 3, (-1.0,) * 3, (math.nan,) * 3, ()])
def test_losses_that_span_nothing_can_be_drawn(losses):
    chart = page.draw(Curve(losses, losses, ()))
    assert chart.losses.scale.low < chart.losses.scale.high
    assert len(places(chart.losses.lines[0])) == len(losses)


@quick
def test_the_limit_steps_up_after_the_first_ten():
    chart = page.draw(results.curve(21))
    early, late = re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", chart.differences.limit)
    assert [float(early[0]), float(early[2])] == [0, pytest.approx(475)]
    assert [float(late[0]), float(late[2])] == [pytest.approx(475), 1000]
    heights = [chart.differences.scale.height(limit) for limit in (1e-5, 1e-4)]
    assert [float(early[1]), float(late[1])] == pytest.approx([1000 - h for h in heights], abs=0.1)


@quick
def test_the_page_shows_the_limits_it_is_given():
    result = results.agreeing()
    shown = page.html(result, Limits(first_ten=1e-3, floor=1e-2, factor=7))
    (path,) = re.findall(r'class="limit" d="(M0 [^"]*)"', shown)
    (curve,) = result.runs[0].curves
    assert path == curves.chart(curve, 10, 1e-3, 1e-2).differences.limit
    assert path not in page.html(result)
    assert "Limit: 1e-3 in the first 10 steps, then 0.01,\nor 7 times the control" in shown


# ------------------------------------------------------------------------------------------ markup


class Reader(HTMLParser):
    """Counts elements, collects attributes and text; text of scripts and styles apart."""

    VOID = ("meta", "link", "br", "img", "hr")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words, self.code = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        (self.code if inside in ("script", "style") else self.words).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@quick
@every
def test_the_page_says_all_without_scripts(make):
    result = make()
    reader = Reader(page.html(result))
    assert reader.open == []
    words = wording.verdict(result)
    assert words[0].upper() + words[1:] in reader.text
    for run in result.runs:
        for stage in run.stages:
            figures = [wording.figure(stage), wording.limit(stage)]
            row = [stage.name, stage.note, stage.state.value, *figures]
            assert re.search(".*".join(map(re.escape, filter(None, row))), reader.text)
    for code, message in result.declared:
        assert f"{code} {message}" in reader.text
    for cause in result.causes:
        assert cause.title in reader.text
        assert cause.evidence in reader.text
    if result.divergence:
        assert wording.divergence(result.divergence) in reader.text
    assert reader.tags.count("figure") == sum(len(run.curves) for run in result.runs)
    assert reader.tags.count("svg") >= 2 * reader.tags.count("figure")
    assert reader.tags.count("title") == reader.tags.count("desc") + 1


@quick
@every
def test_the_page_fetches_nothing(make):
    reader = Reader(page.html(make()))
    assert not {"link", "img", "iframe", "object", "use", "image"} & set(reader.tags)
    assert not {"src", "href", "srcset", "xlink:href"} & {name for name, _ in reader.attributes}
    policies = [value for name, value in reader.attributes if name == "content"]
    assert any(policy.startswith("default-src 'none';") for policy in policies)
    assert not re.search(r"url\(|@import|https?:|fetch\(|XMLHttp", "".join(reader.code))


@quick
def test_names_are_text_and_nothing_else():
    hostile, tame = (Reader(page.html(make())) for make in (results.hostile, results.agreeing))
    assert hostile.tags.count("script") == tame.tags.count("script")
    assert hostile.tags.count("b") == tame.tags.count("b")
    assert "img" not in hostile.tags
    assert results.hostile().script in " ".join(hostile.words)


@quick
def test_the_page_stays_small():
    assert len(page.html(results.long())) < 400_000


def contrast(a, b):
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted(luminance(colour) for colour in (a, b))
    return (high + 0.05) / (low + 0.05)


def palette(block):
    found = re.findall(r"--(\w+): (#\w+)", block)
    long = {name: re.sub(r"^#(.)(.)(.)$", r"#\1\1\2\2\3\3", value) for name, value in found}
    return {
        name: tuple(int(value[i : i + 2], 16) / 255 for i in (1, 3, 5))
        for name, value in long.items()
    }


@quick
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_from_the_page(scheme):
    colours = palette(re.findall(r":root \{(.*?)\}", TEMPLATE, re.S)[scheme])
    paper = colours["page"]
    share = float(re.search(r"\.Keras \{.*opacity: ([\d.]+)", TEMPLATE)[1])
    pairs = zip(colours["keras"], paper, strict=True)
    colours["keras"] = tuple(share * c + (1 - share) * p for c, p in pairs)
    for name in ("text", "soft", "good", "bad"):
        assert contrast(colours[name], paper) >= 4.5, name
    assert contrast(colours["text"], colours["code"]) >= 4.5
    for name in ("keras", "torch", "control", "limit"):
        assert contrast(colours[name], paper) >= 3, name


# --------------------------------------------------------------------------------------- a browser

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]

# put at the end of the page: points at the last step and writes down what is to be seen
PROBE = """<script>
const seen = [...document.querySelectorAll("figure")].map(figure => {
  const plots = [...figure.querySelectorAll(".plot")];
  const box = plots[0].getBoundingClientRect();
  const before = figure.offsetHeight;
  const where = {clientX: box.right, clientY: box.top + 5};
  plots[0].dispatchEvent(new PointerEvent("pointermove", where));
  const readings = [...figure.querySelectorAll("[data-series]")];
  const inside = [...figure.querySelectorAll(".plot path:not(.grid)")].map(path => {
    const drawn = path.getBoundingClientRect();
    const plot = path.ownerSVGElement.getBoundingClientRect();
    return [path.getAttribute("class"), drawn.width / plot.width];
  });
  const cursors = [...figure.querySelectorAll(".cursor")];
  return {
    at: figure.querySelector(".at").textContent,
    readings: Object.fromEntries(readings.map(b => [b.dataset.series, b.textContent])),
    cursors: cursors.map(c => (c.getBoundingClientRect().left - box.left) / box.width),
    inside,
    grown: figure.offsetHeight - before,
  };
});
document.documentElement.dataset.seen = JSON.stringify(seen);
document.documentElement.dataset.wide =
  document.documentElement.scrollWidth - document.documentElement.clientWidth;
</script>"""


@pytest.fixture
def browse(tmp_path):
    """Opens a text as a page; gives what chromium writes to stdout."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium on PATH")

    def browse(text, *options):
        path = tmp_path / "page <&> 'of' a result.html"
        path.write_text(text, encoding="utf-8")
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [browser, *OPTIONS, profile, *options, path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return browse


def attribute(dom, name):
    """A data attribute of the document's element, None if it has not got it."""
    found = re.search(rf'<html [^>]*data-{name}="([^"]*)"', dom)
    return found and unescape(found[1])


@every
@pytest.mark.parametrize("width", [500, 1200])
def test_a_browser_draws_the_curves(make, width, browse):
    result = make()
    fits = [curve for run in result.runs for curve in run.curves]
    text = page.html(result).replace("</body>", PROBE + "</body>")
    dom = browse(text, f"--window-size={width},900", "--dump-dom")
    assert attribute(dom, "charts") == str(len(fits))  # set by the last line of the script
    assert attribute(dom, "wide") == "0"  # nothing sticks out of a narrow window
    seen = json.loads(attribute(dom, "seen"))
    assert len(seen) == len(fits)
    for curve, figure in zip(fits, seen, strict=True):
        chart = page.draw(curve)
        lines = [*chart.losses.lines, *chart.differences.lines]
        assert figure["at"] == f"step {chart.total - 1}"
        assert figure["grown"] == 0  # the values have their place
        assert figure["readings"] == {line.name: line.values[-1] for line in lines}
        assert figure["cursors"] == pytest.approx([chart.places[-1] / 1000] * 2, abs=0.005)
        drawn = dict(figure["inside"])
        for line in lines:
            if line.path:
                xs = [float(x) for x in re.findall(r"[ML]([\d.e+-]+) ", line.path)]
                assert drawn[line.name] == pytest.approx((xs[-1] - xs[0]) / 1000, abs=0.03)
            assert (f"{line.name} point" in drawn) == bool(line.points)


def test_a_page_that_is_broken_is_not_called_checked(browse):
    """What the test above relies on: an error keeps the mark away."""
    text = page.html(results.agreeing())
    broken = re.sub(r'"steps": \[0, ', '"steps": [', text)
    assert broken != text
    assert attribute(browse(broken, "--dump-dom"), "charts") is None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_screenshot_shows_both_curves(browse, tmp_path, dark):
    from matplotlib.image import imread

    shot = tmp_path / "shot.png"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    browse(page.html(results.diverging()), "--window-size=1200,900", scheme, f"--screenshot={shot}")
    pixels = imread(shot)[..., :3]
    assert pixels.shape[:2] == (900, 1200)
    colours = palette(re.findall(r":root \{(.*?)\}", TEMPLATE, re.S)[dark])
    assert pixels[0, 0] == pytest.approx(colours["page"], abs=0.01)
    blank = (abs(pixels - pixels[0, 0]).max(axis=2) < 0.02).mean()
    assert 0.5 < blank < 0.97
    orange = (abs(pixels - colours["torch"]).max(axis=2) < 0.1).sum()
    blue = (pixels[..., 2] - pixels[..., 0] > 0.3).sum()
    assert orange > 400
    assert blue > 1500
