"""Runs a Keras script in a child process and records its training: dropout and shuffling are off.

    python -m k2t.verify.probes.keras_probe SCRIPT OUT [--engine ENGINE] [--stubs FILE] ...

The loss of a step is taken where Keras hands it to the mean that fit reports, inside the graph: the
logs of a batch are running means in float32, and undoing them costs about n * 6e-8 at step n, more
than the floor this is held against. XLA stays off, because a graph compiled by it cannot call back.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import GeneratorType
from typing import Any

import numpy as np

from k2t.verify.probes.child import (
    EnoughSteps,
    Options,
    finish,
    leaves,
    load_file,
    numeric_globals,
    parser,
    prepare,
    run_script,
)
from k2t.verify.probes.engines import load_engine
from k2t.verify.probes.keras_chance import (
    Starts,
    draw_nothing,
    fix_images,
    fix_noise,
    keep_order,
    switch_off_dropout,
)
from k2t.verify.probes.keras_drawn import Drawn
from k2t.verify.probes.keras_limits import batches, limit, shorten, validation
from k2t.verify.probes.keras_trace import Tracer, named_results, read_facts
from k2t.verify.probes.keras_weights import draw_entries, read_model, sublayers
from k2t.verify.recording import Entry, Fit, Output, Recording, Trace


class Probe:
    """The patches and what they have seen. One object a process."""

    def __init__(self, keras: Any, options: Options) -> None:
        self.keras, self.options = keras, options
        # batches of an evaluation: Keras 2.2 takes no number of steps for arrays
        self.most = options.steps if hasattr(keras.Model, "train_step") else 0
        self.recording = Recording()
        self.created: dict[int, int] = {}  # id of a layer -> order of creation
        self.kept: list[Any] = []  # layers and models, so that no id is used twice
        self.models: list[Any] = []  # fitted, in order of the first fit
        self.first_use: dict[int, tuple[str, list[Entry]]] = {}
        self.drawn, self.starts = Drawn(keras), Starts()
        # inside fit, evaluate or predict, where calls are not the script's; inside a train_step
        self.busy = self.training = False
        self.taps: list[float] = []
        self.sizes: list[int] = []
        self.tracer = Tracer(keras, self.created, options.batches) if options.trace else None
        self.loops: dict[int, Any] = {}  # watchers of models trained by train_on_batch, by id

    # ------------------------------------------------------------------------------------- patches

    def install(self) -> None:
        self.watch_layers()
        switch_off_dropout(self.keras)
        fix_noise(self.keras, self.starts)
        fix_images(self.keras)
        keep_order()
        draw_nothing(self.keras)
        model = self.keras.Model
        model.fit = self.hook_fit(model.fit)
        if hasattr(model, "fit_generator"):
            model.fit_generator = self.hook_fit(model.fit_generator)
        for call in ("evaluate", "predict"):
            setattr(model, call, self.hook_output(call, getattr(model, call)))
        model.predict_on_batch = self.hook_output("predict", model.predict_on_batch)
        model.train_on_batch = self.hook_train_on_batch(model.train_on_batch)
        if hasattr(model, "train_step"):
            self.tap_losses()
            if self.tracer is not None:
                self.tracer.install()

    def watch_layers(self) -> None:
        init = self.keras.layers.Layer.__init__

        def watched(layer: Any, *args: Any, **kwargs: Any) -> None:
            init(layer, *args, **kwargs)
            if hasattr(layer, "supports_jit"):
                layer.supports_jit = False
            self.created[id(layer)] = len(self.created)
            self.kept.append(layer)

        self.keras.layers.Layer.__init__ = watched

    def tap_losses(self) -> None:
        """Records in every train_step what the tracker named "loss" is told."""
        import tensorflow as tf  # type: ignore[import-untyped]

        update = self.keras.metrics.Mean.update_state

        def seen(value: Any) -> Any:
            self.taps.append(float(np.mean(value)))
            return np.int32(0)

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def tapped(metric: Any, values: Any, sample_weight: Any = None) -> Any:
            if self.training and metric.name == "loss":
                tf.numpy_function(seen, [tf.cast(values, tf.float64)], tf.int32, stateful=True)
            return update(metric, values, sample_weight=sample_weight)

        self.keras.metrics.Mean.update_state = tapped

    def wrap_train_step(self, model: Any) -> None:
        import tensorflow as tf

        step = model.train_step

        def size(n: Any) -> Any:
            self.sizes.append(int(n))
            return np.int32(0)

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def train_step(data: Any) -> Any:
            first = next(t for t in tf.nest.flatten(data) if t is not None)
            tf.numpy_function(size, [tf.shape(first)[0]], tf.int32, stateful=True)
            if self.tracer is not None:
                self.tracer.see_batch(data)
            self.training = True
            try:
                return step(data)
            finally:
                self.training = False

        model.train_step = train_step

    def hook_fit(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(fit)

        def hooked(model: Any, *args: Any, **kwargs: Any) -> Any:
            if self.busy:  # fit_generator of old versions, called by fit
                return fit(model, *args, **kwargs)
            bound = signature.bind(model, *args, **kwargs)
            if self.options.epochs:
                bound.apply_defaults()
            arguments = bound.arguments
            arguments["shuffle"] = False
            if self.options.epochs:
                arguments["epochs"] = min(arguments["epochs"], self.options.epochs)
            if "validation_batch_size" in signature.parameters:
                limit(arguments, "validation_", validation(arguments), self.most)
            else:
                shorten(arguments, self.most)
            watcher = self.watcher(model)
            arguments["callbacks"] = [*(arguments.get("callbacks") or []), watcher]
            self.register(model)
            for name in ("x", "generator"):
                if name in arguments:
                    arguments[name] = build(model, arguments[name])
            with self.working():
                history = fit(*bound.args, **bound.kwargs)
            self.finish(model, watcher.record, history)
            return history

        return hooked

    def hook_train_on_batch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A loop of the script's own is one fit, from its first call on; it has no epochs."""

        def hooked(model: Any, *args: Any, **kwargs: Any) -> Any:
            if self.busy:
                return function(model, *args, **kwargs)
            watcher = self.loops.get(id(model))
            if watcher is None:
                self.register(model)
                watcher = self.loops[id(model)] = self.watcher(model)
                watcher.set_model(model)
                watcher.on_train_begin()
                if len(self.loops) > 1:  # the steps of one model are looked at closely, not of two
                    for other in self.loops.values():
                        other.record.trace = None
            with self.working():
                result = function(model, *args, **kwargs)
            first = next(iter(leaves(args or tuple(kwargs.values())).values()))
            values = leaves(result)
            watcher.record.losses.append(float(next(iter(values.values()))))
            watcher.record.sizes.append(len(first))
            watcher.step_done()
            if self.options.steps and len(watcher.record.losses) >= self.options.steps:
                raise EnoughSteps
            return result

        return hooked

    def end_loops(self) -> None:
        """Reads what the models trained by train_on_batch have become, as the script ends."""
        for model in self.models:
            if id(model) in self.loops:
                self.close(model, self.loops[id(model)].record)

    def hook_output(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)

        def hooked(model: Any, *args: Any, **kwargs: Any) -> Any:
            if self.busy:
                return function(model, *args, **kwargs)
            if call == "evaluate":
                arguments = signature.bind(model, *args, **kwargs).arguments
                counted = batches(arguments.get("x"), arguments.get("batch_size"))
                limit(arguments, "", counted, self.most)
                args, kwargs = (), {k: v for k, v in arguments.items() if k != "self"}
            before, start = None, None
            if id(model) not in self.first_use and model.weights:
                before, traversal, _ = self.read(model)
                start = (before, traversal) if self.drawn.whole(model) else None
            with self.working():
                result = function(model, *args, **kwargs)
            if before is not None:
                self.first_use[id(model)] = (call, before)
                self.kept.append(model)
            values = leaves(result)
            if call == "evaluate":
                values = named_results(model, result)
            arrays = {k: np.array(v) for k, v in values.items()}
            self.recording.outputs.append(Output(call, arrays, start))
            return result

        return hooked

    @contextmanager
    def working(self) -> Iterator[None]:
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    # -------------------------------------------------------------------------------------- records

    def read(self, model: Any) -> tuple[list[Entry], list[int], list[Any]]:
        return read_model(model, self.created)

    def register(self, model: Any) -> None:
        if not any(model is known for known in self.models):
            self.models.append(model)
            if hasattr(model, "train_step"):
                self.wrap_train_step(model)

    def watcher(self, model: Any) -> Any:
        """The callback that reads weights as training begins, and the loss where logs have it."""
        probe = self

        class Watcher(self.keras.callbacks.Callback):  # type: ignore[misc, name-defined]
            record: Fit
            steps = 0

            def on_train_begin(self, logs: Any = None) -> None:
                probe.taps.clear()
                probe.sizes.clear()
                self.record = probe.begin(model)

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                if not probe.taps and logs and "loss" in logs:
                    # no tracker: a train_step's own loss, or Keras 2.2's unaveraged logs
                    self.record.losses.append(float(np.mean(logs["loss"])))
                if logs and "size" in logs:
                    self.record.sizes.append(int(logs["size"]))
                running = {k: float(np.mean(v)) for k, v in (logs or {}).items()}
                self.record.running.append(running)
                self.step_done()
                if probe.options.steps and self.steps >= probe.options.steps:
                    model.stop_training = True

            def step_done(self) -> None:
                self.steps += 1
                probe.options.tell(self.steps)
                trace = self.record.trace
                if self.steps == 1 and trace is not None:
                    trace.after = probe.read(model)[0]

            on_batch_end = on_train_batch_end

        if hasattr(self.keras.callbacks.Callback, "on_train_batch_end"):
            del Watcher.on_batch_end
        return Watcher()

    def begin(self, model: Any) -> Fit:
        """Called once a fit, when the weights exist."""
        number = next(i for i, known in enumerate(self.models) if known is model)
        entries, traversal, layers = self.read(model)
        if number == len(self.recording.starts):
            call, initial = self.first_use.get(id(model), ("fit", entries))
            self.recording.starts.append((call, initial))
            if self.options.draws:
                with self.starts:
                    drawn = draw_entries(initial, layers, self.options.draws, to_numpy)
                self.recording.draws.append(drawn)
        record = Fit(number, initial=entries, traversal=traversal)
        if self.tracer is not None:
            record.facts = read_facts(model, self.created)
            self.tracer.begin(model)
            if not any(fit.model == number for fit in self.recording.fits):
                record.trace = Trace()
        return record

    def finish(self, model: Any, record: Fit, history: Any) -> None:
        if self.taps:
            record.losses = list(self.taps)
        if self.sizes:
            record.sizes = list(self.sizes)
        lengths = [len(values) for values in history.history.values()]
        record.epochs = [
            {k: float(np.mean(v[i])) for k, v in history.history.items() if i < len(v)}
            for i in range(max(lengths, default=0))
        ]
        self.close(model, record)

    def close(self, model: Any, record: Fit) -> None:
        """Notes what training has made of the weights."""
        record.final = self.read(model)[0]
        if self.tracer is not None and record.trace is not None:
            after = record.trace.after
            record.trace = self.tracer.trace(model)
            record.trace.after = after
            record.batches = self.tracer.batches if self.options.batches else []
        self.recording.fits.append(record)


