"""Uses of a trained model: evaluate, predict, save, load; and which function lowers which use."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit, Snippet
from k2t.ir.values import Arg, Array
from k2t.lower import looped, scorers, stateful
from k2t.lower import text as t
from k2t.lower.batches import counts
from k2t.lower.batchwise import ending
from k2t.lower.callback_kinds import told
from k2t.lower.callbacks import callback
from k2t.lower.classes import looked_up, weight
from k2t.lower.configured import devices, replicas, strategy, undecorated, unwrapped, version
from k2t.lower.edits import (
    Edits,
    batch_option,
    cast,
    check_rest,
    need,
    weight_parts,
    with_weights,
)
from k2t.lower.feeding import data_loader, fed_parts, floats, inputs, several
from k2t.lower.fitting import fit
from k2t.lower.freezing import called_in_inference, freeze
from k2t.lower.functions import application, constant, drop, seed, sequence, static_if, util
from k2t.lower.history import history_key
from k2t.lower.images import flow, generator, generator_fit
from k2t.lower.inplace import in_place, operation
from k2t.lower.model import Draft
from k2t.lower.precision import policy, precision
from k2t.lower.saving import load_model, load_weights, save_weights
from k2t.lower.trainers import called_back, trainer_for
from k2t.lower.weights import get_state, get_weights, set_state, set_weights


def lower_use(edits: Edits, use: Use) -> None:
    """Dispatch on the kind of use.

    Raises:
        NotMigrated: the use stays as it is.
    """
    handler = HANDLERS.get(use.kind)
    stateful.check(edits, use)
    if handler is not None:
        handler(edits, use)


def evaluate(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    if draft.loss is None or use.receiver is None:
        raise NotMigrated("K2T701", "evaluate of a model that is not compiled", use.call)
    if looped.by_batches(edits, use):
        return looped.evaluate(edits, use)
    carried = {
        "x",
        "y",
        "batch_size",
        "verbose",
        "return_dict",
        "sample_weight",
        *whole(edits, use),
    }
    check_rest(use, carried | counts(use))
    x = need(use, "x")
    made = data_loader(edits, use, draft, x, use.args.get("y"), batch_option(use))
    weights = weight_parts(edits, use, use.args.get("y"))
    made = with_weights(made, weights)
    if called_back(edits, use):
        edits.training["evaluate"] = edits.name("evaluate")
        call = code(edits.name("evaluate"), "(", use.receiver, ", ", made, ")")
    else:
        trainer = trainer_for(edits, use)
        test = code(f"{trainer}.test(", use.receiver, ", ", made, ", verbose=False)")
        call = code(test, "[0]")
    as_dict = "return_dict" in use.args and t.flag(use.args, "return_dict")
    if draft.heads and not as_dict and use.how != "nothing":
        raise NotMigrated("K2T304", "the list that evaluate gives of several outputs", use.call)
    if use.how == "nothing" and not as_dict:
        receiver, quiet = use.receiver, quiet_test(use)
        if called_back(edits, use):
            unread = call if quiet else code("print(", call, ")")
        else:
            unread = code(f"{trainer}.test(", receiver, ", ", made, quiet, ")")
        edits.edits.append(Edit(use.call, unread))
        return
    if not as_dict and draft.metrics != sorted(draft.metrics, key=lambda m: m.mean):
        tests = code("[", call, "]") if called_back(edits, use) else test
        edits.edits.append(Edit(use.call, in_order(draft, tests)))
        return
    if as_dict and (draft.metrics or draft.heads):
        head, tail = "dict(sorted(", ".items()))"
    elif as_dict:
        head, tail = "", ""
    elif not draft.metrics:
        head, tail = "", '["loss"]'
    else:
        head, tail = ("", ".values()") if use.how == "unpack" else ("list(", ".values())")
    if use.target is None or use.how not in ("unpack", "name") or called_back(edits, use):
        edits.edits.append(Edit(use.call, code(head, call, tail)))
        return
    target = edits.program.source.slice(use.target)
    name = target if target.isidentifier() else edits.name("results")
    values = {"target": target, "name": name, "head": head, "call": test, "tail": tail}
    edits.edits.append(Edit(use.stmt, Snippet("results", values)))


def whole(edits: Edits, use: Use) -> set[str]:
    """``steps`` of arrays without ``batch_size``: batches are as large as takes all rows."""
    arrays = isinstance(use.args["x"].value, Array) if "x" in use.args else False
    alone = "batch_size" not in use.args or t.is_none(use.args["batch_size"].value)
    return {"steps"} if arrays and alone and edits.program.dialect != "keras2" else set()


def in_order(draft: Draft, tests: Code) -> Code:
    """Loss and metrics in Keras's order: those of which it takes the plain mean of the batches are
    logged behind the others."""
    names = ", ".join(t.literal(name) for name in ("loss", *(m.log for m in draft.metrics)))
    return code("[logs[name] for logs in ", tests, f" for name in ({names})]")


def quiet_test(use: Use) -> str:
    """Where the result of evaluate is not used it is printed, unless verbose is 0."""
    return ", verbose=False" if t.same_value(t.get(use.args, "verbose"), 0) else ""


def predict(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    check_rest(use, {"x", "batch_size", "verbose"} | counts(use) | whole(edits, use))
    x = need(use, "x")
    classes = use.data.get("classes")
    if classes and (draft.loss is None or draft.heads or draft.output.units is None):
        raise NotMigrated("K2T704", "predict_classes of a model without known outputs", use.call)
    if draft.loss is None or (called_back(edits, use) and not (classes or draft.heads)):
        return plain_predict(edits, use, draft, x)
    if looped.by_batches(edits, use):
        return looped.predict(edits, use)
    made = data_loader(edits, use, draft, x, None, batch_option(use))
    trainer = trainer_for(edits, use)
    edits.predicted.add(draft.model.id)
    if use.how == "nothing":  # for the states that it leaves
        bare = code(f"{trainer}.predict(", use.receiver or "", ", ", made, ")")
        edits.edits.append(Edit(use.call, bare))
        return None
    if draft.heads:
        batches = code(f"zip(*{trainer}.predict(", use.receiver or "", ", ", made, "))")
        each = f"torch.cat(output){single(edits)}.numpy()"
        names = ", ".join(f'"{head.name}"' for head in draft.heads)
        named = code(f"{{name: {each} for name, output in zip([{names}], ", batches, ")}")
        listed = code(f"[{each} for output in ", batches, "]")
        as_dict = draft.model.output_kind == "dict"
        edits.edits.append(Edit(use.call, named if as_dict else listed))
        return None
    head, ending = "", ""
    if classes and draft.output.units == 1:
        head, ending = "(", " > 0.5).int()"
    elif classes:
        ending = ".argmax(-1)"
    else:
        ending = single(edits)
    result = code(
        f"{head}torch.cat({trainer}.predict(", use.receiver or "", ", ", made, f")){ending}.numpy()"
    )  # fmt: skip
    edits.edits.append(Edit(use.call, result))
    return None


def single(edits: Edits) -> str:
    """numpy has no bfloat16: what is computed in half precision is handed out in single."""
    return ".float()" if precision(edits.program) is not None else ""


def plain_predict(edits: Edits, use: Use, draft: Draft, x: Arg) -> None:
    """``predict`` of a model that is trained elsewhere, or just now: one pass under no_grad."""
    if x.span is None:
        raise NotMigrated("K2T704", "predict of data that are not written here", use.call)
    check_modes(edits, use)
    name = edits.name("predict")
    if draft.model.input_kind == "dict":
        given: Code = inputs(edits, use, draft, x)
        edits.training["predict_named"] = name
    elif several(draft.model):
        fed_parts(edits, use, draft, x)
        given = (x.span,)
        edits.training.pop("predict", None)
        edits.training["predict_parts"] = name
    else:
        given = inputs(edits, use, draft, x)
        if "predict_parts" not in edits.training:
            edits.training["predict"] = name
    check_helpers(edits, use)
    call = code(name, "(", use.receiver or "", ", ", given, ")")
    many = draft.model.output_kind != "one"
    if draft.model.output_kind == "dict" or (many and len(draft.model.outputs) == 1):
        raise NotMigrated("K2T704", "predict of a part with its outputs in a dict", use.call)
    if use.data.get("classes"):
        raise NotMigrated(
            "K2T704", "predict_classes of a model trained by train_on_batch", use.call
        )
    one = code(call, ending(draft), ".numpy()")
    result = code("[output.numpy() for output in ", call, "]") if many else one
    edits.edits.append(Edit(use.call, result))


def check_helpers(edits: Edits, use: Use) -> None:
    """Refuse arrays in a dict beside others: the script has one function that predicts."""
    if "predict_named" in edits.training and {"predict", "predict_parts"} & edits.training.keys():
        raise NotMigrated("K2T704", "predict of arrays in a dict, and of others", use.call)


def check_modes(edits: Edits, use: Use) -> None:
    """Refuse a model that is run by itself where it may set parts to train that stay in eval()."""
    if called_in_inference(edits):
        why = "a model that is run without being compiled, beside a part called with training=False"
        raise NotMigrated("K2T704", why, use.call)


def call(edits: Edits, use: Use) -> None:
    """``model(x)`` on an array: Keras's output in inference mode, activation included."""
    draft = edits.draft(use)
    value = use.data.get("x")
    if not isinstance(value, Array) or use.receiver is None or draft.heads:
        raise NotMigrated("K2T704", "a model called on something that is no array", use.call)
    check_modes(edits, use)
    inner = use.data["at"]
    assert isinstance(inner, Span)
    if "predict_parts" not in edits.training:
        edits.training["predict"] = edits.name("predict")
    check_helpers(edits, use)
    array = cast(edits, value, inner, floats(edits, draft))
    result = code(edits.name("predict"), "(", use.receiver, ", ", array, ")", ending(draft))
    edits.edits.append(Edit(use.call, result))


