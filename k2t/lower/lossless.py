"""Models whose loss the script adds, and compiles them without one."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Model
from k2t.lower import text as t
from k2t.lower.targets import FUNCTION, Loss


def added_loss(model: Model, weighted: bool) -> Loss:
    """What stands for a loss in a model that has none but the one which the script adds.

    Raises:
        NotMigrated: it cannot be carried over.
    """
    added = model.added
    assert added is not None
    problem = added.problem
    if model.compile is None:
        problem = "the model is not compiled itself"
    elif not t.is_none(t.get(model.compile.args, "loss")):
        problem = "compile has a loss as well"
    elif not t.is_none(t.get(model.compile.args, "metrics")) or weighted or model.compile.others:
        problem = "metrics, weights of samples or several compiles beside it"
    elif len(model.inputs) != 1 or model.input_kind != "one" or len(model.outputs) != 1:
        problem = "the model has several inputs or outputs"
    elif model.structure is not None and model.structure.parameters:
        problem = "the model is built in a function"
    if problem is not None:
        raise NotMigrated("K2T305", f"add_loss is not carried over: {problem}", added.span)
    return Loss(FUNCTION, "", "", "none", None, "y_pred", None, None, True)
