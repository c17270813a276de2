"""Layers that are classes of the script become ``nn.Module``s in their place."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from k2t.ir.custom import CustomLayer, Method, Site, Widening
from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit
from k2t.ir.values import Arg, Const, Ref
from k2t.lower import text as t
from k2t.lower.activations import activation, activation_row
from k2t.lower.brackets import bracketed
from k2t.lower.custom import LayerDraft
from k2t.lower.edits import Edits
from k2t.lower.inplace import text_of
from k2t.lower.inside import BEFORE, modules
from k2t.lower.ops import dim_text
from k2t.lower.own import CODE, LOGGED, WIDTH
from k2t.lower.parameters import initializer

FILLED = {"nn.init.zeros_({p})": "torch.zeros", "nn.init.ones_({p})": "torch.ones"}
SYMMETRIC = ("nn.init.xavier_uniform_(", "nn.init.xavier_normal_(", "glorot_normal_(")
"""Starts by the sum of both fans, which torch finds in a kernel of Keras's layout as well."""
FANS = ("nn.init.kaiming", "he_normal_(", "lecun_", "variance_scaling_(")


def edit_layers(edits: Edits) -> None:
    """The edits that make modules of the classes."""
    for found in edits.ctx.layers.values():
        try:
            edit_layer(edits, found)
        except NotMigrated as error:
            at = error.span or found.layer.span
            edits.note(error.code, Severity.ERROR, error.message, at)


def edit_layer(edits: Edits, found: LayerDraft) -> None:
    layer = found.layer
    for base in layer.bases:
        edits.edits.append(Edit(base, ("nn.Module",)))
    for call in layer.parents:
        text = edits.program.source.slice(call)
        edits.edits.append(
            Edit(call, (without_star(text) if layer.inherits else "super().__init__()",))
        )
    edits.removed += layer.gone
    if layer.call is not None:
        edits.edits.append(Edit(layer.call.name, ("forward",)))
        signature(edits, layer.call, None)
    if layer.init is not None:
        signature(edits, layer.init, found.takes)
    if layer.build is not None:
        merge_build(edits, layer, layer.build, found.takes)
    if not layer.whole:
        for width in layer.widths:
            edits.edits.append(Edit(width, (WIDTH,)))
    for read in layer.phases:
        edits.edits.append(Edit(read, ("self.training",)))
    for span in layer.lists:
        empty = edits.program.source.slice(span) == "[]"
        made = code("nn.ModuleList()") if empty else code("nn.ModuleList(", span, ")")
        edits.edits.append(Edit(span, made))
    make_masks(edits, layer)
    for site in layer.sites:
        edit_site(edits, site)
        if site.loop is not None and site.width is None:
            edit_loop(edits, layer, site.loop)
    for whole, value in layer.losses:
        start, end = Span(whole.start, value.start), Span(value.end, whole.end)
        edits.edits += [Edit(start, ("self.added_loss = ",)), Edit(end, ("",))]
    for whole, value, name in layer.metrics:
        start, end = Span(whole.start, value.start), Span(value.end, whole.end)
        edits.edits += [Edit(start, (f"self.{LOGGED}{name} = ",)), Edit(end, ("",))]
    gone = sorted(
        {name for name in layer.methods if name in ("get_config", "compute_output_shape")}
    )
    if gone:
        what = f"torch does not ask a layer for {' and '.join(gone)}"
        edits.note("K2T161", Severity.INFO, what, layer.span)


def without_star(text: str) -> str:
    """A call without ``**kwargs``."""
    head, star, _ = text.partition("**")
    return f"{head.rstrip(', ')})" if star else text


def signature(edits: Edits, method: Method, takes: str | None) -> None:
    source = edits.program.source
    wanted = ["self", *([takes] if takes else []), *method.kept]
    if method.gives is not None:
        edits.edits.append(Edit(method.gives, ("",)))
    text = ", ".join(wanted)
    if " ".join(source.slice(method.arguments).split()) != text:
        edits.edits.append(Edit(method.arguments, (text,)))


