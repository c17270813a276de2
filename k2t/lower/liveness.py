"""Which variables the steps of a structure read, bind and still need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from k2t.ir.structure import (
    Append,
    Computed,
    Flow,
    Invoke,
    Keep,
    Lane,
    Let,
    Many,
    Operator,
    Repeat,
    Return,
    Step,
    Taken,
    Text,
    Use,
    Var,
    When,
    Width,
)


def asked(text: Text) -> set[str]:
    """The tensors whose widths a piece of configuration asks for."""
    return {part.name for part in text if isinstance(part, Width)}


def parts(flow: Flow) -> tuple[Flow, ...]:
    match flow:
        case Use(inputs=inputs) | Computed(inputs=inputs) | Many(items=inputs):
            return inputs
        case Invoke(inputs=named):
            return tuple(f for _, f in named)
        case Operator(operands=operands):
            return tuple(o for o in operands if not isinstance(o, tuple))
    return ()


def below(flow: Flow) -> Iterator[Flow]:
    """A flow and all that it is made of."""
    yield flow
    for part in parts(flow):
        yield from below(part)


def reads(flow: Flow) -> set[str]:
    """The tensors (and lists of them) that an expression reads."""
    found: set[str] = set()
    for part in below(flow):
        match part:
            case Var(name=name):
                found.add(name)
            case Taken(name=name, index=index):
                found.add(name)
                found |= asked(index or ())
            case Use(told=told):
                for _, text in told:
                    found |= asked(text)
            case Invoke(arguments=arguments):
                for _, _, text in arguments:
                    found |= asked(text)
            case Operator(operands=operands):
                for operand in operands:
                    if isinstance(operand, tuple):
                        found |= asked(operand)
    return found


def live(steps: Sequence[Step], after: set[str]) -> set[str]:
    """The tensors needed before some steps, given those needed after them."""
    needed = set(after)
    for step in reversed(steps):
        match step:
            case Keep(text=text):
                needed |= asked(text)
            case Let(names=names, flow=flow):
                needed = (needed - set(names)) | reads(flow)
            case Append(name=name, flow=flow):
                needed |= reads(flow) | {name}
            case Return(flows=flows):
                needed = set().union(*(reads(f) for f in flows))
            case When(test=test, body=body, orelse=orelse):
                needed = live(body, needed) | live(orelse, needed) | asked(test)
            case Repeat(lanes=lanes, body=body):
                inner = live(body, needed | live(body, needed))
                needed |= inner - {lane.name for lane in lanes}
                needed |= {lane.tensors for lane in lanes if lane.tensors}
                needed |= {n for lane in lanes for n in asked(lane.text)}
    return needed


def flows(steps: Sequence[Step]) -> Iterator[Flow]:
    """All expressions of tensors in some steps, nested ones too."""
    for step in steps:
        match step:
            case Let(flow=flow) | Append(flow=flow):
                yield from below(flow)
            case Return(flows=several):
                for flow in several:
                    yield from below(flow)
            case When(body=body, orelse=orelse):
                yield from flows((*body, *orelse))
            case Repeat(body=body):
                yield from flows(body)


def bound(steps: Sequence[Step]) -> set[str]:
    """The tensors that some steps bind."""
    found: set[str] = set()
    for step in steps:
        match step:
            case Let(names=names):
                found |= set(names)
            case Append(name=name):
                found.add(name)
            case When(body=body, orelse=orelse):
                found |= bound((*body, *orelse))
            case Repeat(body=body, lanes=lanes):
                found |= bound(body) | {lane.name for lane in lanes if lane.tensors}
    return found


def stored(steps: Sequence[Step]) -> set[str]:
    """The variables of the configuration that some steps bind."""
    found: set[str] = set()
    for step in steps:
        match step:
            case Keep(stored=names):
                found |= names
            case When(body=body, orelse=orelse):
                found |= stored((*body, *orelse))
            case Repeat(body=body, stored=names):
                found |= names | stored(body)
    return found


def texts(steps: Sequence[Step]) -> Iterator[Text]:
    """All pieces of configuration in some steps but what layers are made with, in order."""
    for step in steps:
        match step:
            case Keep(text=text):
                yield text
            case When(test=test, body=body, orelse=orelse):
                yield test
                yield from texts((*body, *orelse))
            case Repeat(lanes=lanes, body=body):
                for lane in lanes:
                    yield lane.text
                yield from texts(body)
            case _:
                for flow in flows([step]):
                    yield from texts_of(flow)


def texts_of(flow: Flow) -> Iterator[Text]:
    match flow:
        case Use(told=told):
            yield from (text for _, text in told)
        case Invoke(arguments=arguments):
            for _, _, text in arguments:
                yield text
        case Operator(operands=operands):
            yield from (o for o in operands if isinstance(o, tuple))
        case Taken(index=index) if index is not None:
            yield index


def lanes_of(step: Repeat) -> tuple[Lane, ...]:
    return tuple(lane for lane in step.lanes if lane.tensors)
