"""Places where the script uses a model or a Keras function: the edits that replace them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from k2t.ir.finding import Finding, NotMigrated, Severity
from k2t.ir.program import Program, Use
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit, ModuleClass, Snippet
from k2t.ir.values import Arg, Array, Const, Instance, ListRef, Tuple, Unknown, Value, as_int
from k2t.lower import text as t
from k2t.lower.layers import Context
from k2t.lower.model import Draft

FIT_CARRIED = {
    "x", "y", "batch_size", "epochs", "verbose", "validation_split", "validation_data", "shuffle",
    "class_weight", "sample_weight", "validation_batch_size", "validation_x", "validation_y",
    "validation_w",
}  # fmt: skip
IGNORED = {"verbose", "workers", "use_multiprocessing", "max_queue_size"}


@dataclass
class Edits:
    """What lowering the uses has produced so far."""

    program: Program
    ctx: Context
    drafts: Mapping[int, Draft]
    classes: Mapping[int, ModuleClass]
    edits: list[Edit] = field(default_factory=list)
    removed: list[Span] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    training: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    data_uses: list[Span] = field(default_factory=list)
    trainers: dict[Span | None, int] = field(default_factory=dict)
    inserted: list[tuple[Span, Code]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

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


def lower_use(edits: Edits, use: Use) -> None:
    """Dispatch on the kind of use.

    Raises:
        NotMigrated: the use stays as it is.
    """
    handler = HANDLERS.get(use.kind)
    if handler is not None:
        handler(edits, use)


# ---------------------------------------------------------------------- data


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
    text = edits.program.source.slice(span)
    simple = all(c.isalnum() or c in "_.[](), :'\"-" for c in text) and " - " not in text
    return (span,) if simple else ("(", span, ")")


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


def loader(edits: Edits, use: Use, parts: list[Code], options: list[Code]) -> Code:
    edits.training.setdefault("make_loader", edits.name("make_loader"))
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
    if isinstance(x.value, Unknown) and x.value.why:
        raise NotMigrated("K2T601", f"data from {x.value.why} is not carried over", x.span)
    if isinstance(x.value, ListRef | Tuple):
        raise NotMigrated("K2T602", "several inputs in a list or dict are not carried over", x.span)
    if y is None and use.kind == "fit":
        raise NotMigrated("K2T601", "fit without y: what x yields is not known", x.span)
    if isinstance(x.value, Array) and float_input(draft) and x.value.dtype == "object":
        raise NotMigrated("K2T603", "x is an array of lists; the model wants numbers", x.span)
    parts: list[Code] = [cast(edits, x.value, x.span, float_input(draft))]
    if y is not None and y.span is not None:
        parts.append(target(y.value, y.span))
    options = [*options, *([(f"shuffle={shuffle}",)] if shuffle else [])]
    return loader(edits, use, parts, options)


def batch_option(use: Use, name: str = "batch_size") -> list[Code]:
    arg = use.args.get(name)
    if arg is None or arg.span is None or t.is_none(arg.value):
        return []
    if isinstance(arg.value, Const) and arg.value.expr is not None and arg.value.expr.text == "32":
        return []
    return [code("batch_size=", arg.span)]


# ---------------------------------------------------------------------- fit


def fit(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    if draft.loss is None:
        raise NotMigrated("K2T701", "fit of a model that is not compiled", use.call)
    check_fit(use)
    if not use.alone and use.how != "name":
        raise NotMigrated("K2T702", "the result of fit is used in an expression", use.call)
    x = need(use, "x")
    y = use.args.get("y")
    split = use.args.get("validation_split")
    splitting = (
        split is not None and not t.same_value(split.value, 0.0) and not t.is_none(split.value)
    )
    shuffle = shuffle_text(edits, use)
    values: dict[str, object] = {"trainer": edits.name("trainer"), "model": (use.receiver,)}
    batch = batch_option(use)
    if splitting:
        assert split is not None
        values |= split_loaders(edits, use, draft, x, y, split, batch, shuffle)
    else:
        weights = weight_parts(edits, use, y)
        values["train"] = with_weights(
            data_loader(edits, use, draft, x, y, batch, shuffle), weights
        )
        values["val"] = validation_loader(edits, use, draft)
    values["epochs"] = (use.args["epochs"].span,) if "epochs" in use.args else "1"
    values["quiet"] = quiet(use)
    values["lazy"] = lazy_sample(edits, use, draft, x)
    history = history_variable(edits, use)
    values["history"] = history
    if history:
        edits.training.setdefault("History", edits.name("History"))
        values["History"] = edits.name("History")
    edits.trainers[use.scope] = min(use.stmt.start, edits.trainers.get(use.scope, use.stmt.start))
    edits.edits.append(Edit(use.stmt, Snippet("fit", values)))


def lazy_sample(edits: Edits, use: Use, draft: Draft, x: Arg) -> Code | None:
    """One batch for the dry run that gives lazy layers their sizes."""
    if not edits.classes[draft.model.id].lazy:
        return None
    assert x.span is not None
    if is_sequence(x.value):
        return code("torch.as_tensor(", x.span, "[0][0])")
    return code("torch.as_tensor(", cast(edits, x.value, x.span, float_input(draft)), "[:1])")


def check_fit(use: Use) -> None:
    for name, arg in use.args.items():
        if name in FIT_CARRIED or name in IGNORED or arg.span is None:
            continue
        if t.is_none(arg.value) or (name == "initial_epoch" and t.same_value(arg.value, 0)):
            continue
        if (
            name == "callbacks"
            and isinstance(arg.value, Tuple | ListRef)
            and arg.value == Tuple(())
        ):
            continue
        raise NotMigrated("K2T703", f"fit({name}=...) is not carried over", arg.span)


def shuffle_text(edits: Edits, use: Use) -> str:
    arg = use.args.get("shuffle")
    if arg is None or t.same_value(arg.value, True):
        return "True"
    if t.same_value(arg.value, False):
        return ""
    if arg.span is None or isinstance(arg.value, Const):
        raise NotMigrated("K2T703", "fit(shuffle=...) is not carried over", arg.span or use.call)
    return edits.program.source.slice(arg.span)


def split_loaders(
    edits: Edits,
    use: Use,
    draft: Draft,
    x: Arg,
    y: Arg | None,
    split: Arg,
    batch: list[Code],
    shuffle: str,
) -> dict[str, object]:
    """``validation_split``: the tail of the arrays, taken before shuffling."""
    if is_sequence(x.value) or y is None or x.span is None or y.span is None or split.span is None:
        raise NotMigrated("K2T604", "validation_split of this kind of data", use.call)
    if "class_weight" in use.args or "sample_weight" in use.args:
        weights = weight_parts(edits, use, y)
    else:
        weights = None
    at = edits.name("split")
    floats = float_input(draft)

    def part(arg: Arg, cut: str) -> Arg:
        return arg

    xs = cast_name(edits, x, floats)
    ys = target(y.value, y.span)
    train = [code(xs, f"[:{at}]"), code(ys, f"[:{at}]")]
    val = [code(xs, f"[{at}:]"), code(ys, f"[{at}:]")]
    if weights is not None:
        train.append(code(weights, f"[:{at}]"))
        val += [code(weights, f"[{at}:]")] if "sample_weight" in use.args else []
    options = [*batch, *([(f"shuffle={shuffle}",)] if shuffle else [])]
    val_batch = batch_option(use, "validation_batch_size") or batch
    return {
        "split": at,
        "x": (x.span,),
        "fraction": (split.span,),
        "train": loader(edits, use, train, options),
        "val": loader(edits, use, val, val_batch),
    }


def cast_name(edits: Edits, x: Arg, floats: bool) -> Code:
    assert x.span is not None
    return cast(edits, x.value, x.span, floats)


def weight_parts(edits: Edits, use: Use, y: Arg | None) -> Code | None:
    """class_weight and sample_weight both become one weight a sample, a third array."""
    sample, by_class = use.args.get("sample_weight"), use.args.get("class_weight")
    if sample is not None and not t.is_none(sample.value) and sample.span is not None:
        return cast(edits, sample.value, sample.span, True)
    if by_class is None or t.is_none(by_class.value) or by_class.span is None:
        return None
    if y is None or y.span is None:
        raise NotMigrated("K2T605", "class_weight needs the targets as an array", use.call)
    edits.training["class_weights"] = edits.name("class_weights")
    return code(edits.name("class_weights"), "(", by_class.span, ", ", y.span, ")")


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


def validation_loader(edits: Edits, use: Use, draft: Draft) -> Code | None:
    data = use.args.get("validation_data")
    if data is None or t.is_none(data.value) or data.span is None:
        return None
    batch = batch_option(use, "validation_batch_size") or batch_option(use)
    if "validation_x" in use.args:
        x, y = use.args["validation_x"], use.args["validation_y"]
        made = data_loader(edits, use, draft, x, y, batch)
        weight = use.args.get("validation_w")
        return (
            with_weights(made, cast(edits, weight.value, weight.span, True))
            if (weight is not None and weight.span is not None)
            else made
        )
    if is_sequence(data.value):
        return data_loader(edits, use, draft, data, None, [])
    if isinstance(data.value, Tuple) and len(data.value.items) in (2, 3):
        dtypes = [v.dtype if isinstance(v, Array) else None for v in data.value.items]
        if float_input(draft) and dtypes[0] not in ("float32", None):
            raise NotMigrated("K2T606", "validation_data needs a cast to float32", data.span)
        return loader(edits, use, [code("*", data.span)], batch)
    raise NotMigrated("K2T606", "what validation_data holds is not known", data.span)


def quiet(use: Use) -> object:
    """``enable_progress_bar`` for ``verbose``: False for 0, an expression for a variable."""
    arg = use.args.get("verbose")
    if arg is None or arg.span is None:
        return None
    if isinstance(arg.value, Const):
        return "False" if arg.value.value == 0 else None
    return code("bool(", arg.span, ")")


def history_variable(edits: Edits, use: Use) -> str | None:
    """The variable of ``history = model.fit(...)``, if anything reads it."""
    if use.target is None:
        return None
    reads = any(u.kind == "history" and use.call in u.data["fits"] for u in edits.program.uses)
    return edits.program.source.slice(use.target) if reads else None


# ---------------------------------------------------------------------- evaluate, predict, ...


def trainer_for(edits: Edits, use: Use) -> str:
    """The trainer in force at a use; one is made where ``fit`` has not run before."""
    name = edits.name("trainer")
    first = edits.trainers.get(use.scope)
    if first is None or first > use.stmt.start:
        edits.trainers[use.scope] = use.stmt.start
        edits.inserted.append(
            (
                use.stmt,
                (
                    f"{name} = L.Trainer(logger=False, enable_checkpointing=False, "
                    "enable_model_summary=False)",
                ),
            )
        )
    return name


def evaluate(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    if draft.loss is None or use.receiver is None:
        raise NotMigrated("K2T701", "evaluate of a model that is not compiled", use.call)
    check_rest(use, {"x", "y", "batch_size", "verbose", "return_dict", "sample_weight"})
    x = need(use, "x")
    made = data_loader(edits, use, draft, x, use.args.get("y"), batch_option(use))
    weights = weight_parts(edits, use, use.args.get("y"))
    made = with_weights(made, weights)
    trainer = trainer_for(edits, use)
    call = code(f"{trainer}.test(", use.receiver, ", ", made, ", verbose=False)[0]")
    as_dict = "return_dict" in use.args and t.flag(use.args, "return_dict")
    single = not draft.metrics
    if as_dict:
        result = code("dict(sorted(", call, ".items()))") if len(draft.metrics) else call
    elif single:
        result = code(call, '["loss"]')
    elif use.how in ("unpack", "nothing"):
        result = code(call, ".values()") if use.how == "unpack" else call
    else:
        result = code("list(", call, ".values())")
    edits.edits.append(Edit(use.call, result))


def check_rest(use: Use, carried: set[str]) -> None:
    for name, arg in use.args.items():
        if name in carried or name in IGNORED or arg.span is None or t.is_none(arg.value):
            continue
        if name == "callbacks" and isinstance(arg.value, Tuple) and not arg.value.items:
            continue
        raise NotMigrated("K2T703", f"{use.kind}({name}=...) is not carried over", arg.span)


def predict(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    check_rest(use, {"x", "batch_size", "verbose"})
    x = need(use, "x")
    if draft.loss is None:
        return plain_predict(edits, use, draft, x)
    made = data_loader(edits, use, draft, x, None, batch_option(use))
    trainer = trainer_for(edits, use)
    result = code(f"torch.cat({trainer}.predict(", use.receiver or "", ", ", made, ")).numpy()")
    edits.edits.append(Edit(use.call, result))
    return None


def plain_predict(edits: Edits, use: Use, draft: Draft, x: Arg) -> None:
    """``predict`` of a model that is trained elsewhere: one pass under no_grad."""
    if len(draft.model.outputs) > 1 or x.span is None:
        raise NotMigrated("K2T704", "predict of a model with several outputs", use.call)
    edits.training["predict"] = edits.name("predict")
    result = code(
        edits.name("predict"), "(", use.receiver or "", ", ",
        cast(edits, x.value, x.span, float_input(draft)), ").numpy()",
    )  # fmt: skip
    edits.edits.append(Edit(use.call, result))


def call(edits: Edits, use: Use) -> None:
    """``model(x)`` on an array: Keras's output in inference mode, activation included."""
    draft = edits.draft(use)
    value = use.data.get("x")
    if not isinstance(value, Array) or use.receiver is None:
        raise NotMigrated("K2T704", "a model called on something that is no array", use.call)
    inner = use.data["at"]
    assert isinstance(inner, Span)
    edits.training["predict"] = edits.name("predict")
    folded = draft.loss.folded if draft.loss is not None else None
    ending = {"softmax": ".softmax(1)", "sigmoid": ".sigmoid()"}.get(folded or "", "")
    floats = cast(edits, value, inner, float_input(draft))
    result = code(edits.name("predict"), "(", use.receiver, ", ", floats, f"){ending}")
    edits.edits.append(Edit(use.call, result))