def merge_build(edits: Edits, layer: CustomLayer, build: Method, takes: str | None) -> None:
    """``build`` goes on where ``__init__`` ends."""
    text = edits.program.source.text
    indent = " " * (edits.program.source.column_of(build.first.start) - 1)
    if layer.init is None:
        edits.edits.append(Edit(build.name, ("__init__",)))
        edits.edits.append(
            Edit(build.arguments, (", ".join(["self", *([takes] if takes else [])]),))
        )
        start = (f"\n{indent}super().__init__()\n{indent}",)
        edits.edits.append(Edit(Span(build.header, build.first.start), start))
        return
    end = text.index("\n", layer.init.last.end)
    between = text[layer.init.span.end : build.span.start].strip()
    if between:
        raise NotMigrated(
            CODE, f"{layer.name}: something stands between __init__ and build", build.span
        )
    edits.edits.append(Edit(Span(end, build.first.start), (f"\n{indent}",)))


def edit_loop(edits: Edits, layer: CustomLayer, loop: Widening) -> None:
    """``for width in widths`` around layers: the width before goes along."""
    first = str(dim_text(loop.first))
    if not layer.whole:
        first = first.replace(f"{layer.shape}[-1]", WIDTH)
    if loop.statement is not None and loop.last is not None:
        column = edits.program.source.column_of(loop.last.start) - 1
        start = (loop.statement, (f"{BEFORE} = {first}",))
        end = after(edits, loop.last, f"{' ' * column}{BEFORE} = {loop.variable}\n")
        if start not in edits.inserted and any(s == loop.statement for s, _ in edits.inserted):
            raise NotMigrated(CODE, "layers of several widths in one loop", loop.statement)
        edits.inserted += [start] if start not in edits.inserted else []
        edits.edits += [end] if end not in edits.edits else []
        return
    pairs = code(f"zip([{first}, *", loop.source, "], ", loop.source, ")")
    edits.edits.append(Edit(loop.source, pairs))
    edits.edits.append(Edit(loop.target, code(f"{BEFORE}, ", loop.target)))


def after(edits: Edits, statement: Span, text: str) -> Edit:
    """A line behind the line in which a statement ends."""
    end = edits.program.source.text.index("\n", statement.end) + 1
    return Edit(Span(end, end), (text,))


def make_masks(edits: Edits, cls: CustomLayer) -> None:
    """The statement in front of the one that calls the Embedding.

    Raises:
        NotMigrated: that one stands in a condition or a loop, or is given different tensors.
    """
    lines: dict[str, tuple[Span, str]] = {}
    for use in edits.program.uses:
        seen = use.data.get("seen", ()) if use.kind == "layer_call" else ()
        made = "".join({edits.ctx.starts.get(node.id, "") for node in seen})
        if not made or use.call not in cls.span or cls.call is None:
            continue
        name = made.partition(" = ")[0]
        column = edits.program.source.column_of
        if column(use.stmt.start) != column(cls.call.first.start):
            why = f"{cls.name} makes a mask in a condition or a loop"
            raise NotMigrated("K2T114", why, use.call)
        ids = bracketed(text_of(edits, use.data["given"][0][1]))
        line = (use.stmt, made.replace("{x}", ids))
        if lines.setdefault(name, line) != line:
            why = f"{cls.name} makes several masks in one statement"
            raise NotMigrated("K2T114", why, cls.span)
    edits.inserted += [(stmt, (text,)) for stmt, text in lines.values()]


def edit_site(edits: Edits, site: Site) -> None:
    """The constructor of a layer; one that is only a function goes."""
    text = modules(edits.ctx.sites[site.span], site.span)
    if text is not None:
        edits.edits.append(Edit(site.span, (text,)))
    elif site.alone is not None:
        edits.removed.append(site.alone)
    elif not any(u.kind == "layer_call" and site.span in u.call for u in edits.program.uses):
        raise NotMigrated(CODE, "a layer without weights that is made in a list", site.span)


CARRIED = ("name", "shape", "initializer", "trainable", "dtype", "regularizer", "constraint")


