"""The last step of the analysis: events of the interpreter become the program IR."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from k2t.analyse import (
    callbacks,
    configuring,
    custom,
    dialects,
    freezing,
    generators,
    hooks,
    kept,
    names,
    scorers,
    weights,
)
from k2t.analyse.added import added_losses, used, with_nodes
from k2t.analyse.classes import Classes, layer_call
from k2t.analyse.compiled import compile_of
from k2t.analyse.functions import Structures
from k2t.analyse.homes import home_class
from k2t.analyse.imported import imported
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.keras import Keras
from k2t.analyse.models import Builder
from k2t.analyse.sequences import sequence_class
from k2t.analyse.sources import comments_above
from k2t.analyse.state import Event, ModelState, own_names, statements
from k2t.analyse.statements import Layout
from k2t.analyse.trace import held, lasting, settled
from k2t.ir.finding import Finding, Severity
from k2t.ir.program import Home, Leftover, Model, Program, Use
from k2t.ir.source import Span
from k2t.ir.values import History, ListRef, Obj, Ref, Tensor, Tuple, Value
from k2t.parse.script import Script
from k2t.table import Table

USES = (
    "fit",
    "train_on_batch",
    "evaluate",
    "predict",
    "summary",
    "save",
    "save_weights",
    "load_weights",
    "load_model",
    "count_params",
    "reset_states",
    "metrics_names",
    "call",
    "part_call",
    "history",
    "history_key",
    "util",
    "seed",
    "drop",
    "constant",
    "static_if",
    "class",
    "model",
    "method",
    "callback",
    "told",
    "operation",
    *custom.EVENTS,
    *generators.EVENTS,
    *scorers.EVENTS,
    "application",
    "training_said",
)


def analyse(script: Script, table: Table, dialect: str | None = None) -> Program:
    """What the script trains, how, and on what; nothing of it is run."""
    chosen = dialect or dialects.infer(script.tree, table)
    interp = Interpreter(script.source, script.tree, table, chosen)
    Keras(interp)
    interp.run()
    return Assembly(interp).program()


class Assembly:
    """Gathers the program IR from a finished interpreter."""

    def __init__(self, interp: Interpreter) -> None:
        self.interp, self.spans = interp, interp.spans
        self.layout = Layout(interp)
        self.structures = Structures(interp, self.layout.static)
        self.added = added_losses(interp, self.layout)

    def program(self) -> Program:
        interp = self.interp
        if interp.raised is not None:
            return self.stopped(self.spans.of(interp.raised))
        models = tuple(self.model(group) for group in self.groups())
        layers = Classes(interp, self.layout).layers()
        frozen = tuple(freezing.uses(interp, self.layout))
        said = tuple(configuring.uses(interp, self.layout))
        own = (*frozen, *weights.uses(interp, self.layout), *weights.states(interp, self.layout))
        looped = (use for use in own if use.kind == "reset_states")
        places = [u.stmt for u in (*frozen, *said, *looped) if u.kind not in configuring.INSIDE]
        return Program(
            source=interp.source,
            dialect=interp.dialect,
            models=models,
            layers=layers,
            uses=(*(u for u in self.uses() if not any(u.call in s for s in places)), *said, *own),
            removed=self.layout.removed(),
            imports=tuple(imported(self.interp)),
            bound_names=names.bound_in(self.interp.tree),
            findings=tuple(self.argument_findings()),
            leftovers=tuple(self.leftovers()),
            functions=dict(self.structures.functions),
            constants=lasting(interp, interp.module),
            handed={e["key"]: e["made"] for e in interp.events if e.kind == "handed"},
            finals={n: settled(interp, v) for n, v in interp.module.names.items()},
            top_level=tuple(self.layout.with_comments(s) for s in interp.tree.body),
        )

    def stopped(self, end: Span) -> Program:
        """A script that raises whenever it runs on TensorFlow: nothing of it is read on."""
        why = "the script raises here when Keras runs on TensorFlow: it is left as it is"
        finding = Finding("K2T904", Severity.ERROR, why, end)
        imports, names_ = tuple(imported(self.interp)), names.bound_in(self.interp.tree)
        return Program(
            self.interp.source, self.interp.dialect, (), (), (), imports, names_, (finding,), end
        )

    # ------------------------------------------------------------------ models

    def groups(self) -> list[list[ModelState]]:
        groups: dict[int, list[ModelState]] = {}
        for model in self.interp.models.values():
            groups.setdefault(id(model.node), []).append(model)
        made = [e for e in self.interp.events if e.kind == "model"]
        unsure = {e["model"] for e in made if e.hypothetical}  # in branches that are not taken
        return [sorted(group, key=lambda m: m.id in unsure) for group in groups.values()]

    def model(self, group: list[ModelState]) -> Model:
        interp = self.interp
        home = home_class(interp, self.layout, group)
        builder = Builder(
            interp,
            group,
            home,
            self.variables(),
            self.layout.static,
            self.layout.consumed,
            self.structures,
        )
        compiled = compile_of(interp, group, builder)
        model = builder.build()
        first = group[0]
        stmts = [a.stmt for a in first.added if a.stmt is not first.stmt]
        ready = stmts[-1] if stmts else first.stmt
        top = self.layout.top_level(self.first_statement(first))
        return replace(
            model,
            compile=compiled,
            ready=self.spans.of(self.layout.outermost(ready, first.stmt)),
            anchor=self.layout.with_comments(top),
            created=self.spans.of(first.stmt),
            renames=self.renames(home),
            owners=first.owners,
            own=first.own is not None,
            comments=comments_above(interp, first.stmt),
            held=held(interp),
            added=with_nodes(builder, self.added.get(first.id), model),
        )

    def renames(self, home: Home | None) -> tuple[Span, ...]:
        """Where the function that becomes a class is called."""
        if home is None:
            return ()
        return tuple(
            self.spans.of(n)
            for n in ast.walk(self.interp.tree)
            if isinstance(n, ast.Name) and n.id == home.name and isinstance(n.ctx, ast.Load)
        )

    def first_statement(self, state: ModelState) -> ast.stmt:
        """The first statement of a model: an Input may stand far above ``Model(...)``."""
        if state.kind == "sequential":
            return state.stmt
        ids = {*state.inputs, *state.outputs}
        found = [self.interp.graph[i].stmt for i in ids] + [state.stmt]
        tops = [self.layout.top_level(s) for s in found]
        return min(tops, key=lambda s: s.lineno)

    def variables(self) -> dict[int, tuple[str, ...]]:
        """The variables each tensor was bound to."""
        found: dict[int, tuple[str, ...]] = {}
        for event in self.interp.events:
            if event.kind == "bind" and isinstance(event["value"], Tensor):
                node = event["value"].node
                found[node] = (*found.get(node, ()), event["name"])
        for state in self.interp.models.values():
            if state.output_kind == "dict":
                for node, name in zip(state.outputs, state.output_keys, strict=True):
                    found.setdefault(node, (name,) if name is not None else ())
        return found

    # ------------------------------------------------------------------ uses

    def uses(self) -> list[Use]:
        found: dict[tuple[str, Span], Use] = {}
        for event in used(self.interp, USES, self.added.values()):
            span = self.spans.of(event.node)
            key = (event.kind, span)
            models = (event.data["model"],) if "model" in event.data else ()
            if key in found:
                old = found[key]
                merged = tuple(dict.fromkeys((*old.models, *models)))
                data = dict(old.data)
                if event.kind == "constant" and data["value"] != event["value"]:
                    data["value"] = ...
                fits = data.get("fits")
                if isinstance(fits, tuple):
                    data["fits"] = (*fits, event["fit"])
                if "called_back" in event.data:
                    data["called_back"] = event["called_back"]
                for name in ("runs", "states"):
                    if name in data:
                        data[name] = (*data[name], *event[name])
                if event.kind == "layer_call":
                    data["seen"] = (
                        *data["seen"],
                        *layer_call(self.interp, self.layout, event)["seen"],
                    )
                if event.kind in ("operation", "weight"):
                    data["others"] = (*data.get("others", ()), event.data)
                found[key] = replace(old, models=merged, data=data)
            else:
                found[key] = self.use(event, span, models)
        return list(found.values())

    def holds_history(self, fit: Span) -> bool:
        """Whether anything reads the variable that holds what a ``fit`` gives."""
        loads = self.interp.loads.values()
        return any(isinstance(value, History) and value.fit == fit for _, _, value in loads)

    def use(self, event: Event, span: Span, models: tuple[int, ...]) -> Use:
        node, stmt = event.node, event.stmt
        receiver = None
        method = event.kind != "call"  # else what is called is the model
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and method:
            receiver = self.spans.of(node.func.value)
        elif isinstance(node, ast.Call):
            receiver = self.spans.of(node.func)
        elif isinstance(node, ast.Attribute):
            receiver = self.spans.of(node.value)
        target, count = None, 0
        value = getattr(stmt, "value", None)
        if event.kind == "class":
            stmt = node  # type: ignore[assignment]
        if isinstance(stmt, ast.Assign) and value is node and len(stmt.targets) == 1:
            target = self.spans.of(stmt.targets[0])
            if isinstance(stmt.targets[0], ast.Tuple | ast.List):
                count = len(stmt.targets[0].elts)
        data = {k: v for k, v in event.data.items() if k not in ("model", "args")}
        if "fit" in data:
            data["fits"] = (data["fit"],)
        if event.kind == "fit":
            data["held"] = self.holds_history(span)
        if event.kind == "static_if":
            data |= self.static_parts(
                stmt if isinstance(stmt, ast.If) else event.node, event["taken"]
            )
        if event.kind == "layer_call":
            data |= layer_call(self.interp, self.layout, event)
        if event.kind == "looked_up":
            data["whole"] = self.layout.with_comments(stmt)
            same = (e for e in self.interp.events if e.kind == "looked_up" and e.node is node)
            data["values"] = tuple(dict.fromkeys(e.data.get("value") for e in same))
        if event.kind == "asked":
            data["x"] = self.spans.of(event["x"])
        if event.kind == "in_place" and isinstance(node, ast.AugAssign):
            target, value = self.spans.of(node.target), self.spans.of(node.value)
            between = self.interp.source.text[target.end : value.start].split("=")[0].strip()
            data["parts"] = (target, between, value)
        if event.kind == "history_key":
            data["at"] = self.spans.of(event["at"])
        if target is not None and event.kind == "callback":
            data["loads"] = self.layout.places(self.interp.source.slice(target))
        if event.kind == "generator_fit":
            data["whole"] = self.layout.with_comments(stmt)
        if event.kind == "class" and isinstance(node, ast.ClassDef):
            data |= sequence_class(self.interp, node, event["own"])
            if event["base"] in scorers.BASES:
                data |= scorers.class_spans(self.interp, node, event["base"])
            if event["base"] == hooks.BASE:
                data["hooks"] = hooks.own_callback(self.interp, node, event["index"])
        return Use(
            kind=event.kind,
            call=span,
            stmt=self.spans.of(stmt),
            models=models,
            args=event.data.get("args", {}) if isinstance(event.data.get("args"), dict) else {},
            receiver=receiver,
            alone=isinstance(stmt, ast.Expr) and value is node,
            target=target,
            targets=count,
            how=self.layout.how(node, stmt),
            scope=self.layout.scope(node),
            branch=self.layout.branch(node),
            data=data,
        )

    def static_parts(self, node: Any, truth: bool) -> dict[str, Any]:
        """The statements of the branch that is kept."""
        taken = node.body if truth else node.orelse
        spans = [self.layout.with_comments(s) for s in taken]
        return {"kept": Span(spans[0].start, spans[-1].end) if spans else None}

    # ------------------------------------------------------------------ imports and names

    def argument_findings(self) -> list[Finding]:
        return [
            Finding(
                "K2T902",
                Severity.ERROR,
                f"{e['row']} has no argument {e['name']!r}; it was not carried over",
                self.spans.of(e.node),
            )
            for e in self.interp.events
            if e.kind == "bad_argument"
        ]

    def leftovers(self) -> list[Leftover]:
        """Every place that reads a Keras name or value, and everything Keras that has no rule."""
        found: dict[Span, Leftover] = {}
        for event in self.interp.events:
            if event.kind == "unsupported":
                span = self.spans.of(event.node)
                found[span] = Leftover(span, self.spans.of(event.stmt), str(event["what"]))
        seen = {id(node) for node, _, _ in self.interp.loads.values()}
        for node, stmt, value in self.interp.loads.values():
            self.leave(found, node, stmt, value)
        foreign = self.foreign_names()
        for stmt in statements(self.interp.tree.body):
            for node in own_names(stmt):
                if node.id in foreign and id(node) not in seen:
                    self.leave(found, node, stmt, foreign[node.id])
        return list(found.values())

    def leave(
        self, found: dict[Span, Leftover], node: ast.Name, stmt: ast.stmt, value: Value
    ) -> None:
        items = self.interp.items(value) if isinstance(value, Tuple | ListRef) else [value]
        made = [self.interp.graph[i.node] for i in items or () if isinstance(i, Tensor)]
        whole = bool(made) and all(m.whole and not m.pooled for m in made)
        own = isinstance(value, Obj) and value.id in self.interp.wrapped
        own = own or kept.stays(value)
        if (
            isinstance(value, History)
            or own
            or whole
            or callbacks.holds_callbacks(self.interp, value)
        ):
            return
        path = value.path if isinstance(value, Ref) else node.id
        current: ast.AST = node
        parent = self.layout.parents.get(id(current))
        while isinstance(parent, ast.Attribute) and isinstance(value, Ref):
            path = names.canonical(f"{path}.{parent.attr}")
            current, parent = parent, self.layout.parents.get(id(parent))
        span = self.spans.of(current)
        if span not in found:
            found[span] = Leftover(span, self.spans.of(stmt), path)

    def foreign_names(self) -> dict[str, Value]:
        return {
            name: value
            for frame in self.interp.frames.values()
            for name, value in frame.names.items()
            if isinstance(value, Ref)
        }
