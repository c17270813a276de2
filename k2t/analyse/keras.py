"""What Keras means: calls and attributes of Keras things, turned into values and events."""

from __future__ import annotations

import ast
from typing import Any

from k2t.analyse import (
    added,
    arguments,
    asked,
    callbacks,
    calls,
    cells,
    chains,
    custom,
    datasets,
    distributed,
    feeding,
    freezing,
    generators,
    graph,
    handed,
    kept,
    methods,
    names,
    nesting,
    operations,
    saved,
    scored,
    scorers,
    weights,
    wrapped,
)
from k2t.analyse.configuring import PLACES
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.methods import CONSTANTS, DROPPED, KINDS, METHODS, OLD_ARGUMENTS, UNREAD
from k2t.analyse.state import Frame, versions_of
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Array,
    Bound,
    Class,
    Const,
    History,
    Instance,
    ListRef,
    ModelRef,
    Obj,
    Ref,
    Sym,
    Tensor,
    Unknown,
    Value,
)
from k2t.table import Row


class Keras:
    """The interpreter's answers about Keras; all state stays in the interpreter."""

    def __init__(self, interp: Interpreter) -> None:
        self.interp = interp
        interp.keras = self
        self.bases: dict[int, str] = {}
        self.parents: dict[int, int] = {}

    # ------------------------------------------------------------------ names

    def star_import(self, base: str, frame: Frame) -> None:
        """``from keras.layers import *`` binds every public name that the table knows."""
        section = names.canonical(base)
        for path in self.interp.table.paths():
            if path.rpartition(".")[0] == section:
                frame.bind(path.rpartition(".")[2], Ref(path))
        more = {"keras.layers": ("Input", "Layer"), "keras.models": ("Sequential", "Model")}
        for name in more.get(section, ()):
            frame.bind(name, Ref(names.canonical(f"{section}.{name}")))

    def attribute(self, path: str, node: ast.Attribute, frame: Frame) -> Value:
        if path != "tensorflow.newaxis":
            return Ref(path)
        self.interp.event("constant", node, frame, value=None, path=path)
        return NONE

    def mentions(self, node: ast.expr, frame: Frame) -> bool:
        """Whether an expression reads a Keras or TensorFlow name."""
        return any(
            isinstance(child, ast.Name) and isinstance(frame.lookup(child.id), Ref)
            for child in ast.walk(node)
        )

    def owns(self, callee: Value) -> bool:
        match callee:
            case Ref() | Obj() | ModelRef():
                return True
            case Bound(receiver=ModelRef() | Obj() | Tensor() | History()):
                return True
            case Unknown(why=why):
                return why is not None
        return custom.owns(self.interp, callee) or scorers.owns(self.interp, callee)

    def bound(self, name: str, value: Value) -> None:
        """A variable was assigned: models and layers remember the name they are known by."""
        interp = self.interp
        self.held(name, value)
        stays = generators.stays(value) or kept.stays(value)
        if stays or callbacks.holds_callbacks(interp, value):
            return
        if isinstance(value, Tensor | Obj) or self.holds_keras(value):
            interp.event("bind", interp.stmt, interp.module, name=name, value=value)

    def held(self, by: str | ast.Attribute, value: Value) -> None:
        nesting.held(self.interp, by, value)

    def holds_keras(self, value: Value) -> bool:
        """Whether a list, tuple or dict is made of layers, tensors, metrics and names only."""
        content = self.interp.heap.get(value.id) if isinstance(value, ListRef) else None
        items = content.values() if isinstance(content, dict) else self.interp.items(value) or ()
        keras = any(isinstance(i, Tensor | Obj) for i in items)
        return keras and all(isinstance(i, Tensor | Obj | Const) for i in items)

    def assign(self, owner: Value, target: ast.Attribute, value: Value, frame: Frame) -> None:
        freezing.assign(self.interp, owner, target, value, frame)

    # ------------------------------------------------------------------ classes of the user

    def define_class(self, stmt: ast.ClassDef, frame: Frame) -> None:
        interp = self.interp
        events = len(interp.events)
        for decorator in stmt.decorator_list:
            interp.eval(decorator, frame)
        base = above = None
        own: list[ast.expr] = []
        for node in stmt.bases:
            value = interp.eval(node, frame)
            own += [node] if isinstance(value, Class) else []
            if isinstance(value, Ref):
                base = value.path
            elif isinstance(value, Class) and self.bases.get(value.index):
                base, above = self.bases[value.index], value.index
        interp.definitions.append((stmt, frame))
        index = len(interp.definitions) - 1
        if above is not None:
            self.parents[index] = above
        if base is not None:
            self.bases[index] = base
        if base in (*custom.BASES, *handed.BASES, *scorers.BASES):
            del interp.events[events:]  # what registers it for files of Keras's goes with them
        if base is not None and base not in custom.BASES:
            interp.event("class", stmt, frame, base=base, index=index, own=own)
        body = Frame(interp.fresh(), stmt, frame)
        interp.frames[body.id] = body
        for item in stmt.body:
            if isinstance(item, ast.Assign | ast.AnnAssign):
                interp.block([item], body)
        frame.bind(stmt.name, Class(index))

    def complete(self) -> None:
        """Follow the classes of the script that are models or in Sequential ones, now that what
        they get is known."""
        for state in list(self.interp.models.values()):
            if state.own is not None:
                wrapped.complete(self.interp, state)
            elif any(entry.layer.row == "Custom" for entry in state.added):
                nesting.output_shapes(self.interp, state)

    def base_of(self, index: int) -> str | None:
        return self.bases.get(index)

    # ------------------------------------------------------------------ calls

    def call(self, callee: Value, node: ast.Call, frame: Frame) -> Value:
        match callee:
            case Ref(path=path):
                return self.call_path(path, node, frame)
            case Obj():
                if wrapped.called_on_data(self.interp, callee, node, frame):
                    model = wrapped.model_of(self.interp, callee).id
                    return self.call_model(model, node, frame)
                return graph.apply(self.interp, callee, node, frame)
            case Class() | Bound() | Instance() if scorers.owns(self.interp, callee):
                return scorers.call(self.interp, callee, node, frame)
            case Class():
                return custom.make(self.interp, callee, node, frame)
            case Bound(receiver=Instance() as layer, name=name):
                return custom.method(self.interp, layer, name, node, frame)
            case ModelRef(id=model):
                return self.call_model(model, node, frame)
            case Bound(receiver=ModelRef(id=model), name=name):
                return self.call_method(model, name, node, frame)
            case Bound(receiver=Obj() as owner, name=name) if kept.owns(owner):
                return kept.call(self.interp, owner, name, node, frame)
            case Bound(receiver=Obj() as layer, name=name) if asked.knows(layer, name):
                return asked.of_layer(self.interp, layer, name, node, frame)
            case Bound(receiver=Obj(row=generators.GENERATOR) as generator, name=name):
                return generators.call(self.interp, generator, name, node, frame)
            case Bound(receiver=receiver, name=name):
                return asked.method(self.interp, receiver, name, node, frame)
            case Unknown() if (made := wrapped.part(self.interp, node, frame)) is not None:
                return made
        arguments.evaluated(self.interp, node, frame)
        return callee

    def call_path(self, path: str, node: ast.Call, frame: Frame) -> Value:
        row = self.interp.table.find(path)
        if path in ("keras.Sequential", "keras.Model"):
            return graph.new_model(self.interp, path, node, frame)
        if path in ("keras.Input", "keras.layers.InputLayer"):
            return graph.new_input(self.interp, node, frame)
        if row is not None and row.section == "layers":
            if path in row.get("functions", ()):
                return graph.functional_layer(self.interp, row, node, frame)
            if "distributes" in row.data:
                return distributed.each_step(self.interp, row, node, frame)
            return self.construct(row, path, node, frame)
        if row is not None and row.section in ("utils", "datasets", "applications"):
            return datasets.call(self.interp, row, path, node, frame)
        if row is not None and row.section == "activations":
            return operations.activation(self.interp, row, path, node, frame)
        if row is not None and row.section == "ops":
            return operations.call(self.interp, row, path, node, frame)
        if (answer := asked.call(self.interp, path, node, frame)) is not None:
            return answer
        if row is not None and row.section == "losses" and path.rpartition(".")[2].islower():
            return operations.loss_of(self.interp, row, path, node, frame)
        if row is not None:
            return self.construct(row, path, node, frame)
        if path in CONSTANTS and not node.args:
            self.interp.event("constant", node, frame, value=CONSTANTS[path], path=path)
            return Const(CONSTANTS[path])
        return self.special(path, node, frame)

    def special(self, path: str, node: ast.Call, frame: Frame) -> Value:
        if path in ("keras.models.load_model", "keras.saving.load_model"):
            return saved.load_model(self.interp, node, frame)
        values = arguments.evaluated(self.interp, node, frame)
        if (found := handed.looked_up(self.interp, path, values, node, frame)) is not None:
            return found
        if path == "keras.utils.set_random_seed":
            self.interp.event("seed", node, frame, seed=self.interp.span(node.args[0]))
            return NONE
        stmt = self.interp.stmt
        if path in PLACES and isinstance(stmt, ast.With):
            return NONE
        if path in DROPPED and isinstance(stmt, ast.Expr) and stmt.value is node:
            self.interp.event("drop", node, frame, path=path)
            return NONE
        return self.interp.unsupported(path, node, frame)

    def construct(self, row: Row, path: str, node: ast.Call, frame: Frame) -> Obj:
        args = arguments.made_with(self.interp, row, path, node, frame)
        interp = self.interp
        obj = Obj(interp.fresh(), row.name, args, interp.span(node), interp.span(interp.stmt))
        obj = cells.of_cells(interp, obj) if row.name == "RNN" else obj
        kind = row.get("event") or KINDS.get(row.section, "object")
        seen: dict[str, Any] = {"section": row.section}
        if kind == "kept":
            return kept.made(interp, row, obj, node, frame)
        if kind in ("callback", "generator"):
            seen |= {"args": args}
        if kind == "callback":
            seen |= callbacks.functions(interp, args) | {"iteration": interp.iteration}
        interp.event(kind, node, frame, obj=obj, **seen)
        if row.section in ("layers", "optimizers"):
            handed.note(interp, obj, node, frame)
        return obj

    def tensor_operator(
        self, op: ast.AST, left: Value, right: Value | None, node: ast.AST, frame: Frame
    ) -> Value:
        return graph.tensor_operator(self.interp, op, left, right, node, frame)

    # ------------------------------------------------------------------ members

    def member(self, owner: Value, attr: str, node: ast.Attribute, frame: Frame) -> Value:
        if wrapped.is_model(self.interp, owner) and attr in (*METHODS, "build"):
            assert isinstance(owner, Obj)
            owner = ModelRef(wrapped.model_of(self.interp, owner).id)
        match owner:
            case ModelRef(id=chain) if chain in self.interp.chains:
                return self.interp.unsupported(f"Sequential.{attr}", node, frame)
            case ModelRef():
                if attr in METHODS or attr == "add":
                    return Bound(owner, attr)
                if attr == "output_shape":
                    return nesting.output_shape_of(self.interp, owner, node, frame)
                if attr == "metrics_names":
                    self.interp.event("metrics_names", node, frame, model=owner.id)
                    return UNKNOWN
                if attr in UNREAD:
                    return self.interp.unsupported(f"model.{attr}", node, frame)
                if attr in ("input", "output", "inputs", "outputs", "layers"):
                    # an error but where it goes into a model that is made from it
                    self.interp.unsupported(f"model.{attr}", node, frame)
                    return nesting.member(self.interp, self.interp.models[owner.id], attr, node)
                return Bound(owner, attr)
            case History(model=model, fit=fit):
                if attr == "history":
                    self.interp.event("history", node, frame, model=model, fit=fit)
                    return History(model, fit, dict=True)
                if owner.dict or attr == "epoch":
                    if not owner.dict:
                        self.interp.event("history", node, frame, model=model, fit=fit, epochs=True)
                    return UNKNOWN
                return self.interp.unsupported(f"History.{attr}", node, frame)
            case Tensor():
                return asked.member(self.interp, owner, attr, node, frame)
        if (read := callbacks.told(self.interp, owner, attr, node, frame)) is not None:
            return read
        if isinstance(owner, Obj) and kept.owns(owner):
            return kept.member(self.interp, owner, attr)
        named = isinstance(owner, Obj) and owner.row == generators.GENERATOR
        named = named or scorers.is_inner(self.interp, owner, attr)
        if named or (isinstance(owner, Obj) and asked.knows(owner, attr)):
            return Bound(owner, attr)
        if isinstance(owner, Obj) and attr in ("output", "name"):
            self.interp.unsupported(f"{owner.row}.{attr}", node, frame)
            return nesting.layer_member(self.interp, owner, attr)
        return self.interp.unsupported(f"{custom.title(self.interp, owner)}.{attr}", node, frame)

    def either(self, one: Value, other: Value) -> Value | None:
        return added.either(self.interp, one, other) or custom.either(self.interp, one, other)

    def is_phase(self, value: Value) -> bool:
        return custom.is_training(value)

    def subscript(self, owner: Value, index: ast.expr, node: ast.Subscript, frame: Frame) -> Value:
        if isinstance(owner, Tensor):
            return operations.indexed(self.interp, owner, index, node, frame)
        if not isinstance(index, ast.Slice):
            self.interp.eval(index, frame)
        if isinstance(owner, History) and owner.dict:
            key = index.value if isinstance(index, ast.Constant) else None
            self.interp.event("history_key", node, frame, model=owner.model, key=key, at=index)
            return Array((Sym(type="int"),), "float64")
        return self.interp.unsupported("indexing of a Keras object", node, frame)

    def call_model(self, model: int, node: ast.Call, frame: Frame) -> Value:
        values = arguments.evaluated(self.interp, node, frame)
        if (chain := self.interp.chains.get(model)) is not None:
            return chains.apply(self.interp, chain, values, node, frame)
        parts = self.interp.items(values[0]) if values else None
        if any(isinstance(v, Tensor) for v in (*values, *(parts or ()))):
            return nesting.apply(self.interp, self.interp.models[model], values, node, frame)
        trains = any(k.arg != "training" or values[-1] != Const(False) for k in node.keywords)
        if trains or len(node.args) != 1:
            return self.interp.unsupported("a model called with keywords", node, frame)
        at = self.interp.span(node.args[0])
        self.interp.event("call", node, frame, model=model, x=values[0], at=at)
        return Unknown()

    def call_method(self, model: int, name: str, node: ast.Call, frame: Frame) -> Value:
        interp = self.interp
        state = interp.models[model]
        if name == "add":
            values = arguments.evaluated(self.interp, node, frame)
            interp.event("add", node, frame, model=model)
            graph.add(self.interp, state, values[0] if values else UNKNOWN, node, frame)
            return NONE
        if name == "build" and state.own is not None:
            return wrapped.build(interp, state, node, frame)
        if name == "add_loss":
            return added.add_loss(interp, state, node, frame)
        if name in weights.METHODS:
            return weights.of_model(self.interp, state, name, node, frame)
        if name not in METHODS:
            return nesting.other_method(interp, state, name, node, frame)
        args = arguments.given(self.interp, node, frame, METHODS[name].split(), OLD_ARGUMENTS)
        name = methods.SAME.get(name, name)
        seen: dict[str, Any] = {"repeated": bool(interp.iteration)}
        if name == "predict_classes":  # of Sequential, until TensorFlow 2.6
            name, seen["classes"] = "predict", True
        if name in methods.FED and name != "compile":
            generators.feed(interp, args, node)
            fed = generators.fed(args.get("x", Arg(UNKNOWN)).value)
            if state.fed == UNKNOWN or not isinstance(state.fed, Array | Instance):
                state.fed = fed
        arguments.split_validation(self.interp, args, node)
        results: dict[str, Value] = {"evaluate": UNKNOWN, "train_on_batch": UNKNOWN}
        results["fit"] = History(model, interp.span(node))
        results["predict"] = nesting.predicted(interp, state)
        result = results.get(name, NONE)
        fed = args.get("x", Arg(UNKNOWN)).value
        if name == "fit" and isinstance(fed, Instance):
            seen["on_epoch_end"] = calls.defines(interp, fed, "on_epoch_end")
        if name == "fit":
            seen |= calls.comes_to(interp, model) | {"runs": (callbacks.run(interp, args),)}
        if name in methods.FED:
            seen["parts"] = feeding.parts(interp, args, node)
        if name == "compile":
            seen |= {"versions": versions_of(frame), "iteration": interp.iteration}
            seen["functions"] = scored.functions(interp, state, args, node, frame)
        interp.event(name, node, frame, model=model, args=args, result=result, **seen)
        if name == "fit":
            callbacks.follow(interp, args, model, frame)
        return result