def weight(edits: Edits, use: Use) -> None:
    """``self.add_weight(...)``: a parameter, with the values that it starts with."""
    made = parameter(edits, use, use.args)
    if any(parameter(edits, use, other["args"]) != made for other in use.data.get("others", ())):
        raise NotMigrated(CODE, "a weight that is another one in another instance", use.call)
    edits.edits.append(Edit(use.call, made))


def parameter(edits: Edits, use: Use, args: Mapping[str, Arg]) -> Code:
    for name in args:
        if name not in CARRIED and not t.is_none(args[name].value):
            raise NotMigrated(CODE, f"add_weight({name}=...) is not carried over", args[name].span)
    shape = args.get("shape")
    if shape is None or shape.span is None:
        raise NotMigrated(CODE, "a weight without a shape", use.call)
    size, rank = size_code(edits, shape.span)
    value = t.get(args, "initializer")
    statement, _ = initializer(edits.ctx, Const("glorot_uniform") if t.is_none(value) else value)
    made = FILLED.get(statement, "torch.empty") + "("
    if statement in FILLED:
        start = code(made, size, ")")
    else:
        statement = by_fans(edits, statement, rank, use)
        before, after = statement.split("{p}", 1)
        start = code(before, made, size, ")", after)
    fixed = t.data(t.get(args, "trainable")) is False if "trainable" in args else False
    ending = ", requires_grad=False)" if fixed else ")"
    return code("nn.Parameter(", start, ending)


def looked_up(edits: Edits, use: Use) -> None:
    """``self.activation = keras.activations.get(activation)``: where it is used, it is written."""
    if use.target is None:
        raise NotMigrated("K2T900", "what is looked up here is not bound to a name", use.call)
    if len(use.data["values"]) == 1:
        edits.removed.append(use.data["whole"])
        given = edits.program.source.slice(use.data["given"]) if "given" in use.data else ""
        if given.isidentifier():
            said = f"{given} decides nothing any more: its value is written where it is used"
            edits.note("K2T166", Severity.INFO, said, use.call)
        return
    for value in use.data["values"]:
        op = activation(edits.ctx, value)[0] if isinstance(value, Ref) else None
        if op is None or op.module is None or not op.module.endswith("()"):
            raise NotMigrated("K2T101", "what is looked up is another one elsewhere", use.call)
        row = activation_row(edits.ctx, value)
        name = str(row.get("strings")[0]) if row is not None else "linear"
        edits.ctx.tables.setdefault("ACTIVATIONS", {})[name] = op.module.removesuffix("()")
    edits.edits.append(Edit(use.call, code("ACTIVATIONS[", use.data["given"], "]()")))


def by_fans(edits: Edits, statement: str, rank: int | None, use: Use) -> str:
    """A start whose spread goes by the fans, as Keras counts them in a weight of this rank."""
    if rank == 2 and statement.startswith(FANS):  # torch's kernels are (out, in)
        return statement.replace("{p}", "{p}.T") + ".T"
    if rank == 2 or not statement.startswith((*SYMMETRIC, *FANS)):
        return statement
    if rank == 0 and statement == "nn.init.xavier_uniform_({p})":  # Keras's fans are 1 and 1
        return "nn.init.uniform_({p}, -(3**0.5), 3**0.5)"
    if rank == 0 or statement != "nn.init.xavier_uniform_({p})":
        raise NotMigrated("K2T200", "this initializer of a weight is not carried over", use.call)
    edits.ctx.helpers["glorot_uniform_"] = None
    return "glorot_uniform_({p})"


def size_code(edits: Edits, span: Span) -> tuple[Code, int | None]:
    """The sizes of a weight as arguments, and how many there are, if that is written."""
    text = edits.program.source.slice(span)
    parsed = ast.parse(text.strip("\n"), mode="eval").body
    if not isinstance(parsed, ast.Tuple | ast.List):
        return (span,), 1 if isinstance(parsed, ast.Constant) else None
    if not parsed.elts:
        return (span,), 0
    inner = text[1:-1]
    start = span.start + 1 + len(inner) - len(inner.lstrip())
    end = span.start + 1 + len(inner.rstrip().removesuffix(",").rstrip())
    return (Span(start, end),), len(parsed.elts)
