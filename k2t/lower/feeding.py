"""Arrays on their way into a model: alone, or several in a list or dict."""

from __future__ import annotations

from collections.abc import Sequence

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Fed, Leaf, Model, Program, Use
from k2t.ir.source import Code, code, join
from k2t.ir.torch import Edit
from k2t.ir.values import Arg, Array, ModelRef, Unknown, as_int
from k2t.lower import text as t
from k2t.lower.asked import LEARNS
from k2t.lower.batches import taken as taken_from
from k2t.lower.batches import yields
from k2t.lower.edits import Edits, cast, float_input, is_sequence, target
from k2t.lower.images import check_order, is_flow
from k2t.lower.model import Draft
from k2t.lower.own import class_of

LOADERS = {
    frozenset({"array"}): "make_loader",
    frozenset({"list"}): "make_list_loader",
    frozenset({"array", "list"}): "make_list_loader",
    frozenset({"dict"}): "make_dict_loader",
}
"""The helper for what a script's loaders are given; ``make_mixed_loader`` for anything else."""

KINDS = {"one": "array", "list": "list", "dict": "dict"}


def fed(use: Use, arg: Arg) -> Fed | None:
    """The parts of what is fed, if it is a list or dict of arrays."""
    parts = use.data.get("parts")
    return parts.get(arg.span) if isinstance(parts, dict) else None


def alone(use: Use, arg: Arg) -> Arg:
    """The array that a list of one array holds, else the argument itself."""
    parts = fed(use, arg)
    one = parts is not None and parts.kind == "list" and len(parts.items) == 1
    if parts is None or not one or not isinstance(parts.items[0].value, Array):
        return arg
    return parts.items[0] if parts.items[0].span is not None else arg


def several(model: Model) -> bool:
    return len(model.inputs) > 1 or model.input_kind != "one"


def with_kind(program: Program, model: Model) -> str:
    """Whether the inputs come as one, a list or a dict: as all data of the script have them."""
    if not several(model):
        return "one"
    kinds: set[str] = set()
    for use in program.uses:
        if use.kind in (*LEARNS, "predict") and set(use.models) & set(model.instances):
            parts = [fed(use, use.args[n]) for n in ("x", "validation_x") if n in use.args]
            kinds |= {part.kind if part is not None else "list" for part in parts}
    named = all(key is not None for key in model.input_keys)
    return "dict" if named and (kinds == {"dict"} or model.input_kind == "dict") else "list"


def wants_integers(edits: Edits, draft: Draft, tensor: int) -> bool:
    """Whether an input goes into an Embedding, perhaps inside a model used as a layer."""
    for leaf in draft.model.body:
        if not isinstance(leaf, Leaf) or leaf.node.layer is None:
            continue
        if tensor not in leaf.node.inputs:
            continue
        if leaf.node.layer.row == "Embedding":
            return True
        if leaf.node.layer.row == "Custom":
            wanted = edits.ctx.layers[class_of(leaf.node.layer)].layer.integers
            if leaf.node.inputs.index(tensor) in wanted:
                return True
        inner = leaf.node.layer.args.get("model")
        if inner is not None and isinstance(inner.value, ModelRef):
            part = edits.drafts[inner.value.id]
            place = leaf.node.inputs.index(tensor)
            if part.model.kind == "sequential":
                if not floats(edits, part):
                    return True
            elif wants_integers(edits, part, part.model.inputs[place].id):
                return True
    return False


def floats(edits: Edits, draft: Draft) -> bool:
    """Whether a model with one input wants floats."""
    if draft.model.kind == "functional" and draft.model.inputs:
        return not wants_integers(edits, draft, draft.model.inputs[0].id)
    first = draft.model.body[0] if draft.model.body else None
    layer = first.node.layer if isinstance(first, Leaf) else None
    if layer is not None and layer.row == "Custom":
        return 0 not in edits.ctx.layers[class_of(layer)].layer.integers
    return float_input(draft)


def inputs(edits: Edits, use: Use, draft: Draft, x: Arg, rows: str = "") -> Code:
    """What goes into the model, in the types and the form that it wants; ``rows`` is a slice."""
    assert x.span is not None
    if not several(draft.model):
        x = alone(use, x)
        assert x.span is not None
        if fed(use, x) is not None and not isinstance(x.value, Array):
            raise NotMigrated("K2T602", "a list of arrays for a model with one input", x.span)
        cut = taken(x, draft.model.inputs[0], rows)
        return code(cast(edits, x.value, x.span, floats(edits, draft)), cut)
    parts = fed(use, x)
    if parts is None or len(parts.items) != len(draft.model.inputs):
        raise NotMigrated("K2T602", "the arrays for the inputs of the model are not known", x.span)
    items, keys = in_order(draft.model, parts, x)
    nodes = draft.model.inputs
    wanted = [
        (not wants_integers(edits, draft, node.id), taken(arg, node, rows))
        for node, arg in zip(nodes, items, strict=True)
    ]
    return gathered(edits, x, parts, items, keys, wanted, draft.model.input_kind)


