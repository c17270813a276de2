"""A Keras model and its compile call become one module class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node, Parameter
from k2t.ir.program import Branch, Fed, Item, Leaf, Loop, Model, Use
from k2t.ir.source import Code, Span
from k2t.ir.torch import Line, ModuleClass, Optimizer, Step
from k2t.ir.values import NONE, Array, Shape, Value, as_int
from k2t.lower import heads, initial
from k2t.lower import text as t
from k2t.lower.applications import convolutions, pretrained_parts
from k2t.lower.asked import fitted_again, refreshes, validates
from k2t.lower.batchwise import batchwise, by_batches, stepped, without_cast
from k2t.lower.chain import conversion, lower_items, simplified
from k2t.lower.compiles import check_compile, check_others
from k2t.lower.constraints import held_lines
from k2t.lower.custom import in_inference_mode, made_of, note_inference_mode
from k2t.lower.groups import Chain, assemble
from k2t.lower.heads import Head
from k2t.lower.initial import Made, own_names
from k2t.lower.lossless import added_loss
from k2t.lower.masking import check_metrics, counted
from k2t.lower.masks import as_graph, has_masking
from k2t.lower.metrics import Metric, lower_metrics, objects, setups, weighted_ones
from k2t.lower.ops import Context, dim_text, located, names_in
from k2t.lower.optimizer_rows import note_embedding
from k2t.lower.optimizers import lasting
from k2t.lower.own import logged
from k2t.lower.packing import packed_chain
from k2t.lower.parts import (
    check_once,
    check_parts,
    handed,
    handed_in,
    in_inference,
    layers_of,
    own_starts,
    part_name,
    parts_of,
    with_penalties,
)
from k2t.lower.pieces import AnyPiece, Piece, State
from k2t.lower.recompile import Settings, optimizers, setting_lines
from k2t.lower.steps import build_step, prediction_text, texts_of
from k2t.lower.structured import functional_chain, note_unrolled
from k2t.lower.targets import Loss, Output, check_weights, lower_loss

ENDINGS = ("Dense", "Activation", "Conv1D", "Conv2D", "Conv3D")


@dataclass
class Draft:
    """A model half lowered: its chain is there, the class is not yet."""

    model: Model
    chain: Chain
    output: Output
    loss: Loss | None
    metrics: list[Metric] = field(default_factory=list)
    optimizer: Optimizer | None = None
    y: Array | None = None
    weighted: bool = False
    name: str = "Model"
    heads: tuple[Head, ...] = ()
    settings: Settings | None = None
    dialect: str = "keras3"

    @property
    def made(self) -> list[Made]:
        return self.chain.paths


def last_leaf(items: Sequence[Item]) -> Leaf | None:
    """The leaf a Sequential ends in, if it does not stand in a loop."""
    for item in reversed(items):
        if isinstance(item, Leaf):
            return item
        if isinstance(item, Loop | Branch):
            return None
    return None


def draft(
    ctx: Context, model: Model, targets: Value | None, weighted: bool, parts: Fed | None = None
) -> Draft:
    """Lower the layers, loss, metrics and optimizer of a model.

    Raises:
        NotMigrated: something of it cannot be carried over.
    """
    if model.problem is not None:
        raise NotMigrated(*model.problem)
    y = targets if isinstance(targets, Array) else None
    output = model_output(ctx, model)
    ctx.functions = model.compile.functions if model.compile is not None else {}
    loss = None
    many: tuple[Head, ...] = ()
    if model.compile is not None and len(model.outputs) > 1:
        check_compile(model, {"loss_weights"})
        if weighted or model.compile.others:
            raise NotMigrated(
                "K2T304", "weights of samples for several outputs", model.compile.span
            )
        outputs = [model_output(ctx, model, i) for i in range(len(model.outputs))]
        many = heads.lower_heads(ctx, model, outputs, parts)
        loss = many[0].loss
    elif model.added is not None:
        loss = added_loss(model, weighted)
    elif model.compile is not None:
        check_compile(model)
        loss_value = heads.of_only_output(model.compile, "loss")
        if t.is_none(loss_value):
            raise NotMigrated(
                "K2T305", "compile without a loss is not carried over", model.compile.span
            )
        with located(model.compile.args["loss"].span):
            loss = lower_loss(ctx, loss_value, output, y)
            check_weights(loss, y, output, weighted)
        if weighted and len(output.shape or ()) > 1:
            raise NotMigrated(
                "K2T303", "weights of sequences or images are not carried over", model.compile.span
            )
    folded = loss.folded if loss is not None else None
    if many:
        numbers = [n for n, h in zip(model.outputs, many, strict=True) if h.loss.folded]
        chain = functional_chain(ctx, model, numbers, heads.endings(many))
    else:
        own_tail = loss is None or loss.row.get("tail") == folded
        chain = lower_chain(ctx, model, folded, own_tail)
    chain.paths += made_of(ctx, layers_of(model))
    chain.paths += convolutions(ctx, model, chain.paths)
    note_inference_mode(ctx, model, chain.paths)
    if passed := {**{name: name for name in chain.passed}, **handed_in(model)}:
        model = replace(
            model,
            parameters=(*model.parameters, *map(Parameter, passed)),
            arguments=(*model.arguments, *passed.values()),
        )
    if chain.masked is not None and model.compile is not None:
        output, y = counted(model, chain.masked, output, y, weighted or bool(many) or loss is None)
        loss = lower_loss(ctx, t.get(model.compile.args, "loss"), output)
    made = Draft(
        model, chain, output, loss, y=y, weighted=weighted, heads=many, dialect=ctx.dialect
    )
    if loss is not None and model.compile is not None:
        note_embedding(ctx, model, chain)
        args = model.compile.args
        if many and not t.is_none(t.get(args, "weighted_metrics")):
            place = args["weighted_metrics"].span
            raise NotMigrated("K2T304", "weighted_metrics of several outputs", place)
        with located(args["metrics"].span if "metrics" in args and not many else None):
            value = NONE if many else heads.of_only_output(model.compile, "metrics")
            made.metrics = lower_metrics(ctx, value, output, loss, y)
            made.metrics += weighted_ones(ctx, made.metrics, args, output, loss, y, weighted)
            check_metrics(made.metrics, chain.masked, model)
        with located(args["optimizer"].span if "optimizer" in args else None):
            made.optimizer, made.settings = optimizers(ctx, model)
        check_others(ctx, model, made, output, y)
    return made


def model_output(ctx: Context, model: Model, number: int = 0) -> Output:
    """An output's shape and the activation it ends in."""
    node: Node | None
    if model.kind == "sequential":
        leaf = last_leaf(model.body)
        node = leaf.node if leaf else None
        shape: Shape | None = leaf.node.shape if leaf else None
    else:
        nodes = {i.node.id: i.node for i in model.body if isinstance(i, Leaf)}
        node = nodes.get(model.outputs[number]) if model.outputs else None
        shape = node.shape if node else None
    tail = tail_of(ctx, node) if node is not None else None
    # torchmetrics wants an int, and what the script computes may be one of numpy's
    known = bool(shape) and as_int(shape[-1]) is not None  # type: ignore[index]
    known = known and not any(n.name in model.local_names for n in names_in(shape))
    classes = dim_text(shape[-1]) if shape and known else None
    given = node.layer.args.get("tail") if node is not None and node.layer is not None else None
    return Output(shape, tail, classes, str(t.data(given.value)) if given is not None else None)


