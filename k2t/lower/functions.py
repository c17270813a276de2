"""Functions and classes of Keras that are no models: data utilities, data sets, Sequences."""

from __future__ import annotations

from collections.abc import Callable

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit
from k2t.ir.values import Arg, Array, Const, as_int
from k2t.lower import scorers
from k2t.lower import text as t
from k2t.lower.edits import Edits, need
from k2t.lower.hooks import own_callback, plain_class
from k2t.lower.ops import GENERAL
from k2t.table import Row

PLAIN: tuple[str, ...] = ("keras.regularizers.", "keras.initializers.", "keras.constraints.")
PLAIN += ("keras.optimizers.schedules.",)
"""Where Keras has the bases of classes that are plain Python but for the operations in them."""


def util(edits: Edits, use: Use) -> None:
    name = str(use.data.get("row"))
    check_known(edits, use, name)
    if use.data.get("dataset"):
        return dataset(edits, use, name)
    handlers: dict[str, Callable[[Edits, Use], None]] = {
        "to_categorical": to_categorical,
        "pad_sequences": pad_sequences,
        "sequences_to_matrix": sequences_to_matrix,
        "normalize": lambda e, u: helper_call(e, u, "normalize"),
        "get_file": get_file,
        "Tokenizer": tokenizer,
        **dict.fromkeys(LEARNING, learning),
        "imdb_word_index": lambda e, u: word_index(e, u, "imdb"),
        "reuters_word_index": lambda e, u: word_index(e, u, "reuters"),
        "preprocess_input": preprocess_input,
    }
    handlers[name](edits, use)
    return None


def check_known(edits: Edits, use: Use, name: str) -> None:
    """Every argument must be one that the function has."""
    rows = edits.ctx.table.rows["datasets" if use.data.get("dataset") else "utils"]
    if name not in rows:
        return
    known = {p.name for p in rows[name].params}
    for argument, arg in use.args.items():
        if arg.span is not None and argument not in known:
            raise NotMigrated("K2T902", f"{name} has no argument {argument!r}", use.call)


def emit(edits: Edits, helper: str, name: str, use: Use) -> str:
    """Ask for a data helper; returns the name it gets."""
    chosen = edits.name(name)
    edits.data[helper] = chosen
    edits.data_uses.append(use.stmt)
    return chosen


def dataset(edits: Edits, use: Use, name: str) -> None:
    row = edits.ctx.table.rows["datasets"][name]
    helper = str(row.data["helper"])
    if name == "cifar100" and t.data(t.get(use.args, "label_mode")) != "fine":
        helper = "load_cifar100_full"
    chosen = emit(edits, helper, str(row.data["helper"]), use)
    parts = [
        code(f"{key}=", arg.span)
        for key, arg in use.args.items()
        if arg.span is not None and key != "path" and helper != "load_cifar100"
    ]
    edits.edits.append(Edit(use.call, code(chosen, "(", *separated(parts), ")")))


def separated(parts: list[Code]) -> list[Code]:
    out: list[Code] = []
    for part in parts:
        if out:
            out.append((", ",))
        out.append(part)
    return out


def helper_call(edits: Edits, use: Use, helper: str) -> None:
    chosen = emit(edits, helper, helper, use)
    assert use.receiver is not None
    edits.edits.append(Edit(callee(edits, use), (chosen,)))


def callee(edits: Edits, use: Use) -> Span:
    """The span of what is called, up to the bracket."""
    assert use.receiver is not None
    text = edits.program.source.text
    return Span(use.call.start, text.index("(", max(use.receiver.end, use.call.start)))


def tokenizer(edits: Edits, use: Use) -> None:
    """A Tokenizer that learns words: a class that does what Keras's does."""
    known = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
    for name, arg in use.args.items():
        if name not in known and arg.span is not None:
            raise NotMigrated("K2T608", f"Tokenizer({name}=...) is not carried over", arg.span)
    helper_call(edits, use, "Tokenizer")


LEARNING = (
    "TextVectorization",
    "StringLookup",
    "IntegerLookup",
    "Normalization",
    "Discretization",
)


def learning(edits: Edits, use: Use) -> None:
    """A layer that learns from data and stays in the script: an object of an emitted class."""
    name = str(use.data["row"])
    table = edits.ctx.table
    row = table.section("preprocessing").get(name) or table.section("layers")[name]
    uses = [u for u in edits.program.uses if u.kind == "util" and u.data.get("row") == name]
    plain = row.get("plain") is not None and all(is_plain(edits, row, u) for u in uses)
    keeps = row.data["plain" if plain else "keeps"]
    parts: list[Code] = []
    for key, arg in use.args.items():
        if arg.span is None or key in GENERAL or key.startswith("@"):
            continue
        check_learning(row, key, arg)
        if key in keeps:
            parts.append(code(f"{key}=", arg.span))
    shifted = "mean" in use.args and not t.is_none(use.args["mean"].value)
    if shifted and not t.same_value(use.args["axis"].value, -1):
        raise NotMigrated("K2T180", f"{name}(mean=...) of other axes than the last", use.call)
    mode = t.data(use.args["output_mode"].value) if "output_mode" in use.args else "int"
    if "mask_token" in keeps and mode != "int" and not t.is_none(use.args["mask_token"].value):
        text = t.text(use.args["mask_token"].value)
        raise NotMigrated("K2T180", f"{name}(mask_token={text}) in mode {mode}", use.call)
    helper = f"{name}Full" if "plain" in row.data and not plain else name
    chosen = emit(edits, helper, name, use)
    edits.edits.append(Edit(use.call, code(chosen, "(", *separated(parts), ")")))