def part_call(edits: Edits, use: Use) -> None:
    """``model.encoder(x)`` on an array: a part of a model that is a class of the script."""
    draft = edits.draft(use)
    check_modes(edits, use)
    path = next(p for p, _, layer in draft.made if layer.row == "Custom").removeprefix("self")
    if "predict_parts" not in edits.training:
        edits.training["predict"] = edits.name("predict")
    check_helpers(edits, use)
    array = cast(edits, use.data["x"], use.data["at"], True)
    part = code(use.receiver or "", f"{path}.{use.data['part']}")
    edits.edits.append(Edit(use.call, code(edits.name("predict"), "(", part, ", ", array, ")")))


def summary(edits: Edits, use: Use) -> None:
    draft = edits.draft(use)
    if not use.alone or use.receiver is None:
        raise NotMigrated("K2T705", "the result of summary is used", use.call)
    if draft.loss is None:
        edits.edits.append(Edit(use.call, code("print(", use.receiver, ")")))
    else:
        edits.edits.append(Edit(use.call, code("print(ModelSummary(", use.receiver, "))")))


def metrics_names(edits: Edits, use: Use) -> None:
    """The names as Keras gives them (Keras 3 gives all compiled metrics one name)."""
    draft = edits.draft(use)
    if draft.heads:
        raise NotMigrated("K2T304", "the names of the metrics of several outputs", use.call)
    names = [m.log for m in draft.metrics]
    if edits.program.dialect == "keras3" and names:
        names = ["compile_metrics"]
    listed = ", ".join(t.literal(name) for name in ("loss", *names))
    edits.edits.append(Edit(use.call, (f"[{listed}]",)))


