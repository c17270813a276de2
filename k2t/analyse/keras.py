"""What Keras means: calls, attributes and operators on Keras things, turned into values and events."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from k2t.analyse import datasets, names, shapes
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Added, Frame, GraphNode, ModelState, versions_of
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
    Shape,
    Sym,
    Tensor,
    Tuple,
    Unknown,
    Value,
    known,
)
from k2t.table import Row

BASE_ARGUMENTS = (
    "name",
    "trainable",
    "dtype",
    "input_shape",
    "batch_input_shape",
    "batch_shape",
    "input_dim",
    "input_length",
    "batch_size",
    "weights",
    "autocast",
    "activity_regularizer",
)
"""Arguments that every layer takes besides its own."""

DROPPED = (
    "keras.backend.clear_session",
    "keras.utils.clear_session",
    "keras.backend.set_learning_phase",
    "keras.config.disable_traceback_filtering",
    "keras.config.enable_traceback_filtering",
    "keras.config.disable_interactive_logging",
    "keras.config.enable_interactive_logging",
    "tensorflow.get_logger",
    "tensorflow.autograph.set_verbosity",
    "tensorflow.compat.v1.logging.set_verbosity",
    "tensorflow.config.experimental.set_memory_growth",
    "tensorflow.config.experimental.enable_op_determinism",
)
"""Calls that have no counterpart and need none; allowed only as statements of their own."""

CONSTANTS = {
    "keras.backend.image_data_format": "channels_last",
    "keras.config.image_data_format": "channels_last",
    "keras.backend.image_dim_ordering": "tf",
    "keras.backend.backend": "tensorflow",
    "keras.config.backend": "tensorflow",
    "keras.backend.epsilon": 1e-7,
    "keras.backend.floatx": "float32",
}

METHODS = {
    "fit": "x y batch_size epochs verbose callbacks validation_split validation_data shuffle "
    "class_weight sample_weight initial_epoch steps_per_epoch validation_steps "
    "validation_batch_size validation_freq",
    "evaluate": "x y batch_size verbose sample_weight steps callbacks return_dict",
    "predict": "x batch_size verbose steps callbacks",
    "compile": "optimizer loss metrics loss_weights weighted_metrics run_eagerly "
    "steps_per_execution jit_compile auto_scale_loss sample_weight_mode target_tensors",
    "summary": "line_length positions print_fn expand_nested show_trainable layer_range",
    "save": "filepath overwrite include_optimizer save_format zipped",
    "save_weights": "filepath overwrite save_format",
    "load_weights": "filepath skip_mismatch by_name",
    "count_params": "",
}
"""Methods of a model that are migrated, with their positional parameters."""

OLD_ARGUMENTS = {"nb_epoch": "epochs", "metric": "metrics", "show_accuracy": "show_accuracy"}
NOT_IN_KERAS2 = {"fit": ("x", "y", "batch_size", "epochs", "verbose", "callbacks")}


class Keras:
    """The interpreter's answers about Keras; all state stays in the interpreter."""

    def __init__(self, interp: Interpreter) -> None:
        self.interp = interp
        interp.keras = self
        self.bases: dict[int, str] = {}

    # ------------------------------------------------------------------ names

    def star_import(self, base: str, frame: Frame) -> None:
        """``from keras.layers import *`` binds every public name that has a row."""
        section = names.canonical(base)
        for path in self.interp.table.by_path:
            if path.rpartition(".")[0] == section:
                frame.bind(path.rpartition(".")[2], Ref(path))
        if section == "keras.layers":
            frame.bind("Input", Ref("keras.Input"))
        if section == "keras.models":
            for name in ("Sequential", "Model"):
                frame.bind(name, Ref(f"keras.{name}"))

    def attribute(self, path: str, node: ast.Attribute, frame: Frame) -> Value:
        if path == "tensorflow.newaxis":
            return NONE
        return Ref(path)

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
            case Bound(receiver=receiver):
                return isinstance(receiver, ModelRef | Obj | Tensor | History)
            case Unknown(why=why):
                return why is not None
        return False

    def bound(self, name: str, value: Value) -> None:
        """A variable was assigned: models and layers remember the name they are known by."""
        interp = self.interp
        if isinstance(value, ModelRef):
            model = interp.models[value.id]
            model.variable = model.variable or name
        if isinstance(value, Tensor | Obj) or self.holds_keras(value):
            interp.event("bind", interp.stmt, interp.module, name=name, value=value)

    def holds_keras(self, value: Value) -> bool:
        """Whether a list or tuple is made of layers, tensors, metrics and their names only."""
        if not isinstance(value, Tuple | ListRef):
            return False
        items = self.interp.items(value) or []
        keras = any(isinstance(i, Tensor | Obj) for i in items)
        return keras and all(isinstance(i, Tensor | Obj | Const) for i in items)

    def set_attribute(
        self, receiver: Value, attr: str, value: Value, node: ast.AST, frame: Frame
    ) -> None:
        if isinstance(receiver, ModelRef | Obj | Tensor | History | Ref):
            self.unsupported(f"assignment to .{attr}", node, frame)

    def unsupported(self, what: str, node: ast.AST, frame: Frame, **data: Any) -> Unknown:
        self.interp.event("unsupported", node, frame, what=what, **data)
        return Unknown(what)

    # ------------------------------------------------------------------ classes of the user

    def define_class(self, stmt: ast.ClassDef, frame: Frame) -> None:
        interp = self.interp
        for decorator in stmt.decorator_list:
            interp.eval(decorator, frame)
        base = None
        for node in stmt.bases:
            value = interp.eval(node, frame)
            if isinstance(value, Ref):
                base = value.path
            elif isinstance(value, Class) and self.bases.get(value.index):
                base = self.bases[value.index]
        interp.definitions.append((stmt, frame))
        index = len(interp.definitions) - 1
        if base is not None:
            self.bases[index] = base
            interp.event("class", stmt, frame, base=base, index=index)
        body = Frame(interp.fresh(), stmt, frame)
        interp.frames[body.id] = body
        for item in stmt.body:
            if isinstance(item, ast.Assign | ast.AnnAssign):
                interp.block([item], body)
        frame.bind(stmt.name, Class(index))

    def base_of(self, index: int) -> str | None:
        return self.bases.get(index)

    # ------------------------------------------------------------------ calls

    def call(self, callee: Value, node: ast.Call, frame: Frame) -> Value:
        match callee:
            case Ref(path=path):
                return self.call_path(path, node, frame)
            case Obj():
                return self.apply(callee, node, frame)
            case ModelRef(id=model):
                return self.call_model(model, node, frame)
            case Bound(receiver=ModelRef(id=model), name=name):
                return self.call_method(model, name, node, frame)
            case Bound(receiver=Obj(row="Tokenizer") as tokenizer, name="sequences_to_matrix"):
                return self.tokenizer_matrix(tokenizer, node, frame)
            case Bound(receiver=receiver, name=name):
                self.arguments(node, frame)
                return self.unsupported(f"{type(receiver).__name__.lower()}.{name}", node, frame)
        self.arguments(node, frame)
        return callee

    def arguments(self, node: ast.Call, frame: Frame) -> list[Value]:
        values = self.interp.elements(node.args, frame)
        return values + [self.interp.eval(k.value, frame) for k in node.keywords]

    def call_path(self, path: str, node: ast.Call, frame: Frame) -> Value:
        row = self.interp.table.find(path)
        if path in ("keras.Sequential", "keras.Model"):
            return self.new_model(path, node, frame)
        if path in ("keras.Input", "keras.layers.InputLayer"):
            return self.new_input(path, node, frame)
        if row is not None and row.section == "layers":
            if path in row.get("functions", ()):
                return self.functional_layer(row, node, frame)
            return self.construct(row, node, frame)
        if row is not None and row.section == "utils":
            args = self.bind_row(row, node, frame)
            self.interp.event("util", node, frame, row=row.name, args=args)
            return datasets.util_result(self.interp, row.name, args)
        if row is not None and row.section == "datasets":
            args = self.bind_row(row, node, frame)
            self.interp.event("util", node, frame, row=row.name, args=args, dataset=True)
            return datasets.dataset(row)
        if row is not None:
            return self.construct(row, node, frame)
        if path in CONSTANTS and not node.args:
            self.interp.event("constant", node, frame, value=CONSTANTS[path], path=path)
            return Const(CONSTANTS[path])
        return self.special(path, node, frame)

    def special(self, path: str, node: ast.Call, frame: Frame) -> Value:
        values = self.arguments(node, frame)
        if path == "keras.utils.set_random_seed":
            self.interp.event("seed", node, frame, seed=self.interp.span(node.args[0]))
            return NONE
        if path in DROPPED and isinstance(self.interp.stmt, ast.Expr):
            if self.interp.stmt.value is node:
                self.interp.event("drop", node, frame, path=path)
                return NONE
        if path in ("keras.models.load_model", "keras.saving.load_model"):
            known_model = len({id(m.node) for m in self.interp.models.values()}) == 1
            self.interp.event("load_model", node, frame, args=values)
            if known_model:
                return ModelRef(next(iter(self.interp.models)))
            return Unknown(path)
        return self.unsupported(path, node, frame)

    def bind_row(self, row: Row, node: ast.Call, frame: Frame) -> dict[str, Arg]:
        """Arguments by parameter name, defaults included."""
        extra = BASE_ARGUMENTS if row.section == "layers" else tuple(row.get("extra", ()))
        legacy = row.get("legacy", {})
        params = row.signature(self.interp.dialect)
        given = self.given(node, frame, [p.name for p in params], legacy, node)
        args = {p.name: Arg(self.default(p.default)) for p in params}
        allowed = {p.name for p in params} | set(extra) | set(row.get("ignores", ()))
        if row.section != "layers":
            allowed.add("name")
        for name, arg in given.items():
            if name not in allowed:
                self.interp.event("bad_argument", node, frame, row=row.name, name=name)
                continue
            args[name] = arg
        return args

    def default(self, value: Any) -> Value:
        if isinstance(value, list):
            return Tuple(tuple(self.default(v) for v in value))
        return Const(value)

    def given(
        self,
        node: ast.Call,
        frame: Frame,
        positional: list[str],
        legacy: dict[str, str],
        place: ast.AST,
    ) -> dict[str, Arg]:
        """The arguments written in a call, by parameter name."""
        args: dict[str, Arg] = {}
        for position, item in enumerate(node.args):
            value = self.interp.written(item, frame)
            if isinstance(item, ast.Starred) or position >= len(positional):
                self.unsupported("positional arguments", item, frame)
                continue
            args[positional[position]] = Arg(value, self.interp.span(item))
        for keyword in node.keywords:
            value = self.interp.written(keyword.value, frame)
            if keyword.arg is None:
                content = self.interp.heap.get(value.id) if isinstance(value, ListRef) else None
                if isinstance(content, dict):
                    args.update({legacy.get(str(k), str(k)): Arg(v) for k, v in content.items()})
                else:
                    self.unsupported("arguments given as **", keyword.value, frame)
                continue
            name = legacy.get(keyword.arg, keyword.arg)
            args[name] = Arg(value, self.interp.span(keyword.value))
        return args

    def construct(self, row: Row, node: ast.Call, frame: Frame) -> Obj:
        args = self.bind_row(row, node, frame)
        interp = self.interp
        obj = Obj(interp.fresh(), row.name, args, interp.span(node), interp.span(interp.stmt))
        kind = "layer" if row.section == "layers" else "object"
        interp.event(kind, node, frame, obj=obj, section=row.section)
        return obj

    # ------------------------------------------------------------------ models and graphs

    def new_model(self, path: str, node: ast.Call, frame: Frame) -> Value:
        interp = self.interp
        sequential = path == "keras.Sequential"
        positional = ["layers", "name"] if sequential else ["inputs", "outputs", "name"]
        args = self.given(node, frame, positional, {"input": "inputs", "output": "outputs"}, node)
        model = ModelState(
            interp.fresh(), "sequential" if sequential else "functional", node, interp.stmt, frame
        )
        interp.models[model.id] = model
        name = args.get("name", Arg(NONE)).value
        model.name = str(name.value) if known(name, str) else None  # type: ignore[union-attr]
        interp.event("model", node, frame, model=model.id)
        if sequential:
            content = args.get("layers", Arg(NONE)).value
            layers = interp.items(content)
            if content != NONE and layers is None:
                model.broken = "the list of layers is not known"
            for layer in layers or []:
                self.add(model, layer, node, frame)
        else:
            self.connect(model, args)
        return ModelRef(model.id)

    def connect(self, model: ModelState, args: dict[str, Arg]) -> None:
        """Record the inputs and outputs of a functional model."""
        for end in ("inputs", "outputs"):
            value = args.get(end, Arg(NONE)).value
            kind, keys, values = "one", (), [value]
            if isinstance(value, ListRef) and value.kind == "dict":
                content = self.interp.heap[value.id]
                kind, keys, values = "dict", tuple(content), list(content.values())
            elif self.interp.items(value) is not None:
                kind, values = "list", self.interp.items(value) or []
            ids = tuple(v.node for v in values if isinstance(v, Tensor))
            if len(ids) != len(values):
                model.broken = f"its {end} are not known"
            if end == "inputs":
                model.inputs, model.input_kind, model.input_keys = ids, kind, keys
            else:
                model.outputs, model.output_kind, model.output_keys = ids, kind, keys

    def new_input(self, path: str, node: ast.Call, frame: Frame) -> Value:
        positional = ["shape", "batch_size", "dtype", "sparse", "batch_shape", "name"]
        legacy = {"input_shape": "shape", "batch_input_shape": "batch_shape"}
        args = self.given(node, frame, positional, legacy, node)
        shape = self.shape_value(args.get("shape", Arg(NONE)).value)
        batch = self.shape_value(args.get("batch_shape", Arg(NONE)).value)
        if shape is None and batch is not None:
            shape = batch[1:]
        name = args.get("name", Arg(NONE)).value
        dtype = args.get("dtype", Arg(NONE)).value
        interp = self.interp
        node_ = GraphNode(
            interp.fresh(),
            None,
            (),
            shape,
            interp.stmt,
            frame.id,
            interp.iteration,
            versions_of(frame),
            name=str(name.value) if known(name, str) else None,  # type: ignore[union-attr]
            dtype=str(dtype.value) if known(dtype, str) else None,  # type: ignore[union-attr]
        )
        interp.graph[node_.id] = node_
        interp.event("apply", node, frame, tensor=node_.id)
        return Tensor(node_.id)

    def shape_value(self, value: Value) -> Shape | None:
        items = self.interp.items(value)
        if items is None:
            return (value,) if known(value, int) else None  # type: ignore[return-value]
        dims = [i if isinstance(i, Const | Sym) else None for i in items]
        return tuple(None if d == NONE else d for d in dims)

    def add(self, model: ModelState, layer: Value, node: ast.AST, frame: Frame) -> None:
        interp = self.interp
        if isinstance(layer, Tensor) and interp.graph[layer.node].layer is None:
            shape = interp.graph[layer.node]
            layer = Obj(layer.node, "Input", {}, interp.span(node), interp.span(interp.stmt))
            del shape
        if isinstance(layer, ModelRef):
            model.broken = "a model is used as a layer"
            return
        if not isinstance(layer, Obj):
            why = layer.why if isinstance(layer, Unknown) else None
            model.broken = f"{why} is not migrated" if why else "a layer of it is not known"
            return
        model.added = (
            *model.added,
            Added(
                layer,
                interp.stmt,
                frame.id,
                interp.iteration,
                versions_of(frame),
                hypothetical=bool(interp.hypothetical),
            ),
        )
        if interp.hypothetical:
            interp.ghosts.append((model.id, model.added))

    def functional_layer(self, row: Row, node: ast.Call, frame: Frame) -> Value:
        """``keras.layers.add([a, b])``: a layer made and applied at once."""
        if not node.args:
            return self.unsupported(row.keras[0], node, frame)
        inputs = self.interp.eval(node.args[0], frame)
        rest = ast.Call(node.func, node.args[1:], node.keywords)
        args = self.bind_row(row, ast.copy_location(rest, node), frame)
        interp = self.interp
        layer = Obj(interp.fresh(), row.name, args, interp.span(node), interp.span(interp.stmt))
        return self.apply_to(layer, inputs, node, frame)

    def apply(self, layer: Obj, node: ast.Call, frame: Frame) -> Value:
        """A layer called on tensors."""
        if self.interp.table.rows["layers"].get(layer.row) is None:
            self.arguments(node, frame)
            return self.unsupported(f"a call of {layer.row}", node, frame)
        inputs = self.interp.eval(node.args[0], frame) if node.args else UNKNOWN
        extra = [k.arg for k in node.keywords]
        for keyword in node.keywords:
            self.interp.eval(keyword.value, frame)
        if extra or len(node.args) > 1:
            return self.unsupported(
                f"{layer.row} called with {extra or 'two arguments'}", node, frame
            )
        return self.apply_to(layer, inputs, node, frame)

    def apply_to(self, layer: Obj, inputs: Value, node: ast.AST, frame: Frame) -> Value:
        interp = self.interp
        many = interp.items(inputs)
        tensors = [t for t in (many if many is not None else [inputs]) if isinstance(t, Tensor)]
        if not tensors or (many is not None and len(tensors) != len(many)):
            if isinstance(inputs, Array):
                return self.unsupported(f"{layer.row} called on an array", node, frame)
            why = inputs.why if isinstance(inputs, Unknown) else None
            return Unknown(why or f"{layer.row} called on something unknown")
        row = interp.table.rows["layers"][layer.row]
        ins = [interp.graph[t.node].shape for t in tensors]
        shape = shapes.RULES[row.get("shape", "same")](layer.args, ins, interp.items)
        return self.new_node(layer, tensors, shape, node, frame)

    def new_node(
        self,
        layer: Obj | None,
        inputs: list[Tensor],
        shape: Shape | None,
        node: ast.AST,
        frame: Frame,
        operator: str | None = None,
        other: tuple[Any, ...] = (),
    ) -> Tensor:
        interp = self.interp
        made = GraphNode(
            interp.fresh(),
            layer,
            tuple(t.node for t in inputs),
            shape,
            interp.stmt,
            frame.id,
            interp.iteration,
            versions_of(frame),
            operator=operator,
            other=other,
        )
        interp.graph[made.id] = made
        interp.event("apply", node, frame, tensor=made.id)
        return Tensor(made.id)

    def tensor_operator(
        self, op: ast.AST, left: Value, right: Value | None, node: ast.AST, frame: Frame
    ) -> Value:
        symbols: dict[type[ast.AST], str] = {
            ast.Add: " + ",
            ast.Sub: " - ",
            ast.Mult: " * ",
            ast.Div: " / ",
            ast.USub: "-",
        }
        symbol = symbols.get(type(op))
        values = [v for v in (left, right) if v is not None]
        tensors = [v for v in values if isinstance(v, Tensor)]
        scalars = [v for v in values if isinstance(v, Const | Sym)]
        if symbol is None or len(tensors) + len(scalars) != len(values):
            return self.unsupported(f"{type(op).__name__} on a Keras tensor", node, frame)
        ins = [self.interp.graph[t.node].shape for t in tensors]
        shape = shapes.merge({}, ins, self.interp.items)
        other = tuple(None if isinstance(v, Tensor) else v for v in values)
        return self.new_node(None, tensors, shape, node, frame, operator=symbol, other=other)

    # ------------------------------------------------------------------ members

    def member(self, owner: Value, attr: str, node: ast.Attribute, frame: Frame) -> Value:
        match owner:
            case ModelRef():
                if attr in METHODS or attr == "add":
                    return Bound(owner, attr)
                if attr == "output_shape":
                    return self.output_shape(owner, node, frame)
                if attr in (
                    "output_shape",
                    "input_shape",
                    "metrics_names",
                    "layers",
                    "stop_training",
                ):
                    return self.unsupported(f"model.{attr}", node, frame)
                return Bound(owner, attr)
            case History(model=model, fit=fit):
                if attr == "history":
                    self.interp.event("history", node, frame, model=model, fit=fit)
                    return History(model, fit, dict=True)
                if owner.dict:
                    return Bound(owner, attr) if attr == "never" else UNKNOWN
                return self.unsupported(f"History.{attr}", node, frame)
            case Tensor():
                if attr == "shape":
                    shape = self.interp.graph[owner.node].shape
                    dims = [d if d is not None else UNKNOWN for d in shape or ()]
                    return Tuple((NONE, *dims)) if shape is not None else UNKNOWN
                return self.unsupported(f"tensor.{attr}", node, frame)
        if isinstance(owner, Obj) and owner.row == "Tokenizer":
            return Bound(owner, attr)
        return self.unsupported(f"{getattr(owner, 'row', 'object')}.{attr}", node, frame)

    def output_shape(self, owner: ModelRef, node: ast.Attribute, frame: Frame) -> Value:
        """``model.output_shape`` of a functional model, if it is all numbers."""
        model = self.interp.models[owner.id]
        shape = self.interp.graph[model.outputs[0]].shape if len(model.outputs) == 1 else None
        sizes = [d.value if isinstance(d, Const) else None for d in shape or (None,)]
        if None in sizes:
            return self.unsupported("model.output_shape", node, frame)
        value = (None, *sizes)
        self.interp.event("constant", node, frame, value=value, path="model.output_shape")
        return Tuple(tuple(Const(v) for v in value))

    def tokenizer_matrix(self, tokenizer: Obj, node: ast.Call, frame: Frame) -> Value:
        """``Tokenizer(num_words).sequences_to_matrix(x, mode)``: needs nothing fitted but tfidf."""
        args = self.given(node, frame, ["sequences", "mode"], {}, node)
        words = tokenizer.args["num_words"]
        args["num_words"] = words
        self.interp.event("util", node, frame, row="sequences_to_matrix", args=args)
        width = words.value if isinstance(words.value, Const | Sym) else None
        rows = datasets.rows_of(self.interp, args["sequences"].value)
        return Array((rows, width), "float32")

    def subscript(self, owner: Value, index: ast.expr, node: ast.Subscript, frame: Frame) -> Value:
        if not isinstance(index, ast.Slice):
            self.interp.eval(index, frame)
        if isinstance(owner, History) and owner.dict:
            key = index.value if isinstance(index, ast.Constant) else None
            self.interp.event("history_key", node, frame, model=owner.model, key=key, at=index)
            return Array((Sym(type="int"),), "float64")
        return self.unsupported("indexing of a Keras object", node, frame)

    def call_model(self, model: int, node: ast.Call, frame: Frame) -> Value:
        values = self.arguments(node, frame)
        if any(isinstance(v, Tensor) for v in values):
            self.interp.models[model].broken = "it is used as a layer"
            return self.unsupported("a model used as a layer", node, frame)
        trains = any(k.arg != "training" or values[-1] != Const(False) for k in node.keywords)
        if trains or len(node.args) != 1:
            return self.unsupported("a model called with keywords", node, frame)
        at = self.interp.span(node.args[0])
        self.interp.event("call", node, frame, model=model, x=values[0], at=at)
        return Unknown()

    def call_method(self, model: int, name: str, node: ast.Call, frame: Frame) -> Value:
        interp = self.interp
        state = interp.models[model]
        if name == "add":
            values = self.arguments(node, frame)
            interp.event("add", node, frame, model=model)
            self.add(state, values[0] if values else UNKNOWN, node, frame)
            return NONE
        if name not in METHODS:
            self.arguments(node, frame)
            return self.unsupported(f"model.{name}", node, frame)
        args = self.given(node, frame, METHODS[name].split(), OLD_ARGUMENTS, node)
        if name in ("fit", "evaluate", "predict"):
            fed = args.get("x", Arg(UNKNOWN)).value
            if state.fed == UNKNOWN or not isinstance(state.fed, Array | Instance):
                state.fed = fed
        self.split_validation(args, node)
        result = RESULTS.get(name, lambda *_: NONE)(self, state, args, node)
        interp.event(name, node, frame, model=model, args=args, result=result)
        return result

    def split_validation(self, args: dict[str, Arg], node: ast.Call) -> None:
        """The parts of a ``validation_data=(x, y)`` that is written as a tuple or list."""
        data = args.get("validation_data")
        if data is None:
            return
        values = self.interp.items(data.value)
        literal = next(
            (
                n
                for n in ast.walk(node)
                if isinstance(n, ast.Tuple | ast.List) and self.interp.span(n) == data.span
            ),
            None,
        )
        if values is None or literal is None or len(values) != len(literal.elts):
            return
        for name, value, element in zip(("x", "y", "w"), values, literal.elts, strict=False):
            args[f"validation_{name}"] = Arg(value, self.interp.span(element))


def fit_result(keras: Keras, model: ModelState, args: dict[str, Arg], node: ast.Call) -> Value:
    return History(model.id, keras.interp.span(node))


def evaluate_result(keras: Keras, model: ModelState, args: dict[str, Arg], node: ast.Call) -> Value:
    return Unknown()


def predict_result(keras: Keras, model: ModelState, args: dict[str, Arg], node: ast.Call) -> Value:
    return Array(None, "float32")


RESULTS: dict[str, Callable[[Keras, ModelState, dict[str, Arg], ast.Call], Value]] = {
    "fit": fit_result,
    "evaluate": evaluate_result,
    "predict": predict_result,
}
