"""Which Keras a script was written for: keras2 (standalone, up to 2.3), tf_keras (2.x), keras3."""

from __future__ import annotations

import ast

from k2t.table import Table

DIALECTS = ("keras2", "tf_keras", "keras3")


def told(table: Table, dialect: str, kind: str) -> frozenset[str]:
    """The spellings of a kind by which a dialect is known (``tells`` in rules/dialects.toml)."""
    tells = (row.data["tells"].get(dialect, {}) for row in table.section("dialects").values())
    return frozenset(word for one in tells for word in one.get(kind, ()))


def spelled(table: Table, section: str) -> frozenset[str]:
    """The names of a section's classes, without where they are."""
    rows = table.section(section).values()
    return frozenset(path.rpartition(".")[2] for row in rows for path in row.keras)


def infer(tree: ast.Module, table: Table) -> str:
    """The dialect by the script's imports and spellings.

    ``tensorflow.keras`` means tf.keras 2.x unless Keras 3 names are used; standalone ``keras``
    means Keras 3 unless something is spelled as only Keras 2 had it, or ``print_function`` is
    imported from ``__future__`` (a script of the Python 2 years). Arguments tell of what is called:
    ``lr`` of an optimizer, ``output_dim`` of a layer, which Embedding has to this day.
    """
    tf, old, new = False, False, False
    old_modules, old_names = (told(table, "keras2", kind) for kind in ("modules", "names"))
    old_arguments = (
        (told(table, "keras2", "arguments"), None),
        (told(table, "keras2", "optimizer_arguments"), spelled(table, "optimizers")),
        (told(table, "keras2", "layer_arguments"), spelled(table, "layers") - {"Embedding"}),
    )
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    renamed = {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    new_modules, new_attributes = (told(table, "keras3", k) for k in ("modules", "attributes"))
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                modules = [a.name for a in aliases]
            case ast.ImportFrom(module=str(module), names=aliases):
                modules = [module, *(f"{module}.{a.name}" for a in aliases)]
                if module == "__future__" and any(a.name == "print_function" for a in aliases):
                    old = True
            case ast.Attribute(attr=attr, value=value):
                modules = []
                if attr in old_names:
                    old = True
                if attr in new_attributes and isinstance(value, ast.Name) and value.id == "keras":
                    new = True
            case ast.Name(id=name):
                modules = []
                old = old or name in old_names
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called), keywords=[_, *_] as keywords
            ):
                modules = []
                called = renamed.get(called, called)
                given = {k.arg for k in keywords}
                old = old or any(
                    given & arguments and called not in own and (of is None or called in of)
                    for arguments, of in old_arguments
                )
            case _:
                continue
        for module in modules:
            tf = tf or module.startswith(("tensorflow.keras", "tensorflow.python.keras"))
            tf = tf or module == "tensorflow"
            old = old or module in old_modules
            new = new or module in new_modules
    if new:
        return "keras3"
    standalone = imports_standalone(tree)
    if standalone:
        return "keras2" if old else "keras3"
    return "tf_keras" if tf else "keras3"


def imports_standalone(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(
            a.name.split(".")[0] == "keras" for a in node.names
        ):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "keras":
            return True
    return False