def is_plain(edits: Edits, row: Row, use: Use) -> bool:
    """Whether the short form of an emitted class is enough: what it has not is at its default."""
    if "set_vocabulary" in edits.program.source.text:
        return False
    rest = [p for p in row.params if p.name not in row.data["plain"]]
    return all(t.same_value(use.args[p.name].value, p.default) for p in rest)


def check_learning(row: Row, key: str, arg: Arg) -> None:
    """Refuse an argument that the emitted class has not, or a value that it does not know."""
    default = next((p.default for p in row.params if p.name == key), ...)
    same = default is not ... and t.same_value(arg.value, default)
    if same or (key == "dtype" and t.data(arg.value) == "float32"):
        return
    allowed = row.get("values", {}).get(key)
    known = allowed is None or (isinstance(arg.value, Const) and arg.value.value in allowed)
    if key in row.get("optional", ()) and t.is_none(arg.value):
        known = True
    path = key == "vocabulary" and isinstance(t.data(arg.value), str)
    if key not in row.data["keeps"] or not known or path:
        text = t.text(arg.value) if isinstance(arg.value, Const) else "..."
        raise NotMigrated("K2T180", f"{row.name}({key}={text}) is not carried over", arg.span)


def word_index(edits: Edits, use: Use, name: str) -> None:
    chosen = emit(edits, "load_word_index", "load_word_index", use)
    edits.edits.append(Edit(use.call, (f'{chosen}("{name}")',)))


def get_file(edits: Edits, use: Use) -> None:
    """The file of an address, kept beside the data sets of the script."""
    given = {key for key, arg in use.args.items() if arg.span is not None}
    for key in sorted(given - {"fname", "origin"}):
        raise NotMigrated("K2T616", f"get_file({key}=...) is not carried over", use.call)
    for key in ("fname", "origin"):
        need(use, key)
    helper_call(edits, use, "get_file")
    where = "the file is kept in data/, where Keras has ~/.keras/datasets"
    edits.note("K2T615", Severity.INFO, where, use.call)


def to_categorical(edits: Edits, use: Use) -> None:
    x, classes = need(use, "x"), use.args["num_classes"]
    if "dtype" in use.args and t.data(use.args["dtype"].value) not in (None, "float32"):
        raise NotMigrated("K2T607", "to_categorical(dtype=...) is not carried over", use.call)
    assert x.span is not None
    array = x.value if isinstance(x.value, Array) else Array()
    integer = array.dtype is not None and array.dtype.startswith(("int", "uint"))
    if integer and classes.span is not None and array.shape is not None:
        column = len(array.shape) == 2 and as_int(array.shape[1]) == 1
        if len(array.shape) == 1 or column:
            rows = code(x.span, ".ravel()") if column else code(x.span)
            edits.edits.append(
                Edit(use.call, code("np.eye(", classes.span, ', dtype="float32")[', rows, "]"))
            )
            return
    helper_call(edits, use, "to_categorical")


def pad_sequences(edits: Edits, use: Use) -> None:
    given = {k for k, a in use.args.items() if a.span is not None}
    simple = (
        given <= {"sequences", "maxlen"}
        and "maxlen" in given
        and not t.is_none(use.args["maxlen"].value)
    )
    others = [
        u for u in edits.program.uses if u.kind == "util" and u.data.get("row") == "pad_sequences"
    ]
    plain = simple and all(
        {k for k, a in u.args.items() if a.span is not None} == {"sequences", "maxlen"}
        for u in others
    )
    chosen = emit(edits, "pad_sequences" if plain else "pad_sequences_full", "pad_sequences", use)
    edits.edits.append(Edit(callee(edits, use), (chosen,)))


def sequences_to_matrix(edits: Edits, use: Use) -> None:
    words = use.args["num_words"]
    sequences = need(use, "sequences")
    mode = use.args.get("mode")
    if words.span is None or t.is_none(words.value):
        raise NotMigrated("K2T608", "Tokenizer without num_words is not carried over", use.call)
    if mode is not None and t.data(mode.value) not in ("binary", "count", "freq"):
        raise NotMigrated(
            "K2T608", "sequences_to_matrix of this mode is not carried over", use.call
        )
    chosen = emit(edits, "sequences_to_matrix", "sequences_to_matrix", use)
    parts: list[Code] = [code(sequences.span or ""), (edits.program.source.slice(words.span),)]
    if mode is not None and mode.span is not None and t.data(mode.value) != "binary":
        parts.append(code("mode=", mode.span))
    edits.edits.append(Edit(use.call, code(chosen, "(", *separated(parts), ")")))