def fed_parts(edits: Edits, use: Use, draft: Draft, x: Arg) -> None:
    """A list of arrays that stays as it is written but for those that want another type.

    Raises:
        NotMigrated: it is no list, or one that wants another type cannot be reached.
    """
    parts = fed(use, x)
    nodes = draft.model.inputs
    assert x.span is not None
    if parts is None or parts.kind != "list" or len(parts.items) != len(nodes):
        raise NotMigrated("K2T602", "the arrays for the inputs of the model are not known", x.span)
    for node, arg in zip(nodes, parts.items, strict=True):
        dtype = arg.value.dtype if isinstance(arg.value, Array) else None
        wanted = not wants_integers(edits, draft, node.id)
        cut = taken(arg, node, "")
        if dtype is not None and dtype.startswith("float") == wanted and not cut:
            continue  # float64 becomes float32 where it is read
        if arg.span is None:
            if dtype is None and wanted and not cut:
                continue
            raise NotMigrated("K2T602", "an array here is of another type than wanted", x.span)
        changed = code(converted(arg, wanted, (arg.span,)), cut)
        edits.edits.append(Edit(arg.span, changed))


def in_order(model: Model, parts: Fed, x: Arg) -> tuple[list[Arg], list[str]]:
    """The parts in the order of the model's inputs, and their names."""
    if parts.kind == "list":
        if model.input_kind == "dict":
            raise NotMigrated("K2T602", "a list for inputs that have names", x.span)
        return list(parts.items), []
    by_key = dict(zip(parts.keys, parts.items, strict=True))
    names = [key for key in model.input_keys if key in by_key]
    if len(names) != len(model.inputs):
        raise NotMigrated("K2T602", "these inputs have other names than the model's", x.span)
    return [by_key[str(key)] for key in names], [str(key) for key in names]


def gathered(
    edits: Edits,
    x: Arg,
    parts: Fed,
    items: Sequence[Arg],
    keys: Sequence[str],
    wanted: Sequence[tuple[bool, str]],
    kind: str,
) -> Code:
    """The list or dict of the parts, written out where one of them has to be changed.

    ``wanted`` says of each part whether it is to be of floats, and what is taken of it.
    """
    assert x.span is not None
    as_it_is = all(fits(a, f) and not cut for a, (f, cut) in zip(items, wanted, strict=True))
    if kind == parts.kind and as_it_is:
        return (x.span,)
    pieces: list[Code] = []
    for number, (arg, (wants, cut)) in enumerate(zip(items, wanted, strict=True)):
        if arg.span is not None:
            piece = code(cast(edits, arg.value, arg.span, wants), cut)
        else:
            index = t.literal(keys[number]) if keys else str(number)
            piece = code(converted(arg, wants, code(x.span, f"[{index}]")), cut)
        pieces.append(code(f"{t.literal(keys[number])}: ", piece) if kind == "dict" else piece)
    joined: list[object] = []
    for piece in pieces:
        joined += [", ", piece] if joined else [piece]
    ends = "{}" if kind == "dict" else "[]"
    return code(ends[0], *joined, ends[1])  # type: ignore[arg-type]


def taken(arg: Arg, node: Node, rows: str) -> str:
    """The part of an array that is fed; one of rank 1 is a column for an Input of shape (1,)."""
    rank = len(arg.value.shape) if isinstance(arg.value, Array) and arg.value.shape else None
    column = node.shape is not None and len(node.shape) == 1 and as_int(node.shape[0]) == 1
    if not column or rank != 1:
        return rows
    return f"{rows[:-1]}, None]" if rows else "[:, None]"


def fits(arg: Arg, floats: bool) -> bool:
    dtype = arg.value.dtype if isinstance(arg.value, Array) else None
    return dtype in (("float32",) if floats else ("int32", "int64"))


def converted(arg: Arg, floats: bool, text: Code) -> Code:
    if fits(arg, floats):
        return text
    wanted = "float32" if floats else "int64"
    if isinstance(arg.value, Array) and arg.value.dtype not in (None, "object"):
        return code(text, f'.astype("{wanted}")')
    return code("np.asarray(", text, f', dtype="{wanted}")')


def outputs(edits: Edits, use: Use, draft: Draft, y: Arg, rows: str = "") -> Code:
    """The targets: an array as it is, several in the form of the script."""
    assert y.span is not None
    if len(draft.model.outputs) < 2:
        one = alone(use, y)
        assert one.span is not None
        return code(target(one.value, one.span), rows)
    parts = fed(use, y)
    if parts is None or len(parts.items) != len(draft.heads):
        raise NotMigrated("K2T304", "the targets of several outputs are not known", y.span)
    if target_kinds(use) != {parts.kind}:
        raise NotMigrated("K2T304", "targets in a list here and in a dict there", y.span)
    if not rows and all(isinstance(a.value, Array) for a in parts.items):
        return (y.span,)
    pieces: list[Code] = []
    for number, arg in enumerate(parts.items):
        index = t.literal(parts.keys[number]) if parts.keys else str(number)
        if arg.span is not None:
            piece = code(target(arg.value, arg.span), rows)
        elif isinstance(arg.value, Array):
            piece = code(y.span, f"[{index}]{rows}")
        else:
            piece = code("np.asarray(", y.span, f"[{index}]){rows}")
        pieces.append(code(f"{index}: ", piece) if parts.keys else piece)
    return code("{" if parts.keys else "[", join(", ", pieces), "}" if parts.keys else "]")