def tail_of(ctx: Context, node: Node) -> str | None:
    """The activation of the last layer, if it is a plain one by name."""
    layer = node.layer
    if layer is None:
        return None
    if layer.row == "Softmax":
        return "softmax"
    if "time_distributed" in layer.args:
        return None
    if layer.row == "Model":
        return ctx.endings.get(layer.id)
    if "activation" in layer.args and layer.row in ENDINGS:
        from k2t.lower.activations import activation_row

        row = activation_row(ctx, t.get(layer.args, "activation"))
        return row.name if row is not None else None
    return None


def lower_chain(ctx: Context, model: Model, folded: str | None, own_tail: bool) -> Chain:
    ending = ""
    if folded is not None:
        ending = f"logits: the {folded} is in the loss"
        if not own_tail:
            ending = f"logits: the loss takes them from before the {folded}"
    if has_masking(model):
        model = as_graph(model)
    if model.kind == "functional":
        return functional_chain(ctx, model, model.outputs[:1] if folded else (), ending)
    if model.tangled is not None:
        note_unrolled(ctx, model.tangled)
    first = model.inputs[0]
    rank = len(first.shape) if first.shape is not None else None
    state = State(rank=rank)
    helpers, notes = dict(ctx.helpers), list(ctx.notes)
    pieces = lower_items(ctx, model.body, state)
    if folded is not None:
        drop_tail(pieces, folded)
    if state.layout == "first" and (state.rank or 0) > 1:
        pieces.append(conversion(state, "last"))
    pieces = simplified(pieces)
    chain = packed_chain(pieces, assemble(pieces, folded is not None, "x", ending))
    if chain is not None:
        return chain
    ctx.helpers, ctx.notes = helpers, notes
    whole = as_graph(model)
    return functional_chain(ctx, whole, whole.outputs if folded else (), ending)


def drop_tail(pieces: list[AnyPiece], folded: str) -> None:
    """Take the final activation away; its layer's comments stay with what is left."""
    last = pieces[-1]
    if not isinstance(last, Piece) or last.op.activation != folded:
        raise NotMigrated("K2T302", f"the final {folded} was not found")
    pieces.pop()


# ---------------------------------------------------------------------- the class


