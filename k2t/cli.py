"""The command line: what can be asked of k2t, and how."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from k2t.commands import check, migrate
from k2t.version import __version__

DIALECTS = ("keras2", "tf_keras", "keras3")
FIDELITIES = ("plain", "faithful", "exact")

EXIT_CODES = """\
exit status:
  0  all migrated, or nothing to migrate
  1  something is left to you (check: there is Keras training code)
  2  bad usage, or a file could not be read, parsed or written"""


def main(argv: list[str]) -> int:
    """Run a command; returns the exit status."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names need not fit the terminal's encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader (head, a pager) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    return status


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="k2t",
        description="Turns Keras training scripts into PyTorch Lightning scripts.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"k2t {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        summary = (run.__doc__ or "").splitlines()[0]
        made = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run, parser=made)
        return made

    for name, run in (("migrate", migrate), ("check", check)):
        sub = command(name, run)
        sub.add_argument(
            "paths", nargs="+", metavar="PATH", help="a script, a folder, or - (stdin)"
        )
        sub.add_argument("--dialect", choices=DIALECTS, help="which Keras (default: inferred)")
        sub.add_argument("--report", metavar="FILE.json", help="write the findings as JSON")
        if run is migrate:
            migrate_options(sub)
    verify_options(command("verify", verify))
    weights_options(command("weights", weights))
    command("explain", explain).add_argument("code", metavar="CODE", help="such as K2T301")
    command("rules", rules)
    return parser


def migrate_options(sub: argparse.ArgumentParser) -> None:
    where = sub.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        dest="output",
        metavar="OUT",
        help="file or folder, - for stdout (default: beside the script)",
    )
    where.add_argument("--in-place", action="store_true", help="overwrite the script itself")
    sub.add_argument("--diff", action="store_true", help="print a diff, write nothing")
    sub.add_argument("--force", action="store_true", help="overwrite an existing output")
    sub.add_argument(
        "--fidelity",
        choices=FIDELITIES,
        default="faithful",
        help="how far Keras is followed where torch differs (default: %(default)s)",
    )


def verify_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("script", metavar="KERAS_SCRIPT", help="the Keras training script")
    sub.add_argument(
        "port",
        nargs="?",
        metavar="PORT",
        help="its Lightning script (default: the script is migrated first); or FILE.py:Class, a "
        "LightningModule or nn.Module that is trained on the script's batches",
    )
    sub.add_argument("--steps", type=whole, default=50, metavar="N", help="the most a fit takes")
    sub.add_argument("--epochs", type=whole, metavar="E", help="the most a fit takes")
    sub.add_argument(
        "--data",
        choices=("real", "synthetic"),
        default="real",
        help="synthetic: small stand-ins for data sets that would have to be downloaded",
    )
    sub.add_argument(
        "--tolerance", type=float, metavar="T", help="of the first ten losses (default: 1e-5)"
    )
    sub.add_argument("--float64", action="store_true", help="compute both in double precision")
    sub.add_argument("--dialect", choices=DIALECTS, help="which Keras (default: inferred)")
    sub.add_argument(
        "--keras",
        metavar="ENGINE",
        help="what runs the script: keras3, tf_keras, or a .py file whose load() returns keras",
    )
    sub.add_argument("--arguments", default="", metavar="ARGS", help="of both scripts, as a text")
    sub.add_argument("--json", metavar="FILE", help="write every figure")
    sub.add_argument("--html", metavar="FILE", help="write one page with the curves")
    sub.add_argument(
        "--timeout", type=float, default=600, metavar="S", help="seconds a child (%(default)s)"
    )
    hand = sub.add_argument_group("a port that is FILE.py:Class")
    hand.add_argument("--loss", metavar="LOSS", help='of an nn.Module: "CrossEntropyLoss()"')
    hand.add_argument("--optimizer", metavar="OPT", help='of an nn.Module: "Adam(lr=1e-3)"')
    hand.add_argument("--channels-first", action="store_true", help="its images are (N, C, H, W)")
    sub.epilog = """\
exit status:
  0  the port follows Keras, declared differences aside
  1  it does not
  2  it could not be found out: one sentence says why"""


def whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def verify(arguments: argparse.Namespace) -> int:
    """Run a Keras script and its port side by side, and tell where they part."""
    try:
        from k2t.verify.verify_command import verify as run
    except ModuleNotFoundError as error:
        print(f"k2t: verify needs {error.name}: pip install 'k2t[verify]'", file=sys.stderr)
        return 2
    return run(arguments)


def weights_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("source", metavar="SOURCE", help="a .keras, .h5 or .weights.h5 file")
    sub.add_argument(
        "--script", required=True, metavar="MIGRATED.py:Class", help="the class that takes them"
    )
    sub.add_argument(
        "-o", dest="output", required=True, metavar="OUT", help="OUT.pt or OUT.safetensors"
    )
    sub.add_argument("--force", action="store_true", help="overwrite an existing output")
    sub.epilog = """\
exit status:
  0  done
  1  the weights do not fit the class
  2  bad usage, a file that cannot be read or written, or a missing package"""


def weights(arguments: argparse.Namespace) -> int:
    """Turn the weights of a saved Keras model into a state dict of the migrated class."""
    from k2t.verify.weights_command import weights as run

    return run(arguments)


def explain(arguments: argparse.Namespace) -> int:
    """Print the page of a finding code."""
    from k2t.resources import folder

    page = folder("rules") / f"{os.path.basename(arguments.code).upper()}.md"
    if not page.is_file():
        print(f"k2t: there is no page on {arguments.code}", file=sys.stderr)
        return 2
    print(page.read_text(encoding="utf-8").rstrip())
    return 0


def rules(arguments: argparse.Namespace) -> int:
    """List the rule rows: section, name, Keras name, what it becomes."""
    from k2t.table import load

    for section, rows in load().rows.items():
        for name, row in rows.items():
            target = next((row.data[key] for key in TARGETS if key in row.data), "")
            print(
                f"{section:14} {name:32} {row.keras[0] if row.keras else '':48} {target}".rstrip()
            )
    return 0


TARGETS = ("torch", "module", "call", "object", "penalty", "helper", "lower")