def summary(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    if not use.alone or use.receiver is None:
        raise NotMigrated("K2T705", "the result of summary is used", use.call)
    if draft.loss is None:
        edits.edits.append(Edit(use.call, code("print(", use.receiver, ")")))
    else:
        edits.edits.append(Edit(use.call, code("print(ModelSummary(", use.receiver, "))")))


def save_weights(edits: Edits, use: Use) -> None:
    edits.draft(use)
    check_rest(use, {"filepath", "overwrite", "save_format", "include_optimizer"})
    path = need(use, "filepath")
    assert path.span is not None and use.receiver is not None
    edits.note(
        "K2T800", Severity.INFO, "the file is a torch state dict now, whatever its suffix", use.call
    )
    edits.edits.append(
        Edit(use.call, code("torch.save(", use.receiver, ".state_dict(), ", path.span, ")"))
    )


def load_weights(edits: Edits, use: Use) -> None:
    edits.draft(use)
    check_rest(use, {"filepath"})
    path = need(use, "filepath")
    assert path.span is not None and use.receiver is not None
    edits.note(
        "K2T801",
        Severity.WARNING,
        "reads what this script saves with torch; a Keras weights file does not fit",
        use.call,
    )
    edits.edits.append(
        Edit(use.call, code(use.receiver, ".load_state_dict(torch.load(", path.span, "))"))
    )


def load_model(edits: Edits, use: Use) -> None:
    """``load_model``: a new instance with the saved weights, of the script's only class."""
    if len(edits.classes) != 1 or use.target is None or (not use.alone and use.how != "name"):
        raise NotMigrated("K2T802", "which class load_model brings back is not known", use.call)
    made = next(iter(edits.classes.values()))
    if made.parameters:
        raise NotMigrated(
            "K2T802", "load_model of a class with parameters is not carried over", use.call
        )
    source = edits.program.source
    inner = Span(source.text.index("(", use.call.start) + 1, use.call.end - 1)
    name = source.slice(use.target)
    text: Code = code(f"{name} = {made.name}()\n{name}.load_state_dict(torch.load(", inner, "))")
    edits.edits.append(Edit(use.stmt, Snippet("code", {"code": text})))


def count_params(edits: Edits, use: Use) -> None:
    edits.draft(use)
    edits.edits.append(
        Edit(use.call, code("sum(p.numel() for p in ", use.receiver or "", ".parameters())"))
    )


# ---------------------------------------------------------------------- functions of Keras


def util(edits: Edits, use: Use) -> None:
    name = str(use.data.get("row"))
    if use.data.get("dataset"):
        return dataset(edits, use, name)
    handlers = {
        "to_categorical": to_categorical,
        "pad_sequences": pad_sequences,
        "sequences_to_matrix": sequences_to_matrix,
        "normalize": lambda e, u: helper_call(e, u, "normalize"),
        "imdb_word_index": lambda e, u: word_index(e, u, "imdb"),
        "reuters_word_index": lambda e, u: word_index(e, u, "reuters"),
    }
    handlers[name](edits, use)
    return None


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
        if arg.span is not None and key != "path" and not (helper == "load_cifar100")
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


def word_index(edits: Edits, use: Use, name: str) -> None:
    chosen = emit(edits, "load_word_index", "load_word_index", use)
    edits.edits.append(Edit(use.call, (f'{chosen}("{name}")',)))


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
    if use.data.get("base") not in ("keras.utils.PyDataset", "keras.utils.Sequence"):
        raise NotMigrated(
            "K2T902", f"a subclass of {use.data.get('base')} is not migrated", use.call
        )
    methods = use.data["methods"]
    assert isinstance(methods, tuple)
    if "on_epoch_end" in methods:
        raise NotMigrated("K2T611", "a Sequence with on_epoch_end is not carried over", use.call)
    for base in use.data["bases"]:  # type: ignore[attr-defined]
        edits.edits.append(Edit(base, ("Dataset",)))
    kwargs, parent = use.data["kwargs"], use.data["super"]
    if isinstance(kwargs, Span):
        edits.edits.append(Edit(kwargs, ()))
    if isinstance(parent, Span):
        edits.removed.append(parent)
    for number, (span, dtype) in enumerate(use.data["returns"]):  # type: ignore[attr-defined]
        if number == 0 and dtype != "float32" and dtype is not None and not dtype.startswith("int"):
            edits.edits.append(Edit(span, code(bracketed(edits, span), '.astype("float32")')))
        elif number == 0 and dtype is None:
            edits.edits.append(Edit(span, code("np.asarray(", span, ', dtype="float32")')))


def bracketed(edits: Edits, span: Span) -> Code:
    text = edits.program.source.slice(span)
    return (span,) if text.replace("_", "").replace(".", "").isalnum() else ("(", span, ")")


HANDLERS = {
    "fit": fit,
    "evaluate": evaluate,
    "predict": predict,
    "call": call,
    "summary": summary,
    "save": save_weights,
    "save_weights": save_weights,
    "load_weights": load_weights,
    "load_model": load_model,
    "count_params": count_params,
    "util": util,
    "seed": seed,
    "drop": drop,
    "constant": constant,
    "static_if": static_if,
    "class": sequence,
}