def finish(
    ctx: Context,
    made: Draft,
    common: initial.Plan,
    uses: Sequence[Use],
    drafts: Mapping[int, Draft],
) -> ModuleClass:
    """The module class of a draft, once the common initialisation is settled."""
    model = made.model
    params = {p.name: f"self.{p.name}" for p in model.parameters}
    check_parts(made, drafts)
    parts = parts_of(model)
    settled = pretrained_parts(ctx, made.made)
    alone = not parts and not model.owners and not settled
    penalty = with_penalties(initial.penalty_lines(made.made, params, alone), made, drafts)
    check_once(ctx, made, drafts)
    constrained = held_lines(made, drafts, params, uses)
    trained = made.loss is not None
    validating = any(validates(u) for u in uses)
    step, before, predicted = None, None, prediction_text(made)
    if made.heads:
        step = heads.build_step(made.heads, bool(penalty), params, validating)
        before, predicted = heads.prediction(made.heads)
    elif trained and model.added is not None:
        step = Step("", (), ())
    elif trained:
        step = build_step(made, bool(penalty), params, validating)
    if step is not None:
        said = logged(ctx, made.made)
        if said and step.size != "1":
            raise NotMigrated("K2T114", "a mask that reaches the loss, and add_metric", model.span)
        step = replace(step, means=(*step.means, *said))
    optimizer = own_optimizer(made.optimizer, params, model)
    on_batches = batchwise(ctx, made, step, drafts, uses) if step and by_batches(uses) else None
    if step and optimizer is not None and on_batches is not None:
        step, optimizer = without_cast(step), stepped(optimizer, on_batches.parameters)
    elif optimizer is not None and fitted_again(uses):
        optimizer = lasting(optimizer)
    texts = texts_of(step, optimizer, (*penalty, *constrained), made)
    held = {*map(part_name, handed(model)), *(name for _, name in model.owners.values())}
    kept = tuple(
        p for p in params if p not in held and any(re.search(rf"self\.{p}\b", s) for s in texts)
    )
    lazy = any(op.lazy for _, op, _ in made.made)
    if lazy and (not alone or not any(u.kind == "fit" for u in uses)):
        raise NotMigrated(
            "K2T119", "an input width is not known, and no fit is seen that would tell", model.span
        )
    starting = list(
        dict.fromkeys(p for path in starts(common, made) for p in holders(ctx, made, path))
    )
    others = [path for path, _, layer in made.made if layer.row == "Model"]
    home = model.home if model.home and model.home.becomes_class else None
    own = () if alone else own_starts(starting, [*others, *settled])
    return ModuleClass(
        name=made.name,
        parameters=tuple(parameter_code(p.name, p.default) for p in model.parameters),
        attributes=kept,
        init=(
            *made.chain.groups,
            *setups(made.loss, made.metrics),
            *setting_lines(made.settings, [*params]),
        ),
        after=(
            *own,
            *initial.special_lines(ctx, common, made.made, model.local_names),
            *in_inference_mode(ctx, model, made.made),
            *in_inference(made, drafts, uses),
        ),
        lazy=lazy,
        applies=bool(starting) and alone,
        forward=forward_arguments(model),
        lines=tuple(made.chain.lines),
        docstring=home.docstring if home else None,
        comments=home.comments if home else (),
        penalty=penalty,
        constraints=constrained,
        step=step,
        predict=predicted if trained and on_batches is None else None,
        before_predict=before,
        optimizer=optimizer,
        validates=validating,
        epoch_hook=any(refreshes(u) for u in uses),
        objects=heads.objects(made.heads) or objects(made.metrics),
        tests=any(u.kind == "evaluate" for u in uses),
        batchwise=on_batches,
    )


def starts(common: initial.Plan, made: Draft) -> list[str]:
    """The modules that ``init_weights`` is about."""
    return [
        path
        for path, op, _ in made.made
        if op.module is not None and common.common.get(initial.torch_class(op)) is not None
    ]


def holders(ctx: Context, made: Draft, path: str) -> list[str]:
    """Where the model has what is at a path: a module of a layer of the script by that layer, if
    the layer is not another model's."""
    name, inner, _ = path.partition(":")
    if not inner or all(found.layer.name != name for found in ctx.layers.values()):
        return [path]
    found = [p for p, op, _ in made.made if (op.module or "").partition("(")[0] == name]
    return [p for one in found for p in holders(ctx, made, one)]


def parameter_code(name: str, default: object) -> Code:
    return (f"{name}=", default) if isinstance(default, Span) else (name,)


def forward_arguments(model: Model) -> str:
    if model.kind == "sequential" or (len(model.inputs) == 1 and model.input_kind == "one"):
        node = model.inputs[0]
        return node.names[0] if node.names else "x"
    return "inputs"


def own_optimizer(
    optimizer: Optimizer | None, params: dict[str, str], model: Model
) -> Optimizer | None:
    if optimizer is None:
        return None

    def own(lines: Sequence[Line]) -> tuple[Line, ...]:
        return tuple(replace(line, text=own_names(line.text, params)) for line in lines)

    comments = model.compile.comments if model.compile else ()
    result = own_names(optimizer.result, params)
    hook = own(optimizer.hook)
    return Optimizer(own(optimizer.lines), result, comments, hook, optimizer.callbacks)
