"""The Trainer that a use of a model is given to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Use
from k2t.lower import text as t
from k2t.lower.edits import Edits
from k2t.lower.precision import precision


def trainer_for(edits: Edits, use: Use) -> str:
    """The trainer in force at a use; one is made where ``fit`` has not run before."""
    if called_back(edits, use):
        why = f"{use.kind} in a function that a callback calls, while the model is fitted"
        raise NotMigrated("K2T706", why, use.call)
    name = edits.name("trainer")
    if not made_before(edits.trainers, use):
        edits.trainers.append(use)
        quiet = t.same_value(t.get(use.args, "verbose"), 0)
        options = ["logger", "enable_checkpointing", "enable_model_summary"]
        options[2:2] = ["enable_progress_bar"] if quiet else []
        settings = [f"{option}=False" for option in options]
        if (found := precision(edits.program)) is not None:
            settings.insert(0, f'precision="{found}"')
        made = f"{name} = L.Trainer({', '.join(settings)})"
        edits.inserted.append((use.stmt, (made,)))
    return name


def called_back(edits: Edits, use: Use) -> bool:
    """Whether a use stands in a function that a callback calls, itself or by way of others."""
    if use.data.get("called_back"):
        return True
    uses, source = edits.program.uses, edits.program.source
    called = {span for other in uses for span in other.data.get("functions", ())}
    if any(use.call in span for span in called):
        return True
    waiting = {other.scope for other in uses if other.scope is not None} - called
    while called and waiting:
        texts = [source.slice(span) for span in called]
        names = {span: source.slice(span).partition("(")[0].split()[-1] for span in waiting}
        more = {s for s, n in names.items() if any(re.search(rf"\b{n}\s*\(", x) for x in texts)}
        called, waiting = called | more, waiting - more
        if not more:
            break
    return use.scope in called


def made_before(others: Sequence[Use], use: Use) -> bool:
    """Whether the trainer of an earlier use is there however the script comes to this one."""
    earlier = [o for o in others if o.scope == use.scope and o.stmt.start <= use.stmt.start]
    if any(o.branch is None or use.stmt in o.branch[0] for o in earlier):
        return True
    sides = {o.branch for o in earlier if o.branch is not None}
    wholes = [whole for _, whole in sides]
    return any(wholes.count(whole) == 2 for whole in wholes)  # made on both sides of an if
