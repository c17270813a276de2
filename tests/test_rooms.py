"""The house rules, read off the imports: which room may know what (layout: README, docs)."""

import ast
import sys
from pathlib import Path

import pytest

import k2t

pytestmark = pytest.mark.quick

PACKAGE = Path(k2t.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = ("parse", "analyse", "lower", "render", "prove", "splice", "report")
VOCABULARY = ("k2t.ir", "k2t.table")
ALSO = {"analyse": ("k2t.parse.script",)}
THIRD_PARTY = {"render": {"jinja2", "black"}}
FRAMEWORKS = {"torch", "torchvision", "torchmetrics", "lightning", "keras", "tf_keras"}
FRAMEWORKS |= {"tensorflow", "numpy", "h5py"}
EXECUTED = (PACKAGE / "verify", PACKAGE / "render" / "helpers")
LONG: set[str] = set()  # may only become fewer


def imports(path: Path) -> set[str]:
    """Dotted names of all modules a file imports, inside functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            submodules = {a.name for a in node.names if is_module(f"{module}.{a.name}")}
            found.update(f"{module}.{name}" for name in submodules)
            if len(submodules) < len(node.names):
                found.add(module)
    return found


def is_module(dotted: str) -> bool:
    path = PACKAGE.parent.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == p or module.startswith(p + ".") for p in packages)


def files(room: str) -> list[Path]:
    return [p for p in FILES if p.is_relative_to(PACKAGE / room) and not executed(p)]


def executed(path: Path) -> bool:
    """Whether a file is run beside torch or Keras: a probe, or text emitted into scripts."""
    return any(path.is_relative_to(folder) for folder in EXECUTED)


def test_the_reader_of_imports_sees_modules_wherever_they_are_imported():
    assert imports(PACKAGE / "commands.py") >= {"k2t.pipeline", "k2t.report.text", "k2t.files"}
    assert imports(PACKAGE / "__main__.py") == {"sys", "os", "k2t.walk", "k2t.cli"}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_meet_only_in_the_vocabulary(room):
    allowed = (*VOCABULARY, f"k2t.{room}", *ALSO.get(room, ()))
    wrong = {
        f"{name(path)} imports {module}"
        for path in files(room)
        for module in imports(path)
        if within(module, ("k2t",)) and not within(module, allowed)
    }
    assert files(room)
    assert not wrong


def test_the_vocabulary_knows_no_room():
    for path in files("ir"):
        assert {
            m for m in imports(path) if within(m, ("k2t",)) and not within(m, VOCABULARY)
        } == set()


def test_only_rendering_needs_packages_and_only_these():
    for path in FILES:
        if executed(path):
            continue
        room = name(path).split("/")[0]
        top = {module.split(".")[0] for module in imports(path)} - {"k2t"}
        assert top - sys.stdlib_module_names <= THIRD_PARTY.get(room, set()), name(path)


def test_frameworks_are_imported_only_where_scripts_are_run():
    users = {p for p in FILES if {m.split(".")[0] for m in imports(p)} & FRAMEWORKS}
    assert users
    assert {name(p) for p in users if not executed(p)} == set()


def test_nobody_but_the_command_line_imports_verify():
    for path in FILES:
        if path.is_relative_to(PACKAGE / "verify"):
            continue
        if any(within(module, ("k2t.verify",)) for module in imports(path)):
            assert name(path) == "cli.py"
            top = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ImportFrom)]
            assert not [n for n in top if (n.module or "").startswith("k2t.verify")]


def test_only_the_pipeline_knows_the_order_of_the_rooms():
    transforming = ("k2t.analyse", "k2t.lower", "k2t.render", "k2t.prove", "k2t.splice")
    for path in FILES:
        used = {p for p in transforming for m in imports(path) if within(m, (p,))}
        own = {f"k2t.{name(path).split('/')[0]}"}
        assert not used - own or name(path) == "pipeline.py" or executed(path), name(path)


def test_files_fit_in_a_head():
    long = {name(p) for p in FILES if len(p.read_text(encoding="utf-8").splitlines()) > 400}
    assert long - LONG == set(), "longer than 400 lines"
    assert LONG - long == set(), "no longer long: take it off the list"
