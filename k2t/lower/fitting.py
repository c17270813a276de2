"""``fit`` becomes a Trainer with its loaders."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Code, code
from k2t.ir.torch import Edit, Snippet
from k2t.ir.values import Arg, Array, Const, Sym, Tuple, as_int
from k2t.lower import text as t
from k2t.lower.asked import goes_on, validates
from k2t.lower.batches import counts, yields
from k2t.lower.callbacks import check_callbacks, given_callbacks, runs
from k2t.lower.edits import (
    IGNORED,
    Edits,
    batch_option,
    cast,
    is_sequence,
    need,
    weight_parts,
    with_weights,
)
from k2t.lower.feeding import (
    KINDS,
    data_loader,
    first_array,
    floats,
    inputs,
    loader,
    outputs,
    sample,
    several,
    target_kind,
)
from k2t.lower.history import history_class
from k2t.lower.images import check_steps, is_flow
from k2t.lower.model import Draft
from k2t.lower.precision import precision

FIT_CARRIED = {
    "x", "y", "batch_size", "epochs", "verbose", "validation_split", "validation_data", "shuffle",
    "class_weight", "sample_weight", "validation_batch_size", "validation_x", "validation_y",
    "validation_w", "callbacks", "initial_epoch", "validation_freq",
}  # fmt: skip


def fit(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    if draft.loss is None:
        raise NotMigrated("K2T701", "fit of a model that is not compiled", use.call)
    check_fit(use)
    check_callbacks(edits, use)
    note_repeated(edits, use)
    if not use.alone and use.how not in ("name", "return"):
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
    values["quiet"] = quiet(edits, use)
    values["compiles"] = compiles(edits, use, draft)
    values["devices"] = any(other.kind == "strategy" for other in edits.program.uses)
    values["precision"] = precision(edits.program)
    values["train_steps"] = limit(edits, use, "steps_per_epoch", "x")
    values["val_steps"] = limit(edits, use, "validation_steps", "validation_data")
    values["every"] = validation_freq(edits, use)
    first = use.args.get("initial_epoch")
    values["first"] = None
    if first is not None and first.span is not None and not t.same_value(first.value, 0):
        values["first"] = (first.span,)
    values["lazy"] = lazy_sample(edits, use, draft, x)
    history = history_variable(edits, use)
    values["returns"] = use.how == "return"
    values["history"] = history
    values["callbacks"] = given_callbacks(edits, use, with_fresh_logs(edits, use, history))
    if history:
        helper, rate = history_class(edits, use)
        edits.training[helper] = edits.name("History")
        values["rate"] = f'"{rate}"' if rate is not None else ""
        values["History"] = edits.name("History")
    edits.trainers.append(use)
    edits.edits.append(Edit(use.stmt, Snippet("fit", values)))


def compiles(edits: Edits, use: Use, draft: Draft) -> bool:
    """Whether the model is compiled before this fit: ``jit_compile=True``, and it is its first."""
    said = draft.model.compile.args.get("jit_compile") if draft.model.compile is not None else None
    if said is None or not t.same_value(said.value, True):
        return False
    if any(set(other.models) & set(use.models) for other in edits.trainers):
        return False
    why = "jit_compile: torch compiles forward, not the whole step, when the model is first called"
    edits.note("K2T727", Severity.INFO, why, said.span or use.call)
    return True


def note_repeated(edits: Edits, use: Use) -> None:
    """Fitted a model goes on with its optimizer: configure_optimizers hands it back."""
    if "loaded" in use.data["states"] and is_loaded(edits, use):
        compile_ = edits.draft(use).model.compile
        if compile_ is not None and compile_.again:
            why = "a loaded model is fitted, and its class is compiled in several ways"
            raise NotMigrated("K2T804", why, use.call)
        message = "the optimizer starts afresh: the file holds weights, Keras's its state as well"
        edits.note("K2T804", Severity.WARNING, message, use.call)
    elif goes_on(use):
        edits.note(
            "K2T720",
            Severity.INFO,
            "the model is fitted again: it goes on with its optimizer (momentum, step count)",
            use.call,
        )


def is_loaded(edits: Edits, use: Use) -> bool:
    """Whether the variable that is fitted is one that ``load_model`` is assigned to."""
    source = edits.program.source
    loads = [u for u in edits.program.uses if u.kind == "load_model" and u.target is not None]
    receiver = source.slice(use.receiver) if use.receiver is not None else None
    return any(source.slice(u.target) == receiver for u in loads if u.target is not None)


def with_fresh_logs(edits: Edits, use: Use, history: str | None) -> str | None:
    """The history, and what clears the logs where not each epoch has a validation."""
    given = any(run.callbacks for run in runs(use) if run is not None)
    if validation_freq(edits, use) is None or not (history or given):
        return history
    name = edits.name("FreshLogs")
    edits.training["FreshLogs"] = name
    return f"{history}, {name}()" if history else f"{name}()"


def validation_freq(edits: Edits, use: Use) -> Code | None:
    """After how many epochs there is a validation.

    Raises:
        NotMigrated: after certain ones, or a ModelCheckpoint of the best is given.
    """
    arg = use.args.get("validation_freq")
    if arg is None or arg.span is None or t.same_value(arg.value, 1) or not validates(use):
        return None
    if not isinstance(arg.value, Const | Sym) or not isinstance(t.data(arg.value), int | type(...)):
        raise NotMigrated("K2T703", "validation_freq of certain epochs", arg.span)
    given = [obj for run in runs(use) if run is not None for obj in run.callbacks]
    best = [t.get(obj.args, "save_best_only") for obj in given if obj.row == "ModelCheckpoint"]
    if not all(t.is_none(one) or t.same_value(one, False) for one in best):
        why = (
            "validation_freq beside ModelCheckpoint(save_best_only=True): versions of Keras differ"
        )
        raise NotMigrated("K2T703", why, arg.span)
    return (arg.span,)


def lazy_sample(edits: Edits, use: Use, draft: Draft, x: Arg) -> Code | None:
    """One batch for the dry run that gives lazy layers their sizes."""
    if not edits.classes[draft.model.id].lazy:
        return None
    assert x.span is not None
    if is_sequence(x.value):
        return code("torch.as_tensor(", x.span, "[0][0])")
    return sample(edits, use, draft, x)


def check_fit(use: Use) -> None:
    for name, arg in use.args.items():
        if name in FIT_CARRIED | steps_of(use) | counts(use) or name in IGNORED or arg.span is None:
            continue
        if t.is_none(arg.value):
            continue
        if name == "validation_steps" and of_arrays(use):
            if as_int(arg.value) is None and not (
                isinstance(arg.value, Sym) and arg.value.type == "int"
            ):
                raise NotMigrated("K2T703", "validation_steps is not known to be whole", arg.span)
            continue
        if name == "steps_per_epoch" and "y" in use.args:
            why = "steps_per_epoch of arrays: versions of Keras take other batches of them"
            raise NotMigrated("K2T703", why, arg.span)
        raise NotMigrated("K2T703", f"fit({name}=...) is not carried over", arg.span)


def of_arrays(use: Use) -> bool:
    """Whether a fit validates on arrays."""
    data = use.args.get("validation_data")
    if data is None or t.is_none(data.value):
        return validates(use)
    return isinstance(data.value, Tuple)


def steps_of(use: Use) -> set[str]:
    """The limits of a fit that the Trainer keeps to: those of batches that flow."""
    limits = (("steps_per_epoch", "x"), ("validation_steps", "validation_data"))
    return {name for name, data in limits if data in use.args and is_flow(use.args[data].value)}


def limit(edits: Edits, use: Use, name: str, data: str) -> Code | None:
    """How many batches of a flow an epoch takes."""
    arg = use.args.get(name)
    if arg is None or arg.span is None or t.is_none(arg.value):
        return None
    if name == "validation_steps" and of_arrays(use):
        return (arg.span,)
    if name not in steps_of(use):
        return None
    check_steps(use.args[data].value, arg)
    if edits.program.dialect != "tf_keras":
        edits.note(
            "K2T614",
            Severity.WARNING,
            f"{name}: an epoch of Keras goes on where the last one ended; here each begins anew",
            arg.span,
        )
    return (arg.span,)


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
    parts = [(inputs, x), (outputs, y)]
    train = [part(edits, use, draft, arg, f"[:{at}]") for part, arg in parts]
    val = [part(edits, use, draft, arg, f"[{at}:]") for part, arg in parts]
    kinds = [KINDS[draft.model.input_kind], target_kind(use, draft, y)]
    if weights is not None:
        train.append(code(weights, f"[:{at}]"))
        val += [code(weights, f"[{at}:]")] if "sample_weight" in use.args else []
    options = [*batch, *([(f"shuffle={shuffle}",)] if shuffle else [])]
    val_batch = batch_option(use, "validation_batch_size") or batch
    return {
        "split": at,
        "x": first_array(use, x),
        "fraction": (split.span,),
        "train": loader(edits, kinds, train, options),
        "val": loader(edits, kinds, val, val_batch),
    }


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
    if is_sequence(data.value) or is_flow(data.value) or yields(data.value):
        return data_loader(edits, use, draft, data, None, [])
    if isinstance(data.value, Tuple) and len(data.value.items) in (2, 3):
        dtypes = [v.dtype if isinstance(v, Array) else None for v in data.value.items]
        if several(draft.model) or len(draft.model.outputs) > 1:
            raise NotMigrated(
                "K2T606", "validation_data of several arrays in a variable", data.span
            )
        if floats(edits, draft) and dtypes[0] not in ("float32", None):
            raise NotMigrated("K2T606", "validation_data needs a cast to float32", data.span)
        return loader(edits, ["array"], [code("*", data.span)], batch)
    raise NotMigrated("K2T606", "what validation_data holds is not known", data.span)


def quiet(edits: Edits, use: Use) -> object:
    """``enable_progress_bar`` for ``verbose``: False for 0, an expression for a variable."""
    arg = use.args.get("verbose")
    if arg is None or arg.span is None:
        return None
    if isinstance(arg.value, Const):
        rows = edits.ctx.table.rows["callbacks"]
        given = [obj for run in runs(use) if run is not None for obj in run.callbacks]
        shown = any(rows[obj.row].get("shows") for obj in given)
        return "False" if arg.value.value == 0 and not shown else None
    return code("bool(", arg.span, ")")


def history_variable(edits: Edits, use: Use) -> str | None:
    """The variable of ``history = model.fit(...)``, if anything reads it."""
    if use.how == "return":
        return edits.name("history")
    if use.target is None:
        return None
    reads = any(u.kind == "history" and use.call in u.data["fits"] for u in edits.program.uses)
    reads = reads or bool(use.data.get("held"))
    return edits.program.source.slice(use.target) if reads else None
