"""What a script asks and tells TensorFlow about itself: versions, devices, strategies."""

from __future__ import annotations

import ast

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Span
from k2t.ir.torch import Edit
from k2t.lower.edits import Edits


def unwrapped(edits: Edits, use: Use) -> None:
    """``with tf.device(...)``: its body."""
    edits.edits.append(Edit(use.call, (use.data["kept"],), dedent=True))


def undecorated(edits: Edits, use: Use) -> None:
    """``@tf.function``: torch computes at once."""
    edits.removed.append(Span(use.call.start - 1, use.call.end))


def strategy(edits: Edits, use: Use) -> None:
    """``tf.distribute.MirroredStrategy()``: one device, where it changes no number."""
    edits.removed.append(use.stmt)
    path = use.data["path"]
    if path.endswith("MultiWorkerMirroredStrategy"):
        why = "one machine and device here; for n machines of m devices: Trainer(strategy='ddp', "
        why += "devices=m, num_nodes=n), started on each, and batches of 1/(n * m) each"
        edits.note("K2T724", Severity.WARNING, why, use.call)
    elif path.endswith(("MirroredStrategy", "CentralStorageStrategy")):
        why = "one device here; for n of them: Trainer(strategy='ddp', devices=n), and batches of "
        edits.note("K2T724", Severity.WARNING, f"{why}1/n each", use.call)


def replicas(edits: Edits, use: Use) -> None:
    edits.edits.append(Edit(use.call, ("1",)))


def only_printed(text: str) -> bool:
    """Whether a statement prints what is in it, and decides nothing by it."""
    decides = ast.Compare | ast.IfExp | ast.BoolOp | ast.Subscript
    match ast.parse(text).body:
        case [ast.Expr(value=ast.Call(func=ast.Name(id="print")) as call)]:
            inner = [n for n in ast.walk(call) if n is not call]
            calls = [ast.unparse(n.func) for n in inner if isinstance(n, ast.Call)]
            formats = all(path == "str" or path.endswith(".format") for path in calls)
            return formats and not any(isinstance(n, decides) for n in inner)
    return False


def version(edits: Edits, use: Use) -> None:
    """The version of Keras or TensorFlow that a script prints: Lightning's, torch's.

    Raises:
        NotMigrated: it does something else with it.
    """
    if not only_printed(edits.program.source.slice(use.stmt)):
        raise NotMigrated("K2T900", f"{use.data['path']} is not migrated", use.call)
    ours = "L.__version__" if use.data["path"].startswith("keras") else "torch.__version__"
    edits.edits.append(Edit(use.call, (ours,)))
    edits.note("K2T722", Severity.INFO, f"{use.data['path']}: {ours} now", use.call)


def devices(edits: Edits, use: Use) -> None:
    """The GPUs there are: how many, whether any, or a list of them."""
    text = {
        "len": "torch.cuda.device_count()",
        "any": "torch.cuda.is_available()",
        "list": '[torch.device("cuda", i) for i in range(torch.cuda.device_count())]',
    }[use.data["how"]]
    edits.edits.append(Edit(use.call, (text,)))