def to_numpy(value: Any) -> Any:
    """A tensor of any engine as a numpy array; in graphs of TensorFlow 1 by evaluating it."""
    try:
        return np.array(value)
    except (TypeError, NotImplementedError):
        import keras  # type: ignore[import-untyped]

        return keras.backend.get_value(value)


def build(model: Any, source: Any) -> Any:
    """Gives a model without an input shape its weights by calling it on its first batch.

    Keras does so only while it traces the first step, too late to read the weights training starts
    from. Returns the source, whole again if it was a generator.
    """
    inside = sublayers(model)[1:]
    ready = bool(inside) and all(getattr(layer, "built", True) for layer in inside)
    # build() of a subclassed model in Keras 3 may leave the layers inside without weights
    built = getattr(model, "built", True) and bool(model.weights)
    if ready or built or source is None:
        return source
    if hasattr(source, "shape"):
        x = source[:1]
    elif isinstance(source, dict):
        x = {k: v[:1] for k, v in source.items()}
    elif isinstance(source, list | tuple):
        x = [v[:1] for v in source]
    elif hasattr(source, "__getitem__"):
        x = source[0][0]
    else:
        batches = iter(source)
        first = next(batches)
        x = first[0] if isinstance(first, tuple) else first
        if isinstance(source, GeneratorType):
            source = (batch for part in ([first], batches) for batch in part)
    with suppress(NotImplementedError):  # a train_step of its own, and no call
        model(x)
    return source


def plain(value: Any) -> Any:
    """History objects as the dict they hold, tensors as arrays."""
    if hasattr(value, "history"):
        return value.history
    return value.numpy() if hasattr(value, "numpy") else value


def main() -> None:
    arguments = parser()
    arguments.add_argument("--engine", default="keras3")
    options, rest = Options.parse(arguments)

    prepare()
    keras = load_engine(rest.engine)
    probe = Probe(keras, options)
    probe.install()
    for stubs in options.stubs:
        load_file(stubs).install_keras(keras)
    namespace = run_script(options)
    probe.end_loops()
    probe.recording.variables = numeric_globals(namespace, plain)
    finish(probe.recording, options)


if __name__ == "__main__":
    main()
