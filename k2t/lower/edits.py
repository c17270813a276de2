"""What the edits of a script are gathered in, and how data reaches the model."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.program import Program, Use
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit, ModuleClass
from k2t.ir.values import Arg, Array, Const, Instance, ListRef, Tuple, Value
from k2t.lower import text as t
from k2t.lower.model import Draft
from k2t.lower.ops import Context

IGNORED = {"verbose", "workers", "use_multiprocessing", "max_queue_size"}


@dataclass
class Edits:
    """What lowering the uses has produced so far."""

    program: Program
    ctx: Context
    drafts: dict[int, Draft]
    classes: Mapping[int, ModuleClass]
    edits: list[Edit] = field(default_factory=list)
    removed: list[Span] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    training: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    data_uses: list[Span] = field(default_factory=list)
    fed: set[frozenset[str]] = field(default_factory=set)
    trainers: list[Use] = field(default_factory=list)
    inserted: list[tuple[Span, Code]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    left_out: set[Span] = field(default_factory=set)
    classes_of: dict[Span, str | None] = field(default_factory=dict)
    predicted: set[int] = field(default_factory=set)  # models that a Trainer predicts with

    def note(self, code_: str, severity: Severity, message: str, span: Span) -> None:
        finding = Finding(code_, severity, message, span)
        if finding not in self.findings:
            self.findings.append(finding)

    def name(self, wanted: str) -> str:
        """A name for a variable of ours that the script does not use."""
        if wanted not in self.names:
            chosen = wanted
            while chosen in self.program.bound_names:
                chosen += "_"
            self.names[wanted] = chosen
        return self.names[wanted]

    def draft(self, use: Use) -> Draft:
        """The model a use is about.

        Raises:
            NotMigrated: it was not migrated itself.
        """
        for model in use.models:
            if model in self.drafts:
                return self.drafts[model]
        raise NotMigrated("K2T903", "its model is not migrated", use.call)


def is_sequence(value: Value) -> bool:
    return isinstance(value, Instance) and value.keras_base in (
        "keras.utils.PyDataset", "keras.utils.Sequence",
    )  # fmt: skip


def float_input(draft: Draft) -> bool:
    """Whether the model's first layer wants floats (an Embedding wants integers)."""
    first = draft.model.body[0] if draft.model.body else None
    layer = first.node.layer if first is not None and hasattr(first, "node") else None
    return layer is None or layer.row != "Embedding"


def cast(edits: Edits, value: Value, span: Span, floats: bool) -> Code:
    """An input array in the dtype the model wants, cast where the data enters."""
    dtype = value.dtype if isinstance(value, Array) else None
    wanted = "float32" if floats else "int64"
    fine = ("float32",) if floats else ("int32", "int64")
    if dtype in fine:
        return (span,)
    if isinstance(value, Array) and dtype is not None and dtype != "object":
        return code(method_base(edits, span), f'.astype("{wanted}")')
    return code("np.asarray(", span, f', dtype="{wanted}")')


def method_base(edits: Edits, span: Span) -> Code:
    """An expression a method can be called on."""
    shown = ast.parse(f"({edits.program.source.slice(span)})", mode="eval").body
    primary = isinstance(shown, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    return (span,) if primary else ("(", span, ")")


def target(value: Value, span: Span) -> Code:
    """Targets: arrays as they are, anything else made an array."""
    return (
        (span,)
        if isinstance(value, Array | ListRef) and not is_list(value)
        else code("np.asarray(", span, ")")
    )


def is_list(value: Value) -> bool:
    return isinstance(value, ListRef) and value.kind == "list"


def need(use: Use, name: str) -> Arg:
    if name not in use.args or use.args[name].span is None:
        raise NotMigrated("K2T600", f"{use.kind} without {name} is not carried over", use.call)
    return use.args[name]


def batch_option(use: Use, name: str = "batch_size") -> list[Code]:
    arg = use.args.get(name)
    if arg is None or arg.span is None or t.is_none(arg.value):
        return []
    if isinstance(arg.value, Const) and arg.value.expr is not None and arg.value.expr.text == "32":
        return []
    return [code("batch_size=", arg.span)]


def emit_before(edits: Edits, use: Use, helper: str, name: str) -> str:
    """Emit a class before an object of it is made: with the model, or with the data before it."""
    models = [(m.model.anchor or m.model.span).start for m in edits.drafts.values()]
    first = min(models, default=use.stmt.end)
    chosen = edits.name(name)
    if use.stmt.start < first or helper in edits.data:
        edits.data[helper] = chosen
        edits.data_uses.append(use.stmt)
        edits.training.pop(helper, None)
    else:
        edits.training[helper] = chosen
    return chosen


def weight_parts(edits: Edits, use: Use, y: Arg | None) -> Code | None:
    """class_weight and sample_weight both become one weight a sample, a third array."""
    sample, by_class = use.args.get("sample_weight"), use.args.get("class_weight")
    if sample is not None and not t.is_none(sample.value) and sample.span is not None:
        note_zeros(edits, "sample_weight", sample.span)
        return cast(edits, sample.value, sample.span, True)
    if by_class is None or t.is_none(by_class.value) or by_class.span is None:
        return None
    if y is None or y.span is None:
        raise NotMigrated("K2T605", "class_weight needs the targets as an array", use.call)
    edits.training["class_weights"] = edits.name("class_weights")
    if re.search(r":\s*0(\.0*)?\s*[,}]", edits.program.source.slice(by_class.span)):
        note_zeros(edits, "class_weight", by_class.span)
    return code(edits.name("class_weights"), "(", by_class.span, ", ", y.span, ")")


def note_zeros(edits: Edits, name: str, span: Span) -> None:
    """What versions of Keras 2 make of weights of 0."""
    if edits.program.dialect == "keras2":
        why = "up to Keras 2.2 a batch's loss is divided by the number of weights that are not 0"
        edits.note("K2T732", Severity.WARNING, f"{name}: {why}, since 2.3 by that of rows", span)


def with_weights(made: Code, weights: Code | None) -> Code:
    """Put the weights in as the third array of ``make_loader(x, y, ...)``."""
    if weights is None:
        return made
    if isinstance(made[0], str) and made[0].startswith("DataLoader"):
        raise NotMigrated("K2T605", "class_weight with a Sequence is not carried over")
    for i, part in enumerate(made):
        if isinstance(part, str) and (
            part.startswith("batch_size=") or part.startswith("shuffle=")
        ):
            return code(made[:i], weights, ", ", made[i:])
    return code(made[:-1], ", ", weights, ")")


def check_rest(use: Use, carried: set[str]) -> None:
    for name, arg in use.args.items():
        if name in carried or name in IGNORED or arg.span is None or t.is_none(arg.value):
            continue
        if name == "callbacks" and isinstance(arg.value, Tuple) and not arg.value.items:
            continue
        raise NotMigrated("K2T703", f"{use.kind}({name}=...) is not carried over", arg.span)
