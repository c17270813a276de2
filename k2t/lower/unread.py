"""Parameters of a constructor that its class turned out not to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from k2t.ir.source import Source, Span
from k2t.ir.torch import ModuleClass
from k2t.lower.model import Draft


def without_unread(made: Draft, cls: ModuleClass, source: Source) -> ModuleClass:
    """The class, and the draft's model, without them; a builder's own parameters stay."""
    model = made.model
    if model.home is not None and model.home.becomes_class:
        return cls
    text = "\n".join(texts(source, replace(cls, parameters=(), attributes=())))
    read = [re.search(rf"\b{re.escape(p.name)}\b", text) is not None for p in model.parameters]

    def kept(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(value for value, is_read in zip(values, read, strict=True) if is_read)

    made.model = replace(model, parameters=kept(model.parameters), arguments=kept(model.arguments))
    return replace(cls, parameters=kept(cls.parameters))


def texts(source: Source, value: Any) -> Iterator[str]:
    """All code in a class."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Span):
        yield source.slice(value)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(source, getattr(value, field.name))
    elif isinstance(value, tuple):
        for part in value:
            yield from texts(source, part)