def application(edits: Edits, use: Use) -> None:
    """A network of ``keras.applications`` that is refused: why, and what stands nearest to it."""
    name, problem = str(use.data["row"]), str(use.data["problem"])
    row = edits.ctx.table.rows["applications"][name]
    if problem:
        raise NotMigrated("K2T150", f"keras.applications.{name}: {problem}", use.call)
    what = f"keras.applications.{name} is not carried over"
    if "torchvision" in row.data:
        near = f"torchvision.models.{row.data['torchvision']} differs in {row.data['differs']}"
        raise NotMigrated("K2T150", f"{what}; {near}", use.call)
    timm = row.data["timm"]
    near = f"timm.create_model({timm!r}) is near to it" if timm else "timm has none either"
    raise NotMigrated("K2T154", f"{what}: torchvision has none; {near}", use.call)


def preprocess_input(edits: Edits, use: Use) -> None:
    """Images for a network: as torchvision's weights want them, as Keras's did without weights."""
    mode, x = str(use.data["mode"]), need(use, "x")
    assert x.span is not None
    if t.data(use.args["data_format"].value) not in (None, "channels_last"):
        raise NotMigrated("K2T150", "preprocess_input of channels first", use.call)
    if mode == "":
        edits.edits.append(Edit(use.call, code(x.span)))
        return
    if edits.ctx.imagenet:
        mode = "torch"
    edits.edits.append(
        Edit(callee(edits, use), (emit(edits, f"preprocess_{mode}", "preprocess_input", use),))
    )


def seed(edits: Edits, use: Use) -> None:
    value = use.data["seed"]
    assert isinstance(value, Span)
    edits.edits.append(Edit(use.call, code("L.seed_everything(", value, ")")))
    edits.note(
        "K2T610", Severity.INFO, "the same seed gives other random numbers in torch", use.call
    )


def drop(edits: Edits, use: Use) -> None:
    edits.removed.append(use.stmt)
    edits.note(
        "K2T710", Severity.INFO, f"{use.data['path']} has no counterpart and needs none", use.call
    )


def constant(edits: Edits, use: Use) -> None:
    if any(u.kind == "operation" and use.call in u.call for u in edits.program.uses):
        return  # it is written with the operation
    if use.data["value"] is None and not any(use.call in c.span for c in edits.program.layers):
        return  # in a statement about the graph, which goes
    if use.data["value"] is ...:
        raise NotMigrated("K2T900", f"{use.data['path']} has several values here", use.call)
    edits.edits.append(Edit(use.call, (t.literal(use.data["value"]),)))


def static_if(edits: Edits, use: Use) -> None:
    """An ``if`` about Keras itself: the branch that is taken stays."""
    kept = use.data["kept"]
    edits.note(
        "K2T140",
        Severity.INFO,
        "the condition is settled by Keras's channels_last; the other branch is gone",
        use.call,
    )
    if isinstance(kept, Span):
        edits.edits.append(Edit(use.call, (kept,), dedent=True))
    else:
        edits.removed.append(use.call)


def sequence(edits: Edits, use: Use) -> None:
    """A ``keras.utils.Sequence`` becomes a torch Dataset of ready batches."""
    if "hooks" in use.data:
        return own_callback(edits, use)
    if "scorer" in use.data:
        return scorers.own_class(edits, use)
    if str(use.data.get("base")).startswith(PLAIN):
        return plain_class(edits, use)
    if use.data.get("base") not in ("keras.utils.PyDataset", "keras.utils.Sequence"):
        raise NotMigrated(
            "K2T902", f"a subclass of {use.data.get('base')} is not migrated", use.call
        )
    methods = use.data["methods"]
    assert isinstance(methods, tuple)
    if "on_epoch_end" in methods:
        edits.note(
            "K2T611",
            Severity.WARNING,
            "on_epoch_end is called after each epoch and its validation; Keras calls it before the "
            "first epoch too, and before the validation: a shuffle in it gives other batches",
            use.call,
        )
    for base in use.data["bases"]:
        edits.edits.append(Edit(base, ("Dataset",)))
    kwargs, parent = use.data["kwargs"], use.data["super"]
    if isinstance(kwargs, Span):
        edits.edits.append(Edit(kwargs, ()))
    if isinstance(parent, Span):
        edits.removed.append(parent)
    for number, (span, dtype) in enumerate(use.data["returns"]):
        if number == 0 and dtype != "float32" and dtype is not None and not dtype.startswith("int"):
            edits.edits.append(Edit(span, code(bracketed(edits, span), '.astype("float32")')))
        elif number == 0 and dtype is None:
            edits.edits.append(Edit(span, code("np.asarray(", span, ', dtype="float32")')))


def bracketed(edits: Edits, span: Span) -> Code:
    text = edits.program.source.slice(span)
    return (span,) if text.replace("_", "").replace(".", "").isalnum() else ("(", span, ")")