def target_kinds(use: Use) -> set[str]:
    """Whether the targets of a call come in lists or in dicts."""
    found = [fed(use, use.args[n]) for n in ("y", "validation_y") if n in use.args]
    return {part.kind for part in found if part is not None}


def target_parts(program: Program, model: Model) -> Fed | None:
    """The targets of a model with several outputs, as they are first given.

    Raises:
        NotMigrated: they are in a list here and in a dict there.
    """
    kinds: set[str] = set()
    first: Fed | None = None
    for use in program.uses:
        if use.kind in LEARNS and set(use.models) & set(model.instances):
            kinds |= target_kinds(use)
            if first is None and "y" in use.args:
                first = fed(use, use.args["y"])
    if len(kinds) > 1 and len(model.outputs) > 1:
        raise NotMigrated("K2T304", "targets in a list here and in a dict there", model.span)
    return first


def target_kind(use: Use, draft: Draft, y: Arg) -> str:
    """What a loader is given as targets."""
    parts = fed(use, y) if len(draft.model.outputs) > 1 else None
    return parts.kind if parts is not None else "array"


def sample(edits: Edits, use: Use, draft: Draft, x: Arg) -> Code:
    """The first row of the inputs as tensors."""
    if not several(draft.model):
        return code("torch.as_tensor(", inputs(edits, use, draft, x, "[:1]"), ")")
    whole = inputs(edits, use, draft, x)
    if draft.model.input_kind == "dict":
        return code("{k: torch.as_tensor(a[:1]) for k, a in ", whole, ".items()}")
    return code("[torch.as_tensor(a[:1]) for a in ", whole, "]")


def first_array(use: Use, x: Arg) -> Code:
    """One of the arrays that are fed, to count its rows."""
    parts = fed(use, x)
    assert x.span is not None
    if parts is None or isinstance(x.value, Array):
        return (x.span,)
    index = t.literal(parts.keys[0]) if parts.keys else "0"
    shown = parts.items[0].span
    return (shown,) if shown is not None else code(x.span, f"[{index}]")


def use_loader(edits: Edits, kinds: Sequence[str]) -> None:
    """Ask for the loader that can take these kinds, and those of the script's other loaders."""
    edits.fed.add(frozenset(kinds))
    every = frozenset().union(*edits.fed)
    helper = LOADERS.get(every, "make_mixed_loader")
    for other in {*LOADERS.values(), "make_mixed_loader"} - {helper}:
        edits.training.pop(other, None)
    edits.training.setdefault(helper, edits.name("make_loader"))


def loader(edits: Edits, kinds: Sequence[str], parts: list[Code], options: list[Code]) -> Code:
    """A call of the script's loader; ``kinds`` says of which form each part is."""
    use_loader(edits, kinds)
    inner = list(parts) + options
    pieces: list[Code] = []
    for part in inner:
        if pieces:
            pieces.append((", ",))
        pieces.append(part)
    return code(edits.name("make_loader") + "(", *pieces, ")")


def data_loader(
    edits: Edits,
    use: Use,
    draft: Draft,
    x: Arg,
    y: Arg | None,
    options: list[Code],
    shuffle: str = "",
) -> Code:
    """A loader for arrays or for a Sequence."""
    assert x.span is not None
    if is_sequence(x.value):
        extra = f", shuffle={shuffle}" if shuffle else ""
        return code("DataLoader(", x.span, f", batch_size=None{extra})")
    if yields(x.value):
        return taken_from(edits, use, x, not several(draft.model) and floats(edits, draft))
    if is_flow(x.value):
        check_order(use, x.value, shuffle)
        return (x.span,)
    if isinstance(x.value, Unknown) and x.value.why:
        raise NotMigrated("K2T601", f"data from {x.value.why} is not carried over", x.span)
    y = y if y is not None and not t.is_none(y.value) else None
    if (y is None) == (draft.model.added is None) and use.kind == "fit":
        raise NotMigrated("K2T601", "fit without y: what x yields is not known", x.span)
    if isinstance(x.value, Array) and floats(edits, draft) and x.value.dtype == "object":
        raise NotMigrated("K2T603", "x is an array of lists; the model wants numbers", x.span)
    parts, kinds = [inputs(edits, use, draft, x)], [KINDS[draft.model.input_kind]]
    if y is not None and y.span is not None:
        parts.append(outputs(edits, use, draft, y))
        kinds.append(target_kind(use, draft, y))
    options = [*options, *([(f"shuffle={shuffle}",)] if shuffle else [])]
    return loader(edits, kinds, parts, options)
