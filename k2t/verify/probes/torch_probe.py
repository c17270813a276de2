"""Runs a Lightning script in a child process, from Keras's weights, and records its training.

    python -m k2t.verify.probes.torch_probe SCRIPT OUT [--weights RECORDING] [--disturb SIZE] ...

Dropout is the identity, samplers keep the order, noise is fixed; Keras and TensorFlow cannot be
imported. The first fit of the k-th model starts from the weights of Keras's k-th fitted model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from k2t.verify.probes import torch_weights
from k2t.verify.probes.blocker import block
from k2t.verify.probes.child import (
    EnoughSteps,
    Options,
    finish,
    fresh_sample,
    leaves,
    load_file,
    numeric_globals,
    parser,
    prepare,
    run_script,
)
from k2t.verify.probes.torch_again import again, remember_arguments
from k2t.verify.probes.torch_chance import switch_off_chance
from k2t.verify.probes.torch_trace import make_trace, read_facts, read_gradients, running
from k2t.verify.recording import Entry, Fit, Output, Recording, Trace, load


class Probe:
    """The patches and what they have seen. One object a process."""

    def __init__(
        self, lightning: Any, source: Recording | None, disturb: float, options: Options
    ) -> None:
        self.lightning, self.source = lightning, source
        self.disturb, self.options = disturb, options
        self.recording = Recording()
        self.models: list[nn.Module] = []  # fitted (or first tested, as in Keras), in order
        self.names: dict[int, list[str]] = {}  # id of a model -> its layers in Keras's order
        self.started: list[nn.Module] = []  # evaluated as Keras drew them, maybe never fitted
        self.busy = False
        self.loops: dict[int, Fit] = {}  # of models trained by train_on_batch, by id
        self.watched: list[type] = []  # their classes

    def install(self) -> None:
        trainer = self.lightning.Trainer
        trainer.fit = self.hook_fit(trainer.fit)
        for call, kind in (("test", "evaluate"), ("validate", "evaluate"), ("predict", "predict")):
            setattr(trainer, call, self.hook_output(kind, getattr(trainer, call)))
        self.watch_parts()
        remember_arguments(self.watch_loops)

    def watch_parts(self) -> None:
        """Finds the ``predict(model, x)`` of a migrated script: Keras's, of a model that is a part.

        It is the function of that name that the script decorates with ``torch.no_grad()``.
        """
        decorate = torch.no_grad.__call__

        def decorated(guard: Any, function: Any) -> Any:
            made = decorate(guard, function)
            own = getattr(function, "__module__", "") == "__main__"
            if not own or getattr(function, "__name__", "") != "predict":
                return made
            return self.hook_part(made)

        torch.no_grad.__call__ = decorated  # type: ignore[method-assign, assignment]

    def watch_loops(self, cls: type[nn.Module]) -> None:
        """Hooks ``train_on_batch`` of a class of the script, and what it has beside it."""
        own: Any = cls
        chance = cls.__name__.startswith("Random") or cls.__name__ == "Solarization"
        if (
            chance and cls.__module__ == "__main__"
        ):  # as Keras's layers that change images by chance
            own.forward = first_window if cls.__name__ == "RandomCrop" else lambda module, x: x
        if "train_on_batch" not in vars(cls) or cls in self.watched:
            return
        self.watched.append(cls)
        own.train_on_batch = self.hook_train_on_batch(own.train_on_batch)
        for call in {"evaluate", "predict"} & vars(cls).keys():
            setattr(cls, call, self.hook_own(call, getattr(cls, call)))

    def hook_own(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A method of the script's own that does what one of Keras's models does."""

        def hooked(model: Any, *args: Any, **kwargs: Any) -> Any:
            self.start(model, call)
            result = function(model, *args, **kwargs)
            arrays = {name: np.array(value) for name, value in leaves(plain(result)).items()}
            self.recording.outputs.append(Output(call, arrays))
            return result

        return hooked

    def hook_train_on_batch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A loop of the script's own is one fit, from its first call on; it has no epochs."""

        def hooked(model: Any, x: Any, y: Any) -> Any:
            number = self.place(model)
            record = self.loops.setdefault(id(model), Fit(number))
            if not record.initial:
                record.initial = self.read(model)
            with self.working():
                result = function(model, x, y)
            first = next(iter(leaves(result).values()))
            record.losses.append(float(first))
            record.sizes.append(len(next(iter(leaves(x).values()))))
            self.options.tell(len(record.losses))
            if self.options.steps and len(record.losses) >= self.options.steps:
                raise EnoughSteps
            return result

        return hooked

    def end_loops(self) -> None:
        """Reads what the models trained by train_on_batch have become, as the script ends."""
        for model in self.models:
            if id(model) in self.loops:
                record = self.loops[id(model)]
                record.final = self.read(model)
                self.recording.fits.append(record)

    def hook_part(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(model: Any, x: Any) -> Any:
            if not self.busy:
                self.start(model, "predict")
            result = function(model, x)
            # models that are called, and what they hold, are called in Keras, too: no predict
            called = isinstance(model, self.lightning.LightningModule)
            called |= type(model).__module__.startswith("torch.")
            if not self.busy and not called:
                self.recording.outputs.append(Output("predict", leaves(plain(result))))
            return result

        return hooked

    def hook_fit(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(trainer: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            number = self.place(model)
            record = Fit(number, initial=self.read(model))
            if self.options.epochs and trainer.max_epochs not in (None, -1):
                most = min(trainer.max_epochs, self.options.epochs)
                trainer.fit_loop.max_epochs = most
            limit(trainer, self.options.steps)
            if self.options.trace and not any(f.model == number for f in self.recording.fits):
                record.trace = Trace()
            watcher = make_watcher(self, record)
            trainer.callbacks.append(watcher)
            with self.working():
                result = fit(trainer, model, *args, **kwargs)
            trainer.callbacks.remove(watcher)
            record.final = self.read(model)
            self.recording.fits.append(record)
            return result

        return hooked

    def hook_output(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(trainer: Any, model: Any = None, *args: Any, **kwargs: Any) -> Any:
            if self.busy:
                return function(trainer, model, *args, **kwargs)
            limit(trainer, self.options.steps)
            if model is not None and not self.start(model, call) and self.used_before_fit(model):
                self.place(model)
            with self.working():
                result = function(trainer, model, *args, **kwargs)
            self.recording.outputs.append(Output(call, output_values(call, result)))
            return result

        return hooked

    def start(self, model: nn.Module, call: str) -> bool:
        """Gives a model the weights that Keras drew for its partner in this call, if it did."""
        if self.source is None or any(model is known for known in [*self.models, *self.started]):
            return False
        number = sum(output.call == call for output in self.recording.outputs)
        partners = [output for output in self.source.outputs if output.call == call]
        start = partners[number].start if number < len(partners) else None
        if start is None:
            return False
        self.put(start[0], torch_weights.pair(*start, model), model)
        self.started.append(model)
        return True

    def put(
        self, entries: list[Entry], partners: list[torch_weights.Place], model: nn.Module
    ) -> None:
        torch_weights.put(entries, partners)
        if self.disturb:
            torch_weights.disturb(model, self.disturb)

    def used_before_fit(self, model: nn.Module) -> bool:
        """Whether Keras, too, evaluated its next model before fitting it."""
        number = len(self.models)
        if self.source is None or any(model is known for known in self.models):
            return False
        return number < len(self.source.starts) and self.source.starts[number][0] != "fit"

    @contextmanager
    def working(self) -> Iterator[None]:
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    def place(self, model: nn.Module) -> int:
        """The number of the model; a new one gets the weights of its partner in Keras."""
        for number, known in enumerate(self.models):
            if known is model:
                return number
        number = len(self.models)
        self.models.append(model)
        if self.source is None:
            self.names[id(model)] = [p.name for p in torch_weights.places(model)]
            return number
        if number >= len(self.source.starts):
            raise ValueError(
                f"the Lightning script fits more models than the {number} of the Keras script"
            )
        entries = self.source.starts[number][1]
        traversal = next(fit.traversal for fit in self.source.fits if fit.model == number)
        partners = torch_weights.pair(entries, traversal, model)
        self.names[id(model)] = [p.name for p in partners]
        if self.options.draws:
            self.recording.draws.append(self.draw(model))
        if not any(model is known for known in self.started):
            self.put(entries, partners, model)
        return number

    def read(self, model: nn.Module) -> list[Entry]:
        """The weights now, in the order of Keras's entries."""
        found = {place.name: place for place in torch_weights.places(model)}
        return [found[name].entry() for name in self.names[id(model)]]

    def draw(self, model: nn.Module) -> list[Entry]:
        """Samples of the initial values of fresh models of the same class and arguments."""
        names = self.names[id(model)]
        state = torch.get_rng_state()
        entries = []
        for seed in range(self.options.draws):
            torch.manual_seed(seed + 1)
            found = {p.name: p for p in torch_weights.places(again(model))}
            entries.append([found[name].entry() for name in names])
        torch.set_rng_state(state)
        return [
            Entry(
                same[0].kind,
                same[0].name,
                {role: fresh_sample([e.arrays[role] for e in same]) for role in same[0].arrays},
            )
            for same in zip(*entries, strict=True)
        ]


def limit(trainer: Any, most: int) -> None:
    """An evaluation looks at no more batches than a fit takes steps."""
    for name in ("limit_val_batches", "limit_test_batches"):
        own = getattr(trainer, name)
        if most and own and (isinstance(own, float) or own > most):
            setattr(trainer, name, most)


def make_watcher(probe: Probe, record: Fit) -> Any:
    """A callback that fills `record`.

    It is a Checkpoint, because those are called after the module's own on_train_epoch_end, where
    models log what they have summed up over the epoch.
    """
    most, trace = probe.options.steps, record.trace

    class Watcher(probe.lightning.callbacks.Checkpoint):  # type: ignore[misc, name-defined]
        def on_train_batch_start(
            self, trainer: Any, model: Any, batch: Any, batch_idx: int
        ) -> None:
            if trace is not None and not record.losses:
                make_trace(trace, model, batch, probe.names[id(model)])

        def on_validation_batch_start(
            self, trainer: Any, model: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
        ) -> None:
            record.facts.modes.setdefault("validation", any(m.training for m in model.modules()))

        def on_before_optimizer_step(self, trainer: Any, model: Any, optimizer: Any) -> None:
            if trace is not None and not trace.gradients:
                trace.gradients = read_gradients(model, lambda: probe.read(model))

        def on_train_batch_end(
            self, trainer: Any, model: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            if loss is None:  # manual optimisation
                loss = trainer.callback_metrics.get("loss", torch.tensor(float("nan")))
            record.losses.append(float(loss))
            sizes = [
                len(part) for part in leaves(batch).values() if torch.is_tensor(part) and part.ndim
            ]
            record.sizes.append(sizes[0] if sizes else 0)
            if probe.options.trace:
                record.running.append(running(trainer))
            if len(record.losses) == 1 and probe.options.trace:
                record.facts = read_facts(trainer, model, probe.names[id(model)])
                record.facts.modes["train"] = all(m.training for m in model.modules())
                if trace is not None:
                    trace.after = probe.read(model)
            probe.options.tell(len(record.losses))
            if most and len(record.losses) >= most:
                trainer.should_stop = True

        def on_train_epoch_end(self, trainer: Any, model: Any) -> None:
            record.epochs.append({k: float(v) for k, v in trainer.callback_metrics.items()})

    return Watcher()


def output_values(call: str, result: Any) -> dict[str, Any]:
    """What test, validate or predict returned: numbers by name, or the batches put together."""
    if call == "evaluate":
        return {k: np.array(float(v)) for part in result or [] for k, v in part.items()}
    batches = [leaves(batch) for batch in result or []]
    names = batches[0] if batches else {}
    return {
        name: np.concatenate([np.atleast_1d(np.asarray(single(batch[name]))) for batch in batches])
        for name in names
    }


def single(value: Any) -> Any:
    """A tensor of half precision in single: numpy has no bfloat16."""
    half = torch.is_tensor(value) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if half else value


def plain(value: Any) -> Any:
    """Tensors as arrays, also those inside lists."""
    if torch.is_tensor(value):
        return single(value.detach().cpu()).numpy()
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return getattr(value, "history", value)


def first_window(crop: Any, x: torch.Tensor) -> torch.Tensor:
    """What a RandomCrop cuts out that draws nothing."""
    return x[:, :, : crop.height, : crop.width] if crop.training else x


def lightning_of(script: str) -> ModuleType:
    """The package that a script's Trainer comes from: lightning, or the older pytorch_lightning."""
    old = "pytorch_lightning" in Path(script).read_text(encoding="utf-8")
    return importlib.import_module("pytorch_lightning" if old else "lightning.pytorch")


def main() -> None:
    arguments = parser()
    arguments.add_argument("--weights", type=Path)
    arguments.add_argument("--disturb", type=float, default=0.0)
    options, rest = Options.parse(arguments)

    prepare()
    block("keras", "tensorflow", "tf_keras")
    torch.set_num_threads(1)
    switch_off_chance()
    for stubs in options.stubs:  # before Lightning: they may stand in for what it imports
        load_file(stubs).install_torch()
    source = load(rest.weights) if rest.weights else None
    probe = Probe(lightning_of(options.script), source, rest.disturb, options)
    probe.install()
    batches = source.fits[0].batches if source is not None and source.fits else []
    namespace = run_script(options, {"batches": batches} if batches else None)
    probe.end_loops()
    probe.recording.variables = numeric_globals(namespace, plain)
    finish(probe.recording, options)


if __name__ == "__main__":
    main()