def count_params(edits: Edits, use: Use) -> None:
    edits.draft(use)
    edits.edits.append(
        Edit(use.call, code("sum(p.numel() for p in ", use.receiver or "", ".parameters())"))
    )


def training_said(edits: Edits, use: Use) -> None:
    """``layer(x, training=False)`` in a functional model: Keras 3 does not heed it."""
    text = f"Keras 3 runs {use.data['what']} as fit or predict does, whatever training= says in a "
    text += "functional model (tf.keras heeds it), and so does this"
    edits.note("K2T163", Severity.WARNING, text, use.call)


HANDLERS = {
    "fit": fit,
    "train_on_batch": looped.train_on_batch,
    "evaluate": evaluate,
    "predict": predict,
    "call": call,
    "summary": summary,
    "save": save_weights,
    "save_weights": save_weights,
    "load_weights": load_weights,
    "load_model": load_model,
    "count_params": count_params,
    "metrics_names": metrics_names,
    "reset_states": stateful.reset_states,
    "reset_layer": stateful.reset_layer,
    "util": util,
    "seed": seed,
    "drop": drop,
    "constant": constant,
    "unwrapped": unwrapped,
    "undecorated": undecorated,
    "version": version,
    "devices": devices,
    "strategy": strategy,
    "replicas": replicas,
    "precision": policy,
    "part_call": part_call,
    "static_if": static_if,
    "callback": callback,
    "told": told,
    "training_said": training_said,
    "history_key": history_key,
    "class": sequence,
    "operation": operation,
    "layer_call": operation,
    "asked": operation,
    "in_place": in_place,
    "looked_up": looked_up,
    "metric_state": scorers.state,
    "assigned": scorers.assigned,
    "inner_metric": scorers.inner_metric,
    "inner_update": scorers.inner_update,
    "inner_result": scorers.inner_result,
    "weight": weight,
    "trainable": freeze,
    "get_weights": get_weights,
    "set_weights": set_weights,
    "get_state": get_state,
    "set_state": set_state,
    "application": application,
    "generator": generator,
    "generator_fit": generator_fit,
    "flow": flow,
}
